// The frames of HTTP/2 (RFC 9113, sections 4 and 6), one at a time. Pure.

import { type Octets, uint32 } from './octets.ts'

/** Types of frames; the others have no bearing on one call. */
export const TYPE = {
  DATA: 0,
  HEADERS: 1,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  CONTINUATION: 9,
} as const

/** Bits of a frame's flags. The first is ACK on SETTINGS and PING, END_STREAM on DATA and HEADERS. */
export const FLAG = { ACK: 0x1, END_STREAM: 0x1, END_HEADERS: 0x4 } as const
const PADDED = 0x8
const PRIORITY = 0x20

/** What a peer may send without our leave, which we do not give. Source: RFC 9113, section 6.5.2. */
export const FRAME_BYTES_MAX = 16 * 1024
const FRAME_HEADER_BYTES = 9

/** One whole frame; `end` is where the next one begins in the bytes that it was read from. */
export type Frame = {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Octets
  readonly end: number
}

/** The frame at `at`: undefined while bytes are missing, `too large` as soon as its length says so. */
export function readFrame(bytes: Octets, at: number): Frame | undefined | 'too large' {
  const start = at + FRAME_HEADER_BYTES
  if (bytes.length < start) return undefined
  const lengthAndType = uint32(bytes, at)
  const length = lengthAndType >>> 8
  if (length > FRAME_BYTES_MAX) return 'too large'
  const end = start + length
  if (end > bytes.length) return undefined
  return {
    type: lengthAndType & 0xff,
    flags: bytes.charCodeAt(at + 4),
    stream: uint32(bytes, at + 5) & 0x7fffffff,
    payload: bytes.slice(start, end),
    end,
  }
}

/** What a frame carries without its padding and priority; undefined when it has less than it says. */
export function unpadded({ type, flags, payload }: Frame): Octets | undefined {
  if (type === TYPE.CONTINUATION || (flags & (PADDED | PRIORITY)) === 0) return payload
  const isPadded = (flags & PADDED) !== 0
  const start = (isPadded ? 1 : 0) + (type === TYPE.HEADERS && (flags & PRIORITY) !== 0 ? 5 : 0)
  const end = payload.length - (isPadded ? payload.charCodeAt(0) : 0)
  return end >= start ? payload.slice(start, end) : undefined
}

/** A frame as it is sent, with at most FRAME_BYTES_MAX bytes of `payload`, on a stream below 256. */
export function frameOctets(type: number, flags: number, stream: number, payload: Octets): Octets {
  const { length } = payload
  return (
    String.fromCharCode(length >> 16, (length >> 8) & 0xff, length & 0xff, type, flags) +
    String.fromCharCode(0, 0, 0, stream) +
    payload
  )
}
