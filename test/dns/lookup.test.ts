// Look-ups of real name servers on loopback, with all their ways to err.

import { describe, expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { createLookup } from '../../dns/lookup.ts'
import { eventually } from '../integration/eventually.ts'
import { type Fault, TYPE } from './message.ts'
import { type NameServer, startNameServer } from './name-server.ts'

const NAME = 'db.example.com'
const A = '10.0.0.1'
const V6 = 'fd00::1'
/** Milliseconds in which an answer that comes at once is there, on a busy machine. */
const SOON_MS = 1_500
const TEST_MAX_MS = 20_000

const start = () => startNameServer('127.0.0.1')
const lookupBy = (...servers: readonly NameServer[]) => createLookup(() => servers)

describe('a look-up', () => {
  test('finds the addresses of both families, and how long they are good', async () => {
    using server = await start()
    server.zone.set(NAME, { a: [A], aaaa: [V6], ttl: 30 })
    expect(await lookupBy(server)(NAME)).toEqual({
      families: { ipv4: { ok: true, addresses: [A] }, ipv6: { ok: true, addresses: [V6] } },
      ttlMs: 30_000,
    })
    expect(server.questions()).toHaveLength(2)
  })

  test('finds those of one family, good for as long as they are, not as the others are not', async () => {
    using server = await start()
    server.zone.set(NAME, { a: [A], ttl: 30 })
    expect(await lookupBy(server)(NAME)).toEqual({
      families: {
        ipv4: { ok: true, addresses: [A] },
        ipv6: { ok: true, addresses: [], absence: 'no address' },
      },
      ttlMs: 30_000,
    })
  })

  test('asks anew each time: nothing is believed for longer than a look-up', async () => {
    using server = await start()
    server.zone.set(NAME, { a: [A], ttl: 3_600 })
    const lookup = lookupBy(server)
    await lookup(NAME)
    server.zone.set(NAME, { a: ['10.0.0.2'], ttl: 3_600 })
    expect(await lookup(NAME)).toMatchObject({ families: { ipv4: { addresses: ['10.0.0.2'] } } })
    expect(server.questions()).toHaveLength(4)
  })

  test('tries no search domain', async () => {
    using server = await start()
    await lookupBy(server)('db.example')
    expect(new Set(server.questions().map(({ name }) => name))).toEqual(new Set(['db.example']))
  })

  test('asks again over TCP when the answer does not fit into a datagram', async () => {
    using server = await start()
    const a = Array.from({ length: 100 }, (_, n) => `10.0.1.${n}`)
    server.zone.set(NAME, { a })
    const { families } = await lookupBy(server)(NAME)
    expect(families.ipv4).toEqual({ ok: true, addresses: a.toSorted() })
    expect(server.tcpQuestions()).toBe(1)
  })

  test('asks a name server that has an IPv6 address', async () => {
    using server = await startNameServer('::1')
    server.zone.set(NAME, { a: [A] })
    expect(await lookupBy(server)(NAME)).toMatchObject({ families: { ipv4: { addresses: [A] } } })
  })

  test('holds no socket once it has ended', async () => {
    using server = await start()
    server.zone.set(NAME, { a: Array.from({ length: 100 }, (_, n) => `10.0.1.${n}`) })
    const lookup = lookupBy(server)
    await lookup(NAME)
    const before = readdirSync('/proc/self/fd').length
    for (let turn = 0; turn < 50; turn++) await lookup(NAME)
    // A server side may be a moment behind.
    await eventually(2_000, () => {
      expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before + 5)
    })
  })
})

describe('a look-up of the only name server there is', () => {
  const rows: readonly [fault: Fault, reason: string, isSoon: boolean][] = [
    ['SERVFAIL', 'SERVFAIL', true],
    ['REFUSED', 'REFUSED', true],
    ['FORMERR', 'FORMERR', true],
    ['referral', 'lame answer', true],
    ['empty', 'lame answer', true],
    ['cut short', 'malformed answer', true],
    ['silent', 'timeout', false],
    ['garbage', 'timeout', false],
    ['forged', 'timeout', false],
    ['astray', 'timeout', false],
  ]
  for (const [fault, reason, isSoon] of rows) {
    test.concurrent(
      `which errs (${fault}) says so: ${reason}`,
      async () => {
        using server = await start()
        server.zone.set(NAME, { a: [A], aaaa: [V6] })
        server.fault = fault
        const fromMs = performance.now()
        const failed = { ok: false, reason } as const
        expect(await lookupBy(server)(NAME)).toEqual({
          families: { ipv4: failed, ipv6: failed },
          ttlMs: 0,
        })
        const ms = performance.now() - fromMs
        if (isSoon) expect(ms).toBeLessThan(SOON_MS)
        else expect(ms).toBeGreaterThan(3_900)
        // A datagram may be lost, so silence is asked twice.
        expect(server.questions()).toHaveLength(isSoon ? 2 : 4)
      },
      TEST_MAX_MS,
    )
  }

  test('which is dead says so at once', async () => {
    using server = await start()
    server.kill()
    const fromMs = performance.now()
    const { families } = await lookupBy(server)(NAME)
    expect(families.ipv4).toEqual({ ok: false, reason: 'ECONNREFUSED' })
    expect(performance.now() - fromMs).toBeLessThan(SOON_MS)
  })

  test('ends soon when it is told to stop', async () => {
    using server = await start()
    server.fault = 'silent'
    const stop = new AbortController()
    const fromMs = performance.now()
    setTimeout(() => stop.abort(), 50)
    await lookupBy(server)(NAME, stop.signal)
    expect(performance.now() - fromMs).toBeLessThan(SOON_MS)
  })
})

test('a family that a name server cannot be asked for costs nothing of the other', async () => {
  using server = await start()
  server.zone.set(NAME, { a: [A], ttl: 9 })
  server.fault = 'SERVFAIL'
  server.faultyType = TYPE.aaaa
  expect(await lookupBy(server)(NAME)).toEqual({
    families: { ipv4: { ok: true, addresses: [A] }, ipv6: { ok: false, reason: 'SERVFAIL' } },
    ttlMs: 9_000,
  })
})

describe('a look-up of two name servers', () => {
  for (const fault of ['SERVFAIL', 'REFUSED', 'referral', 'empty', 'silent'] as const) {
    test.concurrent(
      `goes on to the second where the first errs (${fault}), and begins with that one from then on`,
      async () => {
        using first = await start()
        using second = await start()
        first.fault = fault
        second.zone.set(NAME, { a: [A] })
        const lookup = lookupBy(first, second)
        expect(await lookup(NAME)).toMatchObject({ families: { ipv4: { addresses: [A] } } })
        const asked = first.questions().length
        const fromMs = performance.now()
        expect(await lookup(NAME)).toMatchObject({ families: { ipv4: { addresses: [A] } } })
        expect(performance.now() - fromMs).toBeLessThan(SOON_MS)
        expect(first.questions()).toHaveLength(asked)
      },
      TEST_MAX_MS,
    )
  }

  test('believes the first when it says that there is none', async () => {
    using first = await start()
    using second = await start()
    second.zone.set(NAME, { a: [A] })
    const none = { ok: true, addresses: [], absence: 'NXDOMAIN' } as const
    expect(await lookupBy(first, second)(NAME)).toMatchObject({
      families: { ipv4: none, ipv6: none },
    })
    expect(second.questions()).toEqual([])
  })
})
