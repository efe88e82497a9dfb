// Work by key: coalesced, never twice at once, bounded, and each wish kept.

import { describe, expect, test } from 'bun:test'
import { createWorkQueue, type WorkQueue } from '../../k8s/queue.ts'
import { eventually, throughout } from '../integration/eventually.ts'
import { createRandom, SEED } from '../random.ts'

type Run = { readonly key: string; readonly atMs: number; readonly end: () => void }

/** A queue whose work lasts until the test ends it, and what it did. */
function watched(concurrency: number) {
  const runs: Run[] = []
  const running = new Map<string, number>()
  let mostAtOnce = 0
  let overlaps = 0
  const queue: WorkQueue = createWorkQueue({
    concurrency,
    work: async (key) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      const others = running.get(key) ?? 0
      if (others > 0) overlaps++
      running.set(key, others + 1)
      mostAtOnce = Math.max(
        mostAtOnce,
        [...running.values()].reduce((sum, n) => sum + n, 0),
      )
      runs.push({ key, atMs: performance.now(), end: resolve })
      await promise
      running.set(key, (running.get(key) ?? 1) - 1)
    },
  })
  const keys = () => runs.map(({ key }) => key)
  return { queue, runs, keys, mostAtOnce: () => mostAtOnce, overlaps: () => overlaps }
}

/** A queue whose work is done at once, and the keys it was done for. */
function instant(concurrency: number) {
  const done: { readonly key: string; readonly atMs: number }[] = []
  const queue = createWorkQueue({
    concurrency,
    work: async (key) => void done.push({ key, atMs: performance.now() }),
  })
  return { queue, done }
}

/** Everything marked so far has been worked on. */
async function settled(queue: WorkQueue): Promise<void> {
  await eventually(5_000, () => expect(queue.stats()).toEqual({ pending: 0, running: 0 }))
}

describe('mark()', () => {
  test('makes one piece of work of a thousand marks within a moment', async () => {
    const { queue, done } = instant(4)
    for (let n = 0; n < 1_000; n++) queue.mark('a')
    await settled(queue)
    expect(done).toHaveLength(1)
  })

  test('waits 50 ms for more marks, and not for ever while they keep coming', async () => {
    const { queue, done } = instant(4)
    const startMs = performance.now()
    while (done.length === 0 && performance.now() - startMs < 5_000) {
      queue.mark('a')
      await Bun.sleep(5)
    }
    expect((done[0]?.atMs ?? 0) - startMs).toBeGreaterThanOrEqual(45)
    expect((done[0]?.atMs ?? 0) - startMs).toBeLessThan(1_000)
  })

  test('with 0 begins in the next moment', async () => {
    const { queue, done } = instant(4)
    const startMs = performance.now()
    queue.mark('a', 0)
    expect(done).toEqual([])
    await settled(queue)
    expect((done[0]?.atMs ?? 0) - startMs).toBeLessThan(500)
  })

  const wishes = [
    { name: 'an earlier wish stands against a later one', delays: [100, 60_000] },
    { name: 'an earlier wish wins over one made before', delays: [60_000, 100] },
  ]
  for (const { name, delays } of wishes) {
    test(name, async () => {
      const { queue, done } = instant(4)
      const startMs = performance.now()
      for (const delay of delays) queue.mark('a', delay)
      await settled(queue)
      expect(done).toHaveLength(1)
      expect((done[0]?.atMs ?? 0) - startMs).toBeGreaterThanOrEqual(95)
    })
  }

  test('keeps to a delay longer than it sleeps at once', async () => {
    const { queue, done } = instant(4)
    const startMs = performance.now()
    queue.mark('a', 1_300)
    queue.mark('b', 20)
    await settled(queue)
    expect(done.map(({ key }) => key)).toEqual(['b', 'a'])
    expect((done[1]?.atMs ?? 0) - startMs).toBeGreaterThanOrEqual(1_290)
  })

  test('during the work means the work once more, after it', async () => {
    const { queue, runs, keys, overlaps } = watched(4)
    queue.mark('a', 0)
    await eventually(1_000, () => expect(runs).toHaveLength(1))
    for (let n = 0; n < 10; n++) queue.mark('a', 0)
    await throughout(150, () => expect(runs).toHaveLength(1))
    runs[0]?.end()
    await eventually(1_000, () => expect(keys()).toEqual(['a', 'a']))
    runs[1]?.end()
    await settled(queue)
    expect(overlaps()).toBe(0)
  })

  test('by the work itself comes after its delay, not before', async () => {
    const times: number[] = []
    const queue = createWorkQueue({
      concurrency: 1,
      work: async (key) => {
        times.push(performance.now())
        if (times.length === 1) queue.mark(key, 300)
      },
    })
    queue.mark('a', 0)
    await eventually(2_000, () => expect(times).toHaveLength(2))
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(295)
    await settled(queue)
  })

  test('a backoff is kept by a key that was marked again while it waited for its turn', async () => {
    const times: number[] = []
    const first = Promise.withResolvers<void>()
    const queue = createWorkQueue({
      concurrency: 1,
      work: async (key) => {
        if (key === 'first') await first.promise
        else times.push(performance.now())
        if (times.length === 1) queue.mark(key, 400)
      },
    })
    queue.mark('first', 0)
    await eventually(1_000, () => expect(queue.stats().running).toBe(1))
    for (let round = 0; round < 5; round++) {
      queue.mark('a', 0)
      await Bun.sleep(30)
    }
    first.resolve()
    await eventually(3_000, () => expect(times).toHaveLength(2))
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(395)
    await throughout(200, () => expect(times).toHaveLength(2))
  })
})

describe('concurrency', () => {
  test('no more keys at once than allowed, the others in the order of their turn', async () => {
    const { queue, runs, keys, mostAtOnce } = watched(3)
    const wanted = Array.from({ length: 9 }, (_, n) => `key-${n}`)
    for (const key of wanted) queue.mark(key, 0)
    for (let ended = 0; ended < wanted.length; ended++) {
      await eventually(1_000, () => expect(runs.length).toBeGreaterThan(ended))
      runs[ended]?.end()
    }
    await settled(queue)
    expect(mostAtOnce()).toBe(3)
    expect(keys()).toEqual(wanted)
  })

  test('one key that never ends holds one place, not the queue', async () => {
    const { queue, runs, keys } = watched(2)
    queue.mark('stuck', 0)
    await eventually(1_000, () => expect(runs).toHaveLength(1))
    for (let n = 0; n < 5; n++) {
      queue.mark(`key-${n}`, 0)
      await eventually(1_000, () => expect(keys()).toContain(`key-${n}`))
      runs.at(-1)?.end()
    }
  })

  test('10,000 keys marked at once are all done, each once', async () => {
    const { queue, done } = instant(8)
    for (let n = 0; n < 10_000; n++) queue.mark(`key-${n}`)
    await settled(queue)
    expect(new Set(done.map(({ key }) => key)).size).toBe(10_000)
    expect(done).toHaveLength(10_000)
  })

  test(`never two at once on a key, and the last mark is followed by work, the last work by its rest (FUZZ_SEED=${SEED})`, async () => {
    const random = createRandom(SEED)
    const version = new Map<string, number>()
    const told = new Map<string, number>()
    const running = new Set<string>()
    let overlaps = 0
    const last = async (key: string) => {
      if (running.has(key)) overlaps++
      running.add(key)
      await Bun.sleep(random.below(12))
      running.delete(key)
    }
    const queue = createWorkQueue({
      concurrency: 3,
      work: async (key) => {
        const seen = version.get(key) ?? 0
        await last(key)
        if (random.next() < 0.2) queue.mark(key, random.below(60))
        return async () => {
          await last(key)
          told.set(key, seen)
        }
      },
    })
    for (let step = 0; step < 1_500; step++) {
      const key = `key-${random.below(8)}`
      version.set(key, step)
      queue.mark(key, random.below(40))
      if (step % 10 === 0) await Bun.sleep(random.below(8))
    }
    await settled(queue)
    expect(overlaps).toBe(0)
    expect(told).toEqual(version)
  })
})

describe('a rest', () => {
  /** A queue with one place whose every piece of work leaves a rest, and the order of both. */
  function resting(lasts: { readonly work?: number; readonly rest?: number } = {}) {
    const order: string[] = []
    const queue = createWorkQueue({
      concurrency: 1,
      work: async (key) => {
        order.push(key)
        await Bun.sleep(lasts.work ?? 0)
        return async () => {
          order.push(`rest of ${key}`)
          await Bun.sleep(lasts.rest ?? 0)
          order.push(`end of ${key}`)
        }
      },
    })
    return { queue, order }
  }

  test('comes when no key is ready any more, in the order of the work', async () => {
    const { queue, order } = resting({ work: 5 })
    for (const key of ['a', 'b', 'c']) queue.mark(key, 0)
    await settled(queue)
    const rests = ['a', 'b', 'c'].flatMap((key) => [`rest of ${key}`, `end of ${key}`])
    expect(order).toEqual(['a', 'b', 'c', ...rests])
  })

  test('is given up when its key is worked on again, for the rest of that', async () => {
    const { queue, order } = resting({ work: 100 })
    queue.mark('a', 0)
    queue.mark('b', 20)
    await eventually(1_000, () => expect(order).toContain('b'))
    queue.mark('a', 0)
    await settled(queue)
    expect(order.filter((each) => each === 'a')).toHaveLength(2)
    expect(order.filter((each) => each === 'rest of a')).toHaveLength(1)
    expect(order.indexOf('rest of a')).toBeGreaterThan(order.lastIndexOf('a'))
  })

  test('never runs beside work on its key: that comes after it', async () => {
    const { queue, order } = resting({ rest: 100 })
    queue.mark('a', 0)
    await eventually(1_000, () => expect(order).toContain('rest of a'))
    queue.mark('a', 0)
    await settled(queue)
    expect(order.slice(0, 4)).toEqual(['a', 'rest of a', 'end of a', 'a'])
  })

  test('takes what its key was marked for later along: the mark stands', async () => {
    const { queue, order } = resting()
    queue.mark('a', 0)
    await eventually(1_000, () => expect(order).toContain('a'))
    queue.mark('a', 200)
    await eventually(1_000, () => expect(order).toContain('end of a'))
    await settled(queue)
    expect(order.filter((each) => each === 'a')).toHaveLength(2)
  })

  const busy = [
    { name: 'other keys are ready all the time', again: ['b', 'c'] },
    { name: 'all keys are, its own too', again: ['a', 'b', 'c'] },
  ]
  for (const { name, again } of busy) {
    test(`comes within some seconds though ${name}`, async () => {
      const { queue, order } = resting({ work: 20 })
      const startMs = performance.now()
      queue.mark('a', 0)
      while (!order.includes('rest of a') && performance.now() - startMs < 6_000) {
        for (const key of again) queue.mark(key, 0)
        await Bun.sleep(2)
      }
      const waitedMs = performance.now() - startMs
      expect(waitedMs).toBeGreaterThan(2_500)
      expect(waitedMs).toBeLessThan(4_500)
      await settled(queue)
    }, 20_000)
  }

  test('has every other turn when it has waited for long: what becomes ready waits for one, not for all', async () => {
    const { queue, order } = resting({ work: 350, rest: 400 })
    const keys = Array.from({ length: 10 }, (_, n) => `key-${n}`)
    for (const key of keys) queue.mark(key, 0)
    await eventually(5_000, () => expect(order).toContain('key-9'))
    // By the time that the last one has ended, the first rests are overdue.
    queue.mark('urgent', 0)
    await eventually(5_000, () => expect(order).toContain('urgent'))
    await queue.close()
    const between = order.slice(order.indexOf('key-9') + 1, order.indexOf('urgent'))
    expect(between).toHaveLength(2)
    expect(between[0]).toStartWith('rest of ')
  }, 20_000)

  test('does not begin once the queue is closed, and one that runs is waited for', async () => {
    const { queue, order } = resting({ work: 50, rest: 50 })
    queue.mark('a', 0)
    await eventually(1_000, () => expect(order).toContain('rest of a'))
    queue.mark('b', 0)
    await queue.close()
    expect(order).toEqual(['a', 'rest of a', 'end of a'])
  })
})

describe('stats() and close()', () => {
  test('stats() tells what waits and what runs', async () => {
    const { queue, runs } = watched(1)
    queue.mark('a', 0)
    queue.mark('b', 0)
    queue.mark('c', 60_000)
    await eventually(1_000, () => expect(queue.stats()).toEqual({ pending: 2, running: 1 }))
    runs[0]?.end()
  })

  test('close() waits for what runs, begins nothing any more and takes no marks', async () => {
    const { queue, runs, keys } = watched(1)
    queue.mark('a', 0)
    queue.mark('b', 0)
    await eventually(1_000, () => expect(runs).toHaveLength(1))
    let isClosed = false
    const closing = queue.close().then(() => {
      isClosed = true
    })
    queue.mark('c', 0)
    await throughout(150, () => expect(isClosed).toBe(false))
    runs[0]?.end()
    await closing
    await throughout(150, () => expect(keys()).toEqual(['a']))
  })

  test('close() of an idle queue resolves at once, and twice', async () => {
    const { queue } = instant(1)
    await queue.close()
    await queue.close()
  })

  test('close() called twice during work resolves both times', async () => {
    const { queue, runs } = watched(1)
    queue.mark('a', 0)
    await eventually(1_000, () => expect(runs).toHaveLength(1))
    const both = Promise.all([queue.close(), queue.close()])
    runs[0]?.end()
    await both
  })
})
