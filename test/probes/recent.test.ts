// What is known of octets, and when it is forgotten.

import { expect, test } from 'bun:test'
import { ENTRIES_MAX, OCTETS_MAX, Recent } from '../../probes/recent.ts'

test('what is kept is known, and nothing else', () => {
  const recent = new Recent<number>()
  recent.keep('ab\0', 1)
  recent.keep('', 2)
  expect(['ab\0', '', 'ab', 'AB\0'].map((octets) => recent.get(octets))).toEqual([
    1,
    2,
    undefined,
    undefined,
  ])
})

test('what is too long is not kept', () => {
  const recent = new Recent<number>()
  const longest = 'x'.repeat(OCTETS_MAX)
  recent.keep(longest, 1)
  recent.keep(`${longest}x`, 2)
  expect([recent.get(longest), recent.get(`${longest}x`)]).toEqual([1, undefined])
})

test('what is one too many has all others forgotten', () => {
  const recent = new Recent<number>()
  for (let entry = 0; entry < ENTRIES_MAX; entry += 1) recent.keep(String(entry), entry)
  expect([recent.get('0'), recent.get('1')]).toEqual([0, 1])
  recent.keep('more', 1)
  expect([recent.get('0'), recent.get('1'), recent.get('more')]).toEqual([undefined, undefined, 1])
})
