// Bytes as text and back.

import { expect, test } from 'bun:test'
import { bytesOf, octets, uint32 } from '../../probes/octets.ts'

const all = Uint8Array.from({ length: 256 }, (_, byte) => byte)

test.each<[sentence: string, bytes: Uint8Array]>([
  ['an array', all],
  ['a part of an array', Uint8Array.from([1, 2, ...all, 3]).subarray(2, 258)],
  ['a Buffer', Buffer.from(all)],
  ['a part of a Buffer', Buffer.from([1, 2, ...all, 3]).subarray(2, 258)],
])('every byte of %s becomes one character, and a byte again', (_sentence, bytes) => {
  const text = octets(bytes)
  expect([...text].map((character) => character.charCodeAt(0))).toEqual([...all])
  expect([...bytesOf(text)]).toEqual([...all])
})

test('no bytes are no text', () => {
  expect(octets(new Uint8Array())).toBe('')
})

test.each([0, 1, 0x7fffffff, 0x80000000, 0xfffefdfc])('%d is read from four octets', (number) => {
  const bytes = Buffer.alloc(6)
  bytes.writeUInt32BE(number, 1)
  expect(uint32(octets(bytes), 1)).toBe(number)
})
