import { describe, expect, test } from 'bun:test'
import { type Health, seed } from '../../probes/health.ts'
import { dueAfterStallMs, nextDueMs, phaseOf } from '../../probes/schedule.ts'

const rhythm = { periodMs: 10_000, fastPeriodMs: 1_000 }
const settled: Health = { ...seed('healthy', 0, ''), last: 'ok', run: 1 }
const settledOut: Health = { ...seed('unhealthy', 0, ''), last: 'failed', run: 3 }
const doubted: Health = { ...settled, last: 'failed' }
const unheard = seed('healthy', 0, '')

describe('nextDueMs() of a settled target', () => {
  // phase 0.25 of 10 s: due at 2,500, 12,500, 22,500, ...
  const rows = [
    { nowMs: 0, dueMs: 2_500 },
    { nowMs: 2_499, dueMs: 2_500 },
    { nowMs: 2_500, dueMs: 12_500 },
    { nowMs: 2_501, dueMs: 12_500 },
    { nowMs: 12_499, dueMs: 12_500 },
    { nowMs: 1e12, dueMs: 1e12 + 2_500 },
  ]
  for (const health of [settled, settledOut]) {
    for (const { nowMs, dueMs } of rows) {
      test(`(${health.verdict}) at ${nowMs} is its own place in the period, ${dueMs}`, () => {
        expect(nextDueMs(rhythm, 0.25, health, nowMs - 5, nowMs)).toBe(dueMs)
      })
    }
  }

  test('does not depend on how long the attempt took', () => {
    for (const startMs of [0, 5_000, 9_000]) {
      expect(nextDueMs(rhythm, 0.25, settled, startMs, 9_000)).toBe(12_500)
    }
  })
})

describe('nextDueMs() of a target in doubt', () => {
  const rows = [
    { name: 'one fast period after the start', startMs: 1_000, nowMs: 1_005, dueMs: 2_000 },
    { name: 'at once after an attempt just as long', startMs: 1_000, nowMs: 2_000, dueMs: 2_000 },
    {
      name: 'at once after an attempt that was longer',
      startMs: 1_000,
      nowMs: 4_000,
      dueMs: 4_000,
    },
    { name: 'one fast period after a long one', startMs: 1_000, nowMs: 1_999, dueMs: 2_000 },
  ]
  for (const health of [doubted, unheard]) {
    for (const { name, startMs, nowMs, dueMs } of rows) {
      test(`(last ${health.last ?? 'unknown'}) is ${name}`, () => {
        expect(nextDueMs(rhythm, 0.25, health, startMs, nowMs)).toBe(dueMs)
      })
    }
  }
})

test('nextDueMs() is never in the past and never later than a period from now', () => {
  for (const health of [settled, settledOut, doubted, unheard]) {
    for (let step = 0; step < 2_000; step++) {
      const phase = (step * 0.618) % 1
      const nowMs = 1_000_003 + step * 777.77
      const dueMs = nextDueMs(rhythm, phase, health, nowMs - (step % 5_000), nowMs)
      expect(dueMs).toBeGreaterThanOrEqual(nowMs)
      expect(dueMs).toBeLessThanOrEqual(nowMs + rhythm.periodMs)
    }
  }
})

test('dueAfterStallMs() spreads missed targets over their period, and those in doubt over the fast one', () => {
  const nowMs = 1_000_003
  for (const [health, spreadMs] of [
    [settled, rhythm.periodMs],
    [settledOut, rhythm.periodMs],
    [doubted, rhythm.fastPeriodMs],
    [unheard, rhythm.fastPeriodMs],
  ] as const) {
    const tenths = new Array<number>(10).fill(0)
    for (let index = 0; index < 1_000; index++) {
      const dueMs = dueAfterStallMs(rhythm, index / 1_000, health, nowMs)
      expect(dueMs).toBeGreaterThan(nowMs)
      expect(dueMs).toBeLessThanOrEqual(nowMs + spreadMs)
      const tenth = Math.min(9, Math.floor(((dueMs - nowMs) / spreadMs) * 10))
      tenths[tenth] = (tenths[tenth] ?? 0) + 1
    }
    for (const count of tenths) expect(Math.abs(count - 100)).toBeLessThanOrEqual(2)
  }
})

describe('phaseOf()', () => {
  test('is the same for the same id', () => {
    expect(phaseOf('default/wordpress/wp/TCP/80')).toBe(phaseOf('default/wordpress/wp/TCP/80'))
  })

  test('is known for a known id, so that a new version spreads as the old one did', () => {
    // xxHash32 of nothing is 0x02cc5d05, by its specification.
    expect(phaseOf('')).toBe(0x02cc5d05 / 2 ** 32)
  })

  const families = {
    'hosts of one port': (index: number) =>
      `default/wordpress/wp-https/TCP/38081/443/10.33.${index >> 8}.${index & 255}`,
    'resources of one host': (index: number) => `default/cep-${index}/web/TCP/80/80/10.0.0.1`,
    'IPv6 hosts': (index: number) => `a/b/web/TCP/80/80/fd00::${index.toString(16)}`,
    numbers: (index: number) => String(index),
  }
  for (const [name, idOf] of Object.entries(families)) {
    test(`spreads ten thousand ${name} evenly from 0 up to 1`, () => {
      const hundredths = new Array<number>(100).fill(0)
      for (let index = 0; index < 10_000; index++) {
        const phase = phaseOf(idOf(index))
        expect(phase >= 0 && phase < 1).toBe(true)
        const hundredth = Math.floor(phase * 100)
        hundredths[hundredth] = (hundredths[hundredth] ?? 0) + 1
      }
      // 100 in each; chance has a standard deviation of 10, and five of them are one in a million.
      expect(Math.max(...hundredths)).toBeLessThan(150)
      expect(Math.min(...hundredths)).toBeGreaterThan(50)
    })
  }
})
