// When names are asked: as their TTL ends, sooner when it is urgent, never too many at once.

import { afterAll, describe, expect, test } from 'bun:test'
import type { Answer } from '../../dns/lookup.ts'
import { createResolver, type Resolver } from '../../dns/resolver.ts'
import { eventually, throughout } from '../integration/eventually.ts'
import { addresses, failing } from './answers.ts'

const resolvers: Resolver[] = []
afterAll(() => {
  for (const resolver of resolvers.splice(0)) resolver.close()
})

/** A resolver whose look-ups the test answers; `answer` says how, at once unless it is pending. */
function asked(answer: (name: string) => Answer | Promise<Answer>) {
  const asks: { readonly name: string; readonly atMs: number }[] = []
  let running = 0
  let most = 0
  const resolver = createResolver(async (name) => {
    asks.push({ name, atMs: performance.now() })
    most = Math.max(most, ++running)
    try {
      return await answer(name)
    } finally {
      running--
    }
  })
  resolvers.push(resolver)
  const gapMs = (name: string, index = 0) => {
    const own = asks.filter((ask) => ask.name === name)
    return (own[index + 1]?.atMs ?? Number.NaN) - (own[index]?.atMs ?? Number.NaN)
  }
  return { resolver, asks, gapMs, most: () => most }
}

const withTtl = (seconds: number): Answer => ({ ...addresses('10.0.0.1'), ttlMs: seconds * 1_000 })
const never = new Promise<Answer>(() => {})

describe.concurrent('a name', () => {
  test('is asked at once, and its answer told', async () => {
    const { resolver } = asked(() => withTtl(60))
    const answers: Answer[] = []
    resolver.watch('a.test', (answer) => answers.push(answer))
    await eventually(1_000, () => expect(answers).toEqual([withTtl(60)]))
  })

  test('is asked again when its TTL ends, not before', async () => {
    const { resolver, asks, gapMs } = asked(() => withTtl(6))
    resolver.watch('a.test', () => {})
    await eventually(9_000, () => expect(asks).toHaveLength(2))
    expect(gapMs('a.test')).toBeGreaterThanOrEqual(6_000)
    expect(gapMs('a.test')).toBeLessThan(8_000)
  }, 15_000)

  for (const [what, answer] of [
    ['a TTL of no time', withTtl(0)],
    ['a failure', failing()],
  ] as const) {
    test(`is asked again after five seconds for ${what}`, async () => {
      const { resolver, asks, gapMs } = asked(() => answer)
      resolver.watch('a.test', () => {})
      await eventually(8_000, () => expect(asks).toHaveLength(2))
      expect(gapMs('a.test')).toBeGreaterThanOrEqual(5_000)
      expect(gapMs('a.test')).toBeLessThan(7_000)
    }, 15_000)
  }

  test('that is urgent is asked after five seconds, whatever its TTL says', async () => {
    const { resolver, asks, gapMs } = asked(() => withTtl(60))
    const watch = resolver.watch('a.test', () => {})
    await eventually(1_000, () => expect(asks).toHaveLength(1))
    watch.urge(true)
    await eventually(13_000, () => expect(asks).toHaveLength(3))
    for (const index of [0, 1]) {
      expect(gapMs('a.test', index)).toBeGreaterThanOrEqual(4_900)
      expect(gapMs('a.test', index)).toBeLessThan(7_000)
    }
  }, 20_000)

  test('with two listeners is asked for both, and for the second at once if the answer is good', async () => {
    const { resolver, asks } = asked(() => withTtl(60))
    const told: string[] = []
    expect(resolver.watch('a.test', () => told.push('first')).known).toBeUndefined()
    await eventually(1_000, () => expect(told).toEqual(['first']))
    const second = resolver.watch('a.test', () => told.push('second'))
    expect(second.known).toEqual(withTtl(60))
    expect(asks).toHaveLength(1)
  })

  test('that nobody watches any more is forgotten, and what comes is told nobody', async () => {
    const { promise, resolve } = Promise.withResolvers<Answer>()
    const { resolver, asks } = asked(() => promise)
    let told = 0
    const watch = resolver.watch('a.test', () => told++)
    await eventually(1_000, () => expect(asks).toHaveLength(1))
    watch.stop()
    resolve(withTtl(0))
    await throughout(300, () => expect(told).toBe(0))
    expect(resolver.stats()).toMatchObject({ names: 0, inFlight: 0 })
  })
})

describe.concurrent('many names', () => {
  test('are asked 128 at once, at most', async () => {
    const { resolver, asks, most } = asked(() => never)
    for (let n = 0; n < 500; n++) resolver.watch(`${n}.test`, () => {})
    await eventually(2_000, () => expect(asks).toHaveLength(128))
    await throughout(500, () => expect(most()).toBe(128))
    expect(resolver.stats()).toMatchObject({ names: 500, inFlight: 128 })
  })

  test('are asked 500 in a second, at most', async () => {
    const { resolver, asks } = asked(() => withTtl(60))
    const fromMs = performance.now()
    for (let n = 0; n < 2_000; n++) resolver.watch(`${n}.test`, () => {})
    await eventually(20_000, () => expect(asks).toHaveLength(2_000))
    expect(performance.now() - fromMs).toBeGreaterThan(3_500)
  }, 30_000)

  test('that fail leave most of the places to the others', async () => {
    const isSilent = (name: string) => name.startsWith('silent')
    let round = 0
    // Silent names fail first, so that they are known for it, and hang from then on.
    const { resolver } = asked((name) => {
      if (!isSilent(name)) return withTtl(60)
      return round === 0 ? failing() : never
    })
    for (let n = 0; n < 100; n++) resolver.watch(`silent-${n}.test`, () => {})
    await eventually(3_000, () => expect(resolver.stats().failing).toBe(100))
    round = 1
    await eventually(9_000, () => expect(resolver.stats().inFlight).toBe(32))
    const fromMs = performance.now()
    let told = 0
    for (let n = 0; n < 100; n++) resolver.watch(`well-${n}.test`, () => told++)
    await eventually(3_000, () => expect(told).toBe(100))
    expect(performance.now() - fromMs).toBeLessThan(2_000)
  }, 20_000)
})
