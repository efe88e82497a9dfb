// The reader of answers, without a network: it must not matter how the bytes were cut.

import { describe, expect, test } from 'bun:test'
import { type Reading, ResponseReader } from '../../probes/http-response.ts'

/** What the reader says after all of `text`, given in pieces of `size` bytes. */
function read(text: string, size: number): Reading {
  const reader = new ResponseReader()
  let reading: Reading = { state: 'head' }
  for (let at = 0; at < text.length; at += size) {
    reading = reader.read(text.slice(at, at + size))
    if (reading.state === 'end' || reading.state === 'broken') break
  }
  return reading
}

const head = (status: number, location?: string) => ({ status, location })
const broken = (reason: string): Reading => ({ state: 'broken', reason })

describe.each([1, 2, 3, 7, 4_096, 1_000_000])('cut into pieces of %d bytes', (size) => {
  test.each<[sentence: string, text: string, reading: Reading]>([
    ['half a status line', 'HTTP/1.1 20', { state: 'head' }],
    ['half a head', 'HTTP/1.1 200 OK\r\nA: b\r\n', { state: 'head' }],
    ['a head', 'HTTP/1.1 200 OK\r\n\r\n', { state: 'body', head: head(200) }],
    [
      'a head with bare line feeds',
      'HTTP/1.1 200 OK\nA: b\n\n',
      { state: 'body', head: head(200) },
    ],
    ['an interim head', 'HTTP/1.1 100 Continue\r\n\r\n', { state: 'head' }],
    [
      'two heads',
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 X\r\n\r\n',
      { state: 'body', head: head(503) },
    ],
    ['101, which is final', 'HTTP/1.1 101 X\r\n\r\n', { state: 'body', head: head(101) }],
    [
      'a whole body',
      'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc',
      { state: 'end', head: head(200) },
    ],
    [
      'a body that lacks one byte',
      'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab',
      { state: 'body', head: head(200) },
    ],
    ['no body', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', { state: 'end', head: head(200) }],
    ['204, which has none', 'HTTP/1.1 204 X\r\n\r\n', { state: 'end', head: head(204) }],
    [
      '304, which has none',
      'HTTP/1.1 304 X\r\nContent-Length: 3\r\n\r\n',
      { state: 'end', head: head(304) },
    ],
    [
      'the last chunk',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
      { state: 'end', head: head(200) },
    ],
    [
      'chunks before the last',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n',
      { state: 'body', head: head(200) },
    ],
    [
      'a length that is none',
      'HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabc',
      { state: 'body', head: head(200) },
    ],
    [
      '10,239 bytes of a longer body',
      `HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n${'x'.repeat(10_239)}`,
      { state: 'body', head: head(200) },
    ],
    [
      '10 KiB of a longer body',
      `HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n${'x'.repeat(10_240)}`,
      { state: 'end', head: head(200) },
    ],
    [
      'a Location',
      'HTTP/1.1 302 X\r\nlocation:  /a \r\nLocation: /b\r\nContent-Length: 0\r\n\r\n',
      { state: 'end', head: head(302, '/a') },
    ],
    [
      'a Location in UTF-8',
      'HTTP/1.1 302 X\r\nLocation: /\xc3\xbc\r\nContent-Length: 0\r\n\r\n',
      { state: 'end', head: head(302, '/ü') },
    ],
    [
      'an empty Location',
      'HTTP/1.1 302 X\r\nLocation: \r\nContent-Length: 0\r\n\r\n',
      { state: 'end', head: head(302) },
    ],
    [
      'a head of 64 KiB',
      `HTTP/1.1 200 OK\r\nA: ${'x'.repeat(65_536 - 24)}\r\n\r\n`,
      { state: 'body', head: head(200) },
    ],
    [
      'a head of 64 KiB and a byte',
      `HTTP/1.1 200 OK\r\nA: ${'x'.repeat(65_537 - 24)}\r\n\r\n`,
      broken('response header too large'),
    ],
    [
      'a line that goes on in the next',
      'HTTP/1.1 200 OK\r\nA: b\r\n\tContent-Length: 9\r\nContent-Length: 0\r\n\r\n',
      { state: 'end', head: head(200) },
    ],
    [
      'a lone carriage return, which ends no line',
      'HTTP/1.1 200 OK\r\nA: b\rContent-Length: 0\r\n\r\n',
      { state: 'body', head: head(200) },
    ],
    [
      'a space before the colon',
      'HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n',
      { state: 'end', head: head(200) },
    ],
    [
      'a first header line that goes on from nothing',
      'HTTP/1.1 200 OK\r\n A: b\r\n\r\n',
      broken('malformed HTTP response'),
    ],
    [
      'lengths that differ',
      'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n',
      { state: 'end', head: head(200) },
    ],
    ['a status of two digits', 'HTTP/1.1 20\r\n\r\n', broken('malformed HTTP response')],
    ['a first byte that is wrong', 'h', broken('malformed HTTP response')],
    ['a fifth byte that is wrong', 'HTTPS', broken('malformed HTTP response')],
    [
      'a wrong line behind a right one',
      'HTTP/1.1 200 OK\r\nno colon\r\n\r\n',
      broken('malformed HTTP response'),
    ],
    ['a wrong second head', 'HTTP/1.1 100 X\r\n\r\nhello', broken('malformed HTTP response')],
  ])('%s reads the same', (_sentence, text, reading) => {
    expect(read(text, size)).toEqual(reading)
  })
})

test('a head says no word of the body until it is over', () => {
  const reader = new ResponseReader()
  expect(reader.read('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab').state).toBe('body')
  expect(reader.read('c').state).toBe('body')
  expect(reader.read('d').state).toBe('end')
})
