// The two messages of grpc.health.v1 and the frames around them, by hand: a string and an enum need no
// protobuf library. Pure. Source: grpc/grpc doc/health-checking.md, doc/PROTOCOL-HTTP2.md.

import { type Octets, octets, uint32 } from './octets.ts'

/** The path of the one method that is called. */
export const CHECK_PATH = '/grpc.health.v1.Health/Check'

/** Compression flag and length in front of each message. */
const FRAME_BYTES = 5

/** HealthCheckResponse.ServingStatus, by number. */
const SERVING_STATUSES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const

/** Status codes by number. Source: grpc/grpc doc/statuscodes.md. */
const CODES = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const

/** A framed HealthCheckRequest. An empty service is the whole server and takes no field. */
export function checkRequest(service: string): Octets {
  const name = Buffer.from(service, 'utf8')
  const message = name.length === 0 ? name : Buffer.concat([tagged(1, name.length), name])
  const frame = Buffer.alloc(FRAME_BYTES)
  frame.writeUInt32BE(message.length, 1)
  return octets(Buffer.concat([frame, message]))
}

/**
 * The name of the status in a framed HealthCheckResponse; a number that has no name counts as UNKNOWN.
 * Undefined when the octets are not one whole uncompressed message.
 */
export function servingStatus(message: Octets): (typeof SERVING_STATUSES)[number] | undefined {
  if (message.length < FRAME_BYTES || message.charCodeAt(0) !== 0) return undefined
  if (uint32(message, 1) !== message.length - FRAME_BYTES) return undefined
  let status = 0
  for (let at = FRAME_BYTES; at < message.length; ) {
    const field = readField(message, at)
    if (field === undefined) return undefined
    if (field.tag === 0x08) status = field.value // field 1, varint: the last one counts
    at = field.next
  }
  return SERVING_STATUSES[status] ?? 'UNKNOWN'
}

/** The name of a `grpc-status` header's number; what is not a known number counts as UNKNOWN. */
export function codeName(status: string): string {
  return CODES[/^\d{1,2}$/.test(status) ? Number(status) : 2] ?? 'UNKNOWN'
}

function tagged(field: number, length: number): Uint8Array {
  const bytes = [(field << 3) | 2]
  for (let rest = length; ; rest >>>= 7) {
    if (rest < 0x80) return Uint8Array.from([...bytes, rest])
    bytes.push((rest & 0x7f) | 0x80)
  }
}

type Field = { readonly tag: number; readonly value: number; readonly next: number }

/** One field from `at`; unknown ones are stepped over by their wire type, the low bits of the first byte. */
function readField(message: Octets, at: number): Field | undefined {
  const tag = readVarint(message, at)
  if (tag === undefined) return undefined
  const wireType = message.charCodeAt(at) & 7
  if (wireType === 1 || wireType === 5) {
    const next = tag.next + (wireType === 1 ? 8 : 4)
    return next > message.length ? undefined : { tag: tag.value, value: 0, next }
  }
  const varint = wireType === 0 || wireType === 2 ? readVarint(message, tag.next) : undefined
  if (varint === undefined) return undefined
  const next = varint.next + (wireType === 2 ? varint.value : 0)
  return next > message.length ? undefined : { tag: tag.value, value: varint.value, next }
}

/** Past 2^53 a number is not exact, but as large: no tag, status or length of ours is that large. */
function readVarint(
  message: Octets,
  at: number,
): { readonly value: number; readonly next: number } | undefined {
  let value = 0
  for (let index = 0; index < 10; index += 1) {
    const byte = message.charCodeAt(at + index)
    if (Number.isNaN(byte)) return undefined
    value += (byte & 0x7f) * 2 ** (7 * index)
    if (byte < 0x80) return { value, next: at + index + 1 }
  }
  return undefined
}
