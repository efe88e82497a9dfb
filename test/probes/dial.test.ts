// How an address stands in a URL or a Host header, and what comes of a talk that is broken.

import { expect, test } from 'bun:test'
import { authority, converse, type Talk } from '../../probes/dial.ts'
import type { Outcome } from '../../probes/target.ts'
import { descriptors, serve } from './asking.ts'

test.each([
  ['192.0.2.1', '192.0.2.1:80'],
  ['2001:db8::1', '[2001:db8::1]:80'],
  ['::ffff:192.0.2.1', '[::ffff:192.0.2.1]:80'],
  ['fe80::1%eth0', '[fe80::1]:80'],
])('%s stands as %s', (host, expected) => {
  expect(authority({ host, port: 80 })).toBe(expected)
})

const broken = () => {
  throw new TypeError('the talk is broken')
}

test.each<[name: string, talk: Talk<Outcome>]>([
  ['as it opens', { onOpen: broken, onData() {} }],
  ['at what it hears', { onOpen() {}, onData: broken }],
])('a talk that throws %s ends as a rejection, and its socket is freed', async (_, talk) => {
  using host = await serve((socket) => void socket.end('hello'))
  const said = () =>
    new Promise<unknown>((resolve) => {
      converse(host.way, talk, {
        hear: (said) => resolve(Promise.resolve(said).catch((error: unknown) => error)),
      })
    })
  await said() // what is opened once and for all is open then
  await Bun.sleep(10)
  const before = descriptors()
  expect(await said()).toBeInstanceOf(TypeError)
  await Bun.sleep(10)
  expect(descriptors()).toBeLessThanOrEqual(before)
})
