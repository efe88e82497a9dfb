// gRPC: a host is well when grpc.health.v1.Health/Check answers SERVING. Plaintext, one call, one
// connection, over HTTP/2 of our own (http2-call.ts).
//
// Not over @grpc/grpc-js, for measured reasons (Bun 1.4.5, 2026-11): it cannot cancel a connect nor a
// handshake, so each attempt on a blackholed or silent host leaves a descriptor behind (50 of 50 were
// still open a second after the abort); an attempt takes 226 us of CPU instead of 75; it keeps 22 MiB
// more; and under it lies node:http2, with which a host can end the process (http2-call.ts).

import { authority, type Call, converse, type Talk } from './dial.ts'
import { Way } from './dialers.ts'
import { CHECK_PATH, checkRequest, codeName, servingStatus } from './grpc-health.ts'
import { encodeField } from './hpack.ts'
import { USER_AGENT } from './http-request.ts'
import { type CallAnswer, CallReader, callBytes } from './http2-call.ts'
import { FRAME_BYTES_MAX } from './http2-frame.ts'
import { bytesOf, type Octets } from './octets.ts'
import { OCTETS_MAX, Recent } from './recent.ts'
import {
  type Address,
  type Asker,
  answered,
  failed,
  type Outcome,
  ok,
  type Probe,
  type Prober,
  type Question,
  type Underway,
} from './target.ts'

type GrpcProbe = Extract<Probe, { kind: 'grpc' }>

/** Header fields in front of the host's and behind it. Source: grpc/grpc doc/PROTOCOL-HTTP2.md. */
const FIELDS_BEFORE = [
  encodeField(':method', 'POST'),
  encodeField(':scheme', 'http'),
  encodeField(':path', CHECK_PATH),
].join('')
const FIELDS_AFTER = [
  encodeField('te', 'trailers'),
  encodeField('content-type', 'application/grpc'),
  encodeField('user-agent', USER_AGENT),
].join('')

/**
 * `ok` for SERVING; every other status, error or silence is a failure: `grpc NOT_SERVING`, the call's
 * status (`grpc UNIMPLEMENTED`), or what the connection said. Source: Kubernetes pkg/probe/grpc.
 */
export const probeGrpc: Prober<GrpcProbe> = (address, probe) => {
  const message = messageOf(probe)
  if (message.length > FRAME_BYTES_MAX) return answered(failed('gRPC service name too long'))
  const fields = FIELDS_BEFORE + encodeField(':authority', authority(address)) + FIELDS_AFTER
  return new GrpcQuestion(address, callBytes(fields, message))
}

class GrpcQuestion extends Way implements Question {
  readonly #request: Uint8Array

  constructor(address: Address, request: Uint8Array) {
    super(address, 'tcp')
    this.#request = request
  }

  ask(asker: Asker): Underway {
    return converse(this, new HealthCheck(this.#request), asker)
  }
}

/** One call of Check. */
class HealthCheck implements Talk<Outcome> {
  readonly #request: Uint8Array
  /** Made when something is not known: it then takes all that comes. */
  #reader: CallReader | undefined
  #said: Octets = ''

  constructor(request: Uint8Array) {
    this.#request = request
  }

  onOpen(call: Call<Outcome>): void {
    call.say(this.#request)
  }

  onData(part: Octets, call: Call<Outcome>): void {
    const heard = this.#hear(part)
    if (typeof heard !== 'string') call.end(heard)
    else if (heard !== '') call.say(bytesOf(heard))
  }

  /** Takes what the host says, part by part; gives what to reply, or what it means in the end. */
  #hear(part: Octets): Octets | Outcome {
    if (this.#said.length <= OCTETS_MAX) this.#said += part // what is longer is not known anyway
    const known = verdicts.get(this.#said)
    if (known !== undefined) return known
    this.#reader ??= new CallReader()
    const reading = this.#reader.read(part)
    if (reading.state === 'broken') return failed(reading.reason)
    if (reading.state === 'reading') return reading.reply
    const outcome = verdict(reading.answer)
    verdicts.keep(this.#said, outcome)
    return outcome
  }
}

/** By all that a host said, from the first byte on: nothing else decides. */
const verdicts = new Recent<Outcome>()

const messages = new WeakMap<GrpcProbe, Octets>()

/** The same for all hosts of a port. */
function messageOf(probe: GrpcProbe): Octets {
  return messages.getOrInsertComputed(probe, ({ service }) => checkRequest(service))
}

/** The status of the call is in the trailers, or in the head when there is no message. */
function verdict({ fields, body }: CallAnswer): Outcome {
  const grpcStatus = fields.get('grpc-status')
  const status = fields.get(':status')
  if (grpcStatus === undefined && status !== '200') return failed(`HTTP ${httpStatus(status)}`)
  if (grpcStatus === undefined) return failed('no gRPC status in the response')
  if (grpcStatus !== '0') return failed(`grpc ${codeName(grpcStatus)}`)
  const serving = servingStatus(body)
  if (serving === undefined) return failed('malformed gRPC response')
  return serving === 'SERVING' ? ok : failed(`grpc ${serving}`)
}

function httpStatus(text: string | undefined): string {
  return text !== undefined && /^\d{3}$/.test(text) ? text : 'without a status'
}
