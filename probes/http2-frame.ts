// The frames of HTTP/2 (RFC 9113, sections 4 and 6), one at a time. Pure.

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
  readonly payload: Buffer
  readonly end: number
}

/** The frame at `at`: undefined while bytes are missing, `too large` as soon as its length says so. */
export function readFrame(bytes: Buffer, at: number): Frame | undefined | 'too large' {
  if (bytes.length - at < FRAME_HEADER_BYTES) return undefined
  const length = bytes.readUIntBE(at, 3)
  if (length > FRAME_BYTES_MAX) return 'too large'
  const end = at + FRAME_HEADER_BYTES + length
  if (end > bytes.length) return undefined
  return {
    type: bytes.readUInt8(at + 3),
    flags: bytes.readUInt8(at + 4),
    stream: bytes.readUInt32BE(at + 5) & 0x7fffffff,
    payload: bytes.subarray(at + FRAME_HEADER_BYTES, end),
    end,
  }
}

/** What a frame carries without its padding and priority; undefined when it has less than it says. */
export function unpadded({ type, flags, payload }: Frame): Uint8Array | undefined {
  const isPadded = (flags & PADDED) !== 0
  const start = (isPadded ? 1 : 0) + (type === TYPE.HEADERS && (flags & PRIORITY) !== 0 ? 5 : 0)
  const end = payload.length - (isPadded ? (payload[0] ?? 0) : 0)
  return start > end ? undefined : payload.subarray(start, end)
}

/** A frame as it is sent. `payload` has at most FRAME_BYTES_MAX bytes. */
export function frameBytes(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array,
): Uint8Array {
  const header = Buffer.alloc(FRAME_HEADER_BYTES)
  header.writeUIntBE(payload.length, 0, 3)
  header.writeUInt8(type, 3)
  header.writeUInt8(flags, 4)
  header.writeUInt32BE(stream, 5)
  return Buffer.concat([header, payload])
}
