// One call over HTTP/2, without a network: it must not matter how the bytes were cut.

import { describe, expect, test } from 'bun:test'
import { CallReader, type CallReading, callBytes } from '../../probes/http2-call.ts'
import { octets } from '../../probes/octets.ts'
import { END, END_HEADERS, fields, frame, uint32 } from '../backends/scripted-http2.ts'

const PADDED = 0x8
const PRIORITY = 0x20
const settings = frame('settings', 0, 0)
const ack = frame('settings', 1, 0)
const message = Uint8Array.from([0, 0, 0, 0, 2, 8, 1])
const headBlock = fields({ ':status': '200', 'x-a': '1' })
const head = frame('headers', END_HEADERS, 1, headBlock)
const data = frame('data', 0, 1, message)
const trailers = frame('headers', END_HEADERS | END, 1, fields({ 'grpc-status': '0' }))
const whole = { ':status': '200', 'x-a': '1', 'grpc-status': '0' }

type Said =
  | { readonly fields: Record<string, string>; readonly body: string }
  | { readonly broken: string }
  | { readonly replies: string }

/** What the reader says after all frames, given in pieces of `size` bytes; acknowledgements in hex. */
function read(frames: readonly Uint8Array[], size: number): Said {
  const reader = new CallReader()
  const bytes = Buffer.concat(frames)
  let replies = ''
  for (let at = 0; at < bytes.length; at += size) {
    const reading: CallReading = reader.read(octets(bytes.subarray(at, at + size)))
    if (reading.state === 'broken') return { broken: reading.reason }
    if (reading.state === 'answer') {
      const { fields, body } = reading.answer
      return {
        fields: Object.fromEntries(fields),
        body: Buffer.from(body, 'latin1').toString('hex'),
      }
    }
    replies += Buffer.from(reading.reply, 'latin1').toString('hex')
  }
  return { replies }
}

const hex = (...frames: readonly Uint8Array[]) => Buffer.concat(frames).toString('hex')
const body = hex(message)
const malformed = { broken: 'malformed HTTP/2 response' }
const goaway = { broken: 'HTTP/2 GOAWAY' }
const padded = (payload: Uint8Array, padding: number) =>
  Buffer.concat([Uint8Array.of(padding), payload, new Uint8Array(padding)])

describe.each([1, 5, 9, 10, 1_000_000])('cut into pieces of %d bytes', (size) => {
  test.each<[sentence: string, frames: Uint8Array[], said: Said]>([
    ['an answer', [settings, head, data, trailers], { fields: whole, body }],
    [
      'an answer in the head',
      [settings, frame('headers', END_HEADERS | END, 1, fields({ ':status': '404' }))],
      { fields: { ':status': '404' }, body: '' },
    ],
    [
      'an answer that ends with its data',
      [settings, head, frame('data', END, 1, message)],
      { fields: { ':status': '200', 'x-a': '1' }, body },
    ],
    [
      'data in three frames, one of them empty',
      [
        settings,
        head,
        frame('data', 0, 1, message.subarray(0, 2)),
        frame('data', 0, 1),
        frame('data', 0, 1, message.subarray(2)),
        trailers,
      ],
      { fields: whole, body },
    ],
    [
      'a head in three frames',
      [
        settings,
        frame('headers', 0, 1, headBlock.subarray(0, 3)),
        frame('continuation', 0, 1),
        frame('continuation', END_HEADERS, 1, headBlock.subarray(3)),
        data,
        trailers,
      ],
      { fields: whole, body },
    ],
    [
      'a last head in two frames',
      [
        settings,
        frame('headers', END, 1, headBlock.subarray(0, 3)),
        frame('continuation', END_HEADERS, 1, headBlock.subarray(3)),
      ],
      { fields: { ':status': '200', 'x-a': '1' }, body: '' },
    ],
    [
      'a head with padding',
      [settings, frame('headers', END_HEADERS | PADDED, 1, padded(headBlock, 5)), data, trailers],
      { fields: whole, body },
    ],
    [
      'a head with a priority',
      [
        settings,
        frame('headers', END_HEADERS | PRIORITY, 1, Buffer.concat([new Uint8Array(5), headBlock])),
        data,
        trailers,
      ],
      { fields: whole, body },
    ],
    [
      'a head with padding and a priority',
      [
        settings,
        frame(
          'headers',
          END_HEADERS | PADDED | PRIORITY,
          1,
          padded(Buffer.concat([new Uint8Array(5), headBlock]), 3),
        ),
        data,
        trailers,
      ],
      { fields: whole, body },
    ],
    [
      'data with padding',
      [settings, head, frame('data', PADDED, 1, padded(message, 200)), trailers],
      { fields: whole, body },
    ],
    [
      'data with padding of no bytes',
      [settings, head, frame('data', PADDED, 1, padded(message, 0)), trailers],
      { fields: whole, body },
    ],
    [
      'interim heads',
      [
        settings,
        frame('headers', END_HEADERS, 1, fields({ ':status': '100' })),
        frame('headers', END_HEADERS, 1, fields({ ':status': '103', 'x-b': '2' })),
        head,
        data,
        trailers,
      ],
      { fields: whole, body },
    ],
    ['nothing yet', [settings], { replies: hex(ack) }],
    ['half a frame', [settings, head, data.subarray(0, 11)], { replies: hex(ack) }],
    ['settings twice', [settings, settings], { replies: hex(ack, ack) }],
    ['settings acknowledged', [settings, ack], { replies: hex(ack) }],
    [
      'a PING',
      [settings, frame('ping', 0, 0, uint32(1, 2))],
      { replies: hex(ack, frame('ping', 1, 0, uint32(1, 2))) },
    ],
    ['a PING acknowledged', [settings, frame('ping', 1, 0, uint32(1, 2))], { replies: hex(ack) }],
    [
      'GOAWAY that takes the call',
      [settings, frame('goaway', 0, 0, uint32(1, 0)), head, data, trailers],
      { fields: whole, body },
    ],
    [
      'GOAWAY that takes all calls',
      [settings, frame('goaway', 0, 0, uint32(0x7fffffff, 0)), head, data, trailers],
      { fields: whole, body },
    ],
    ['GOAWAY that leaves the call out', [settings, frame('goaway', 0, 0, uint32(0, 0))], goaway],
    ['GOAWAY with an error', [settings, frame('goaway', 0, 0, uint32(1, 11))], goaway],
    ['GOAWAY without a word', [settings, frame('goaway', 0, 0)], goaway],
    [
      'RST_STREAM',
      [settings, frame('rstStream', 0, 1, uint32(7))],
      { broken: 'HTTP/2 stream reset' },
    ],
    ['RST_STREAM of another stream', [settings, frame('rstStream', 0, 3, uint32(7))], malformed],
    ['an acknowledgement in front', [ack, settings], malformed],
    ['a head in front', [head], malformed],
    ['a PING of seven bytes', [settings, frame('ping', 0, 0, new Uint8Array(7))], malformed],
    ['a push', [settings, frame('pushPromise', END_HEADERS, 1, uint32(2))], malformed],
    [
      'a head of another stream',
      [settings, frame('headers', END_HEADERS, 2, headBlock)],
      malformed,
    ],
    ['data of another stream', [settings, head, frame('data', 0, 3, message)], malformed],
    ['data before the head', [settings, data], malformed],
    ['data inside a head', [settings, frame('headers', 0, 1, headBlock), data], malformed],
    ['a head inside a head', [settings, frame('headers', 0, 1, headBlock), head], malformed],
    ['a continuation of nothing', [settings, frame('continuation', END_HEADERS, 1)], malformed],
    [
      'a continuation of another stream',
      [settings, frame('headers', 0, 1, headBlock), frame('continuation', END_HEADERS, 3)],
      malformed,
    ],
    [
      'more padding than there is',
      [settings, head, frame('data', PADDED, 1, Uint8Array.of(3, 0, 0))],
      malformed,
    ],
    ['padding without a length', [settings, head, frame('data', PADDED, 1)], malformed],
    [
      'a priority that is cut off',
      [settings, frame('headers', END_HEADERS | PRIORITY, 1, new Uint8Array(4))],
      malformed,
    ],
    [
      'a head that is no HPACK',
      [settings, frame('headers', END_HEADERS, 1, Uint8Array.of(0x80))],
      malformed,
    ],
    [
      'an interim head that ends the stream',
      [settings, frame('headers', END_HEADERS | END, 1, fields({ ':status': '100' }))],
      { fields: { ':status': '100' }, body: '' },
    ],
    ['HTTP/1.1', [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')], malformed],
  ])('%s reads the same', (_sentence, frames, said) => {
    expect(read(frames, size)).toEqual(said)
  })
})

describe('at the bounds', () => {
  const tooLarge = { broken: 'gRPC response too large' }
  const tooMany = { broken: 'too many HTTP/2 frames' }
  const headTooLarge = { broken: 'response header too large' }
  const ping = frame('ping', 1, 0, new Uint8Array(8))
  const block = Buffer.concat([headBlock, Uint8Array.of(0, 1, 0x62, 127, 0x80 | 0x01, 0x7e)]) // b: 16,256 bytes
  const filler = (bytes: number) => frame('continuation', 0, 1, new Uint8Array(bytes).fill(0x78))
  test.each<[sentence: string, frames: Uint8Array[], said: Said]>([
    [
      'a body of 4 KiB is read',
      [settings, head, frame('data', 0, 1, new Uint8Array(4_096)), trailers],
      { fields: whole, body: '00'.repeat(4_096) },
    ],
    [
      'a body of 4 KiB and a byte is not',
      [
        settings,
        head,
        frame('data', 0, 1, new Uint8Array(4_096)),
        frame('data', 0, 1, new Uint8Array(1)),
      ],
      tooLarge,
    ],
    [
      '500 frames are read',
      [settings, ...Array.from({ length: 496 }, () => ping), head, data, trailers],
      { fields: whole, body },
    ],
    [
      '501 frames are not',
      [settings, ...Array.from({ length: 497 }, () => ping), head, data, trailers],
      tooMany,
    ],
    [
      'a head of 16 KiB and a byte is not',
      [settings, frame('headers', 0, 1, block), filler(16_384 - block.length + 1)],
      headTooLarge,
    ],
    [
      'a head of 16 KiB is',
      [settings, frame('headers', 0, 1, block), filler(16_384 - block.length)],
      { replies: hex(ack) },
    ],
    [
      'a frame of 16 KiB is',
      [settings, frame('headers', 0, 1), filler(16_384)],
      { replies: hex(ack) },
    ],
    [
      'a frame of 16 KiB and a byte is not, before it is there',
      [settings, frame('ping', 1, 0, new Uint8Array(16_385)).subarray(0, 9)],
      malformed,
    ],
  ])('%s', (_sentence, frames, said) => {
    expect(read(frames, 1_000_000)).toEqual(said)
  })
})

test('a call is a preface, settings without push, a head and one frame of data', () => {
  const bytes = Buffer.from(callBytes(octets(fields({ ':path': '/a' })), octets(message)))
  expect(bytes.toString('hex')).toBe(
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n').toString('hex') +
      hex(
        frame('settings', 0, 0, Uint8Array.of(0, 2, 0, 0, 0, 0)),
        frame('headers', END_HEADERS, 1, fields({ ':path': '/a' })),
        frame('data', END, 1, message),
      ),
  )
})
