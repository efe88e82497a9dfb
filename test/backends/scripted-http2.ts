// An HTTP/2 backend that is told each frame: what no well-behaved server library would send.

import type { Address } from '../../probes/target.ts'
import type { Backend } from './backend.ts'
import { startTcp } from './tcp.ts'

/** What happens after the last frame: the connection stays, is closed, or is reset. */
export type Ending = 'stay' | 'close' | 'reset'

/** Sends the frames in one piece as soon as the client has said something. */
export function startScriptedHttp2(
  options: Address & { readonly frames: readonly Uint8Array[]; readonly ending?: Ending },
): Promise<Backend> {
  const { frames, ending = 'stay' } = options
  return startTcp(options, (socket) => {
    socket.once('data', () => {
      socket.resume()
      socket.write(Buffer.concat(frames), () => {
        if (ending === 'close') socket.end()
        if (ending === 'reset') socket.resetAndDestroy()
      })
    })
  })
}

const TYPES = {
  ...{ data: 0, headers: 1, rstStream: 3, settings: 4 },
  ...{ pushPromise: 5, ping: 6, goaway: 7, continuation: 9 },
} as const

/** END_STREAM on data and headers; ACK on settings. */
export const END = 0x1
/** END_HEADERS. */
export const END_HEADERS = 0x4

/** One frame. Source: RFC 9113, section 4.1. */
export function frame(
  type: keyof typeof TYPES,
  flags: number,
  stream: number,
  payload: Uint8Array = new Uint8Array(),
): Uint8Array {
  const header = Buffer.alloc(9)
  header.writeUIntBE(payload.length, 0, 3)
  header[3] = TYPES[type]
  header[4] = flags
  header.writeUInt32BE(stream, 5)
  return Buffer.concat([header, payload])
}

/** Header fields as HPACK literals without indexing; names and values below 127 bytes. */
export function fields(headers: Readonly<Record<string, string>>): Uint8Array {
  const text = (value: string) => [value.length, ...Buffer.from(value, 'latin1')]
  return Uint8Array.from(
    Object.entries(headers).flatMap(([name, value]) => [0, ...text(name), ...text(value)]),
  )
}

/** Numbers of 32 bits, as error codes and settings are. */
export function uint32(...numbers: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(4 * numbers.length)
  numbers.forEach((number, index) => {
    bytes.writeUInt32BE(number, 4 * index)
  })
  return bytes
}
