// How long is waited after failures, and what cuts a wait short.

import { describe, expect, test } from 'bun:test'
import { backOff, backoffMs, mayPassAnyMoment, pause } from '../../k8s/backoff.ts'
import { ApiError, NetworkError } from '../../k8s/errors.ts'

const never = new AbortController().signal

function answer(status: number, retryAfterMs?: number): ApiError {
  return new ApiError(status, 'Because', 'message', retryAfterMs)
}

describe('backoffMs()', () => {
  const exponential: readonly (readonly [failures: number, leastMs: number])[] = [
    [1, 800],
    [2, 1_600],
    [3, 3_200],
    [4, 6_400],
    [5, 12_800],
    [6, 25_600],
    [7, 30_000],
    [8, 30_000],
    [1_000, 30_000],
    [Number.MAX_SAFE_INTEGER, 30_000],
  ]
  for (const [failures, leastMs] of exponential) {
    test(`is from ${leastMs} ms to twice that after failure ${failures}`, () => {
      expect(backoffMs(failures, undefined, 0)).toBe(leastMs)
      expect(backoffMs(failures, undefined, 0.5)).toBe(leastMs * 1.5)
      expect(backoffMs(failures, undefined, 0.999_999)).toBeLessThan(leastMs * 2)
    })
  }

  test('differs from wait to wait, so that replicas do not ask in step', () => {
    expect(new Set(Array.from({ length: 50 }, () => backoffMs(1))).size).toBeGreaterThan(40)
  })

  const asked: readonly (readonly [name: string, failures: number, error: unknown, ms: number])[] =
    [
      ['a Retry-After that is longer', 1, answer(429, 7_000), 7_000],
      ['its own wait where Retry-After is shorter', 3, answer(429, 1_000), 3_200],
      ['its own wait for Retry-After: 0', 1, answer(503, 0), 800],
      ['its own wait without Retry-After', 1, answer(429), 800],
      ['its own wait for what is no answer', 1, new NetworkError('reset'), 800],
      ['its own wait for what is no error', 1, 'thrown', 800],
    ]
  for (const [name, failures, error, ms] of asked) {
    test(`waits ${name}`, () => expect(backoffMs(failures, error, 0)).toBe(ms))
  }
})

describe('mayPassAnyMoment()', () => {
  const cases: readonly (readonly [name: string, error: unknown, isSo: boolean])[] = [
    ['no answer', new NetworkError('refused'), true],
    ['500', answer(500), true],
    ['504', answer(504), true],
    ['401', answer(401), true],
    ['403', answer(403), true],
    ['503 with Retry-After', answer(503, 1_000), true],
    ['499', answer(499), false],
    ['429', answer(429), true],
    ['404', answer(404), false],
    ['410', answer(410), false],
    ['anything else', new Error('bug'), false],
  ]
  for (const [name, error, isSo] of cases) {
    test(`${isSo ? 'holds' : 'does not hold'} for ${name}`, () =>
      expect(mayPassAnyMoment(error)).toBe(isSo))
  }
})

/** Milliseconds that `waiting` took. */
async function took(waiting: Promise<void>): Promise<number> {
  const startMs = performance.now()
  await waiting
  return performance.now() - startMs
}

const unreachable = { whenReachable: () => new Promise<void>(() => {}) }
const reachable = { whenReachable: async () => {} }

describe('backOff()', () => {
  test('goes on when the API server is back, but never within the first wait', async () => {
    const ms = await took(backOff(9, new NetworkError('refused'), reachable, never))
    expect(ms).toBeGreaterThanOrEqual(790)
    expect(ms).toBeLessThan(5_000)
  })

  test('does not miss that the API server came back within the first wait', async () => {
    const asked: (() => void)[] = []
    const whenReachable = () => new Promise<void>((resolve) => asked.push(resolve))
    const waiting = took(backOff(9, new NetworkError('refused'), { whenReachable }, never))
    setTimeout(
      () =>
        asked.forEach((goOn) => {
          goOn()
        }),
      100,
    )
    expect(await waiting).toBeWithin(790, 5_000)
  })

  test('waits at least as long as it is asked to, although the API server is back before', async () => {
    const ms = await took(backOff(9, answer(429, 1_700), reachable, never))
    expect(ms).toBeGreaterThanOrEqual(1_690)
    expect(ms).toBeLessThan(5_000)
  })

  test('waits its time where the API server stays away', async () => {
    const ms = await took(backOff(1, new NetworkError('refused'), unreachable, never))
    expect(ms).toBeGreaterThanOrEqual(790)
    expect(ms).toBeLessThan(5_000)
  })

  for (const error of [new NetworkError('refused'), answer(429, 60_000), answer(404)]) {
    test(`ends at once when it is told to, after ${error.name} ${error.message}`, async () => {
      const stop = new AbortController()
      setTimeout(() => stop.abort(), 30)
      expect(await took(backOff(9, error, unreachable, stop.signal))).toBeLessThan(700)
    })
  }

  test('leaves no listener on the signal behind', async () => {
    const stop = new AbortController()
    let listeners = 0
    const add = stop.signal.addEventListener.bind(stop.signal)
    const remove = stop.signal.removeEventListener.bind(stop.signal)
    stop.signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++
      add(...args)
    }
    stop.signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--
      remove(...args)
    }
    await pause(1, stop.signal)
    expect(listeners).toBe(0)
  })
})

describe('pause()', () => {
  for (const ms of [0, -1, Number.NEGATIVE_INFINITY]) {
    test(`returns at once for ${ms}`, async () =>
      expect(await took(pause(ms, never))).toBeLessThan(500))
  }
  test('returns at once when the signal aborted before', async () =>
    expect(await took(pause(60_000, AbortSignal.abort()))).toBeLessThan(500))
  test('never rejects, even for a signal that aborts with an error', async () => {
    const stop = new AbortController()
    setTimeout(() => stop.abort(new Error('stopping')), 10)
    await pause(60_000, stop.signal)
  })
})
