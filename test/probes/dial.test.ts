// How an address stands in a URL or a Host header.

import { expect, test } from 'bun:test'
import { authority } from '../../probes/dial.ts'

test.each([
  ['192.0.2.1', '192.0.2.1:80'],
  ['2001:db8::1', '[2001:db8::1]:80'],
  ['::ffff:192.0.2.1', '[::ffff:192.0.2.1]:80'],
  ['fe80::1%eth0', '[fe80::1]:80'],
])('%s stands as %s', (host, expected) => {
  expect(authority({ host, port: 80 })).toBe(expected)
})
