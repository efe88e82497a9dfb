// One call over HTTP/2 (RFC 9113), the client's side of it, as bytes out and bytes in. Pure.
//
// Not node:http2: in Bun 1.4.5 a server that sends HEADERS on a stream of its own makes an error that
// nothing can catch, and the process ends. A host that is probed must not be able to do that.

import { type Fields, fieldsDecoder } from './hpack.ts'
import { FLAG, type Frame, frameOctets, readFrame, TYPE, unpadded } from './http2-frame.ts'
import { bytesOf, type Octets, uint32 } from './octets.ts'

/** What the server said until it ended the stream. Trailers are among the fields. */
export type CallAnswer = { readonly fields: Fields; readonly body: Octets }

/** What the bytes so far say. `reply` is to be sent at once: acknowledgements, mostly none. */
export type CallReading =
  | { readonly state: 'reading'; readonly reply: Octets }
  | { readonly state: 'answer'; readonly answer: CallAnswer }
  | { readonly state: 'broken'; readonly reason: string }

/** Bytes of a body, and of a block of header fields. A health check needs 7 and about 100. */
const BODY_BYTES_MAX = 4 * 1024
const BLOCK_BYTES_MAX = 16 * 1024
/** Frames of one answer; a good one has about six. Ends floods of PING, SETTINGS and the like. */
const FRAMES_MAX = 500

const STREAM = 1
/** SETTINGS_ENABLE_PUSH = 0. */
const NO_PUSH = '\0\x02\0\0\0\0'
const PREFACE = `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${frameOctets(TYPE.SETTINGS, 0, 0, NO_PUSH)}`
const SETTINGS_ACK = frameOctets(TYPE.SETTINGS, FLAG.ACK, 0, '')

const PING_BYTES = 8

/**
 * All that the client has to say: preface, settings, and the request on stream 1. Both the block of header
 * fields and the body must fit in one frame; the windows of a new connection have room for it (RFC 9113,
 * section 6.9.2).
 */
export function callBytes(block: Octets, body: Octets): Uint8Array {
  const head = frameOctets(TYPE.HEADERS, FLAG.END_HEADERS, STREAM, block)
  return bytesOf(PREFACE + head + frameOctets(TYPE.DATA, FLAG.END_STREAM, STREAM, body))
}

const NOTHING_YET: CallReading = { state: 'reading', reply: '' }
const MALFORMED = broken('malformed HTTP/2 response')
const NO_FIELDS: Fields = new Map()

/** Reads the answer to one call: an interim head or more (1xx, dropped), a head, data, perhaps trailers. */
export class CallReader {
  readonly #decode = fieldsDecoder()
  /** The beginning of a frame. */
  #pending: Octets = ''
  #frames = 0
  /** Of a head that goes on: its fields so far, and whether the stream ends with it. */
  #block: Octets | undefined
  #isLastBlock = false
  #fields: Fields = NO_FIELDS
  #body: Octets = ''

  /** Takes each chunk once, in order, until it is not `reading`. */
  read(chunk: Octets): CallReading {
    const bytes = this.#pending + chunk
    let reply = ''
    let at = 0
    for (;;) {
      const frame = readFrame(bytes, at)
      if (frame === undefined) break
      if (frame === 'too large') return MALFORMED
      this.#frames += 1
      if (this.#frames > FRAMES_MAX) return broken('too many HTTP/2 frames')
      const taken = this.#take(frame)
      if (typeof taken !== 'string') return taken
      reply += taken
      at = frame.end
    }
    this.#pending = bytes.slice(at)
    return reply === '' ? NOTHING_YET : { state: 'reading', reply }
  }

  /** What to reply, or how the call ends. What has no bearing on one call is stepped over. */
  #take(frame: Frame): Octets | CallReading {
    const { type, flags, payload } = frame
    const isAck = (flags & FLAG.ACK) !== 0
    if (this.#frames === 1 && (type !== TYPE.SETTINGS || isAck)) return MALFORMED
    if ((type === TYPE.CONTINUATION) !== (this.#block !== undefined)) return MALFORMED
    switch (type) {
      case TYPE.SETTINGS:
        return isAck ? '' : SETTINGS_ACK
      case TYPE.PING:
        if (payload.length !== PING_BYTES) return MALFORMED
        return isAck ? '' : frameOctets(TYPE.PING, FLAG.ACK, 0, payload)
      case TYPE.GOAWAY:
        return leavesCallOut(payload) ? broken('HTTP/2 GOAWAY') : ''
      case TYPE.PUSH_PROMISE:
        return MALFORMED
      case TYPE.RST_STREAM:
      case TYPE.DATA:
      case TYPE.HEADERS:
      case TYPE.CONTINUATION:
        return frame.stream === STREAM ? this.#takeOfStream(frame) : MALFORMED
      default:
        return '' // RFC 9113, section 4.1: unknown types are ignored
    }
  }

  #takeOfStream(frame: Frame): Octets | CallReading {
    if (frame.type === TYPE.RST_STREAM) return broken('HTTP/2 stream reset')
    const part = unpadded(frame)
    if (part === undefined) return MALFORMED
    const isLast = (frame.flags & FLAG.END_STREAM) !== 0
    if (frame.type === TYPE.DATA) return this.#takeData(part, isLast)
    if (frame.type === TYPE.HEADERS) this.#isLastBlock = isLast
    const block = (this.#block ?? '') + part
    if (block.length > BLOCK_BYTES_MAX) return broken('response header too large')
    const isWhole = (frame.flags & FLAG.END_HEADERS) !== 0
    this.#block = isWhole ? undefined : block
    return isWhole ? this.#takeFields(block) : ''
  }

  #takeFields(block: Octets): Octets | CallReading {
    const fields = this.#decode(block)
    if (fields === undefined) return MALFORMED
    const isLast = this.#isLastBlock
    if (!isLast && fields.get(':status')?.startsWith('1')) return ''
    this.#fields = this.#fields === NO_FIELDS ? fields : new Map([...this.#fields, ...fields])
    return isLast ? this.#answer() : ''
  }

  #takeData(data: Octets, isLast: boolean): Octets | CallReading {
    if (this.#fields.size === 0) return MALFORMED
    this.#body += data
    if (this.#body.length > BODY_BYTES_MAX) return broken('gRPC response too large')
    return isLast ? this.#answer() : ''
  }

  #answer(): CallReading {
    return { state: 'answer', answer: { fields: this.#fields, body: this.#body } }
  }
}

/** A server that goes away still answers the streams that it took, unless it goes with an error. */
function leavesCallOut(payload: Octets): boolean {
  if (payload.length < 8) return true
  return (uint32(payload, 0) & 0x7fffffff) < STREAM || uint32(payload, 4) !== 0
}

function broken(reason: string): CallReading {
  return { state: 'broken', reason }
}
