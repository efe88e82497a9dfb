// gRPC: a host is well when grpc.health.v1.Health/Check answers SERVING. Plaintext, one call, one
// connection, over HTTP/2 of our own (http2-call.ts).
//
// Not over @grpc/grpc-js, for measured reasons (Bun 1.4.5, 2026-11): it cannot cancel a connect nor a
// handshake, so each attempt on a blackholed or silent host leaves a descriptor behind (50 of 50 were
// still open a second after the abort); an attempt takes 226 us of CPU instead of 75; it keeps 22 MiB
// more; and under it lies node:http2, with which a host can end the process (http2-call.ts).

import { authority, converse } from './dial.ts'
import { CHECK_PATH, checkRequest, codeName, servingStatus } from './grpc-health.ts'
import { USER_AGENT } from './http-request.ts'
import { type CallAnswer, callBytes, callReader } from './http2-call.ts'
import { FRAME_BYTES_MAX } from './http2-frame.ts'
import { failed, type Outcome, ok, type Probe, type Prober } from './target.ts'

type GrpcProbe = Extract<Probe, { kind: 'grpc' }>

/**
 * `ok` for SERVING; every other status, error or silence is a failure: `grpc NOT_SERVING`, the call's
 * status (`grpc UNIMPLEMENTED`), or what the connection said. Source: Kubernetes pkg/probe/grpc.
 */
export const probeGrpc: Prober<GrpcProbe> = (address, probe, signal) => {
  const message = checkRequest(probe.service)
  if (message.length > FRAME_BYTES_MAX) return Promise.resolve(failed('gRPC service name too long'))
  const read = callReader()
  return converse(address, signal, (done) => ({
    onOpen: (wire) => wire.write(callBytes(head(authority(address)), message)),
    onData: (chunk, wire) => {
      const reading = read(chunk)
      if (reading.state === 'broken') return done(failed(reading.reason))
      if (reading.state === 'answer') return done(verdict(reading.answer))
      if (reading.reply.length > 0) wire.write(reading.reply)
    },
  }))
}

/** Header fields of the call. Source: grpc/grpc doc/PROTOCOL-HTTP2.md. */
function head(host: string): Readonly<Record<string, string>> {
  return {
    ':method': 'POST',
    ':scheme': 'http',
    ':path': CHECK_PATH,
    ':authority': host,
    te: 'trailers',
    'content-type': 'application/grpc',
    'user-agent': USER_AGENT,
  }
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
