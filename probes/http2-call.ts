// One call over HTTP/2 (RFC 9113), the client's side of it, as bytes out and bytes in. Pure.
//
// Not node:http2: in Bun 1.4.5 a server that sends HEADERS on a stream of its own makes an error that
// nothing can catch, and the process ends. A host that is probed must not be able to do that.

import { encodeFields, type Fields, fieldsDecoder } from './hpack.ts'
import { FLAG, type Frame, frameBytes, readFrame, TYPE, unpadded } from './http2-frame.ts'

/** What the server said until it ended the stream. Trailers are among the fields. */
export type CallAnswer = { readonly fields: Fields; readonly body: Uint8Array }

/** What the bytes so far say. `reply` is to be sent at once: acknowledgements. */
export type CallReading =
  | { readonly state: 'reading'; readonly reply: Uint8Array }
  | { readonly state: 'answer'; readonly answer: CallAnswer }
  | { readonly state: 'broken'; readonly reason: string }

/** Bytes of a body, and of a block of header fields. A health check needs 7 and about 100. */
const BODY_BYTES_MAX = 4 * 1024
const BLOCK_BYTES_MAX = 16 * 1024
/** Frames of one answer; a good one has about six. Ends floods of PING, SETTINGS and the like. */
const FRAMES_MAX = 500

const STREAM = 1
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
/** The types that belong to a stream; ours is the only one. */
const OF_STREAMS: ReadonlySet<number> = new Set([
  TYPE.DATA,
  TYPE.HEADERS,
  TYPE.RST_STREAM,
  TYPE.CONTINUATION,
])

const PING_BYTES = 8

/** SETTINGS_ENABLE_PUSH = 0. */
const NO_PUSH = Uint8Array.of(0, 2, 0, 0, 0, 0)

/**
 * All that the client has to say: preface, settings, and the request on stream 1. The body must fit in
 * one frame; the windows of a new connection have room for it (RFC 9113, section 6.9.2).
 */
export function callBytes(fields: Readonly<Record<string, string>>, body: Uint8Array): Uint8Array {
  return Buffer.concat([
    Buffer.from(PREFACE, 'latin1'),
    frameBytes(TYPE.SETTINGS, 0, 0, NO_PUSH),
    frameBytes(TYPE.HEADERS, FLAG.END_HEADERS, STREAM, encodeFields(fields)),
    frameBytes(TYPE.DATA, FLAG.END_STREAM, STREAM, body),
  ])
}

/** A reader for the answer to one call: give it each chunk once, in order, until it is not `reading`. */
export function callReader(): (chunk: Uint8Array) => CallReading {
  let pending: Uint8Array = new Uint8Array()
  let frames = 0
  const take = frameTaker()
  return (chunk) => {
    const bytes = pending.length === 0 ? Buffer.from(chunk) : Buffer.concat([pending, chunk])
    const replies: Uint8Array[] = []
    let at = 0
    for (;;) {
      const frame = readFrame(bytes, at)
      if (frame === undefined) break
      if (frame === 'too large') return MALFORMED
      frames += 1
      if (frames > FRAMES_MAX) return { state: 'broken', reason: 'too many HTTP/2 frames' }
      const taken = take(frame, frames === 1)
      if (taken.state !== 'reading') return taken
      replies.push(taken.reply)
      at = frame.end
    }
    pending = bytes.subarray(at)
    return { state: 'reading', reply: Buffer.concat(replies) }
  }
}

const MALFORMED: CallReading = { state: 'broken', reason: 'malformed HTTP/2 response' }
const TOO_LARGE: CallReading = { state: 'broken', reason: 'response header too large' }
const RESET: CallReading = { state: 'broken', reason: 'HTTP/2 stream reset' }
const GONE: CallReading = { state: 'broken', reason: 'HTTP/2 GOAWAY' }
const READING: CallReading = { state: 'reading', reply: new Uint8Array() }

/** Takes the frames of one connection, in order. What has no bearing on one call is stepped over. */
function frameTaker(): (frame: Frame, isFirst: boolean) => CallReading {
  const answer = answerCollector()
  let block: { readonly bytes: Uint8Array; readonly isLast: boolean } | undefined
  const takeBlock = (part: Uint8Array | undefined, flags: number): CallReading => {
    if (part === undefined || block === undefined) return MALFORMED
    const { isLast } = block
    const bytes = Buffer.concat([block.bytes, part])
    if (bytes.length > BLOCK_BYTES_MAX) return TOO_LARGE
    block = (flags & FLAG.END_HEADERS) === 0 ? { bytes, isLast } : undefined
    return block === undefined ? answer.takeFields(bytes, isLast) : READING
  }

  return (frame, isFirst) => {
    const { type, flags, payload } = frame
    const isAck = (flags & FLAG.ACK) !== 0
    if (isFirst && (type !== TYPE.SETTINGS || isAck)) return MALFORMED
    if ((type === TYPE.CONTINUATION) !== (block !== undefined)) return MALFORMED
    if (OF_STREAMS.has(type) && frame.stream !== STREAM) return MALFORMED
    switch (type) {
      case TYPE.SETTINGS:
        return isAck ? READING : reply(TYPE.SETTINGS, new Uint8Array())
      case TYPE.PING:
        if (payload.length !== PING_BYTES) return MALFORMED
        return isAck ? READING : reply(TYPE.PING, payload)
      case TYPE.GOAWAY:
        return leavesCallOut(payload) ? GONE : READING
      case TYPE.RST_STREAM:
        return RESET
      case TYPE.PUSH_PROMISE:
        return MALFORMED
      case TYPE.DATA:
        return answer.takeData(unpadded(frame), (flags & FLAG.END_STREAM) !== 0)
      case TYPE.HEADERS:
        block = { bytes: new Uint8Array(), isLast: (flags & FLAG.END_STREAM) !== 0 }
        return takeBlock(unpadded(frame), flags)
      case TYPE.CONTINUATION:
        return takeBlock(payload, flags)
      default:
        return READING // RFC 9113, section 4.1: unknown types are ignored
    }
  }
}

type Collector = {
  takeFields(block: Uint8Array, isLast: boolean): CallReading
  takeData(data: Uint8Array | undefined, isLast: boolean): CallReading
}

/** Puts the answer together: a head, data, and perhaps trailers. Interim heads (1xx) are dropped. */
function answerCollector(): Collector {
  const decode = fieldsDecoder()
  const fields = new Map<string, string>()
  const body: Uint8Array[] = []
  let bodyBytes = 0
  const reading = (isLast: boolean): CallReading =>
    isLast ? { state: 'answer', answer: { fields, body: Buffer.concat(body) } } : READING

  return {
    takeFields(block, isLast) {
      const decoded = decode(block)
      if (decoded === undefined) return MALFORMED
      if (!isLast && decoded.get(':status')?.startsWith('1')) return READING
      for (const [name, value] of decoded) fields.set(name, value)
      return reading(isLast)
    },
    takeData(data, isLast) {
      if (data === undefined || fields.size === 0) return MALFORMED
      bodyBytes += data.length
      if (bodyBytes > BODY_BYTES_MAX) return { state: 'broken', reason: 'gRPC response too large' }
      body.push(data)
      return reading(isLast)
    },
  }
}

/** A server that goes away still answers the streams that it took, unless it goes with an error. */
function leavesCallOut(payload: Buffer): boolean {
  if (payload.length < 8) return true
  return (payload.readUInt32BE(0) & 0x7fffffff) < STREAM || payload.readUInt32BE(4) !== 0
}

function reply(type: number, payload: Uint8Array): CallReading {
  return { state: 'reading', reply: frameBytes(type, FLAG.ACK, 0, payload) }
}
