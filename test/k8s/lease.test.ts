// The election by the rules of client-go, in a time that the tests own.

import { describe, expect, test } from 'bun:test'
import { prompt, type Replica, usual, World } from './lease-world.ts'

function holder({ lease }: World): string | undefined {
  return lease?.spec.holderIdentity
}

/** Two replicas, the first of which leads. */
async function pair() {
  const world = new World()
  const a = world.replica('a')
  await world.until(100)
  const b = world.replica('b')
  await world.until(200)
  return { world, a, b }
}

/** Milliseconds until `replica` leads. */
async function untilLeading(world: World, replica: Replica, maxMs = 60_000): Promise<number> {
  const startMs = world.nowMs
  while (!replica.isLeading() && world.nowMs < startMs + maxMs) await world.pass(10)
  return world.nowMs - startMs
}

function freshLease(more: object) {
  const metadata = { name: 'lease', namespace: 'kube-system', resourceVersion: '' }
  return {
    metadata,
    spec: { holderIdentity: 'x', leaseDurationSeconds: 15, leaseTransitions: 3, ...more },
  }
}

describe('taking the lease', () => {
  test('one that is not there is created at once', async () => {
    const world = new World()
    const a = world.replica('a')
    await world.until(100)
    expect(a.isLeading()).toBe(true)
    expect(a.election.isHeld()).toBe(true)
    expect(world.lease).toMatchObject({
      metadata: { name: 'lease', namespace: 'kube-system' },
      spec: {
        holderIdentity: 'a',
        leaseDurationSeconds: 15,
        leaseTransitions: 0,
        acquireTime: '2026-11-22T12:00:00.002000Z',
        renewTime: '2026-11-22T12:00:00.002000Z',
      },
    })
  })

  test('one without a holder is taken at once, and counted as a transition', async () => {
    const world = new World()
    world.store(freshLease({ holderIdentity: '', leaseDurationSeconds: 1 }))
    const a = world.replica('a')
    await world.until(100)
    expect(a.isLeading()).toBe(true)
    expect(world.lease?.spec).toMatchObject({ holderIdentity: 'a', leaseTransitions: 4 })
  })

  test('an empty record is taken at once', async () => {
    const world = new World()
    const { metadata } = freshLease({})
    world.store(JSON.parse(JSON.stringify({ metadata })))
    const a = world.replica('a')
    await world.until(100)
    expect(a.isLeading()).toBe(true)
  })

  for (const [name, renewTime] of [
    ['years ago', '1999-01-01T00:00:00.000000Z'],
    ['in the future', '2099-01-01T00:00:00.000000Z'],
    ['never', undefined],
  ] as const) {
    test(`one that was renewed ${name} by its own word is waited for, by our own clock`, async () => {
      const world = new World()
      world.store(freshLease({ renewTime }))
      const a = world.replica('a')
      await world.until(14_900)
      expect(a.isLeading()).toBe(false)
      await world.until(15_100)
      expect(a.isLeading()).toBe(true)
    })
  }

  for (const seconds of [1, 40]) {
    test(`the record's own ${seconds} s count, not ours`, async () => {
      const world = new World()
      world.store(freshLease({ leaseDurationSeconds: seconds }))
      const a = world.replica('a')
      await world.until(seconds * 1_000 - 100)
      expect(a.isLeading()).toBe(false)
      await world.until(seconds * 1_000 + 100)
      expect(a.isLeading()).toBe(true)
    })
  }

  test('a record of our own identity is continued, not waited for', async () => {
    const world = new World()
    world.store(freshLease({ holderIdentity: 'a', acquireTime: 'then' }))
    const a = world.replica('a')
    await world.until(100)
    expect(a.isLeading()).toBe(true)
    expect(world.lease?.spec).toMatchObject({ acquireTime: 'then', leaseTransitions: 3 })
  })

  test('of two that try at the same moment one leads', async () => {
    const world = new World()
    const replicas = ['a', 'b', 'c'].map((name) => world.replica(name))
    await world.until(10_000)
    expect(replicas.filter((replica) => replica.isLeading())).toHaveLength(1)
    expect(world.lease?.spec.leaseTransitions).toBe(0)
  })

  test('a missing namespace is told, not taken for a standby', async () => {
    const world = new World()
    world.hasNamespace = false
    const a = world.replica('a')
    await world.until(10_000)
    expect(new Set(a.logs)).toEqual(new Set(['cannot ask for the lease; trying again']))
    world.hasNamespace = true
    await world.pass(2_500)
    expect(a.isLeading()).toBe(true)
  })

  test('labels and annotations of others stay', async () => {
    const world = new World()
    const lease = freshLease({ holderIdentity: '' })
    world.store({ ...lease, metadata: { ...lease.metadata, labels: { helm: 'yes' } } })
    world.replica('a')
    await world.until(10_000)
    expect(world.lease?.metadata.labels).toEqual({ helm: 'yes' })
  })
})

describe('standing by', () => {
  test('asks about each retry period, up to a fifth later, and writes nothing', async () => {
    const { world, b } = await pair()
    const from = world.requests.length
    await world.pass(60_000)
    const mine = world.requests.slice(from).filter(({ replica }) => replica === 'b')
    expect(mine.every(({ method }) => method === 'GET')).toBe(true)
    const gaps = mine.slice(1).map(({ atMs }, index) => atMs - (mine[index]?.atMs ?? 0))
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(2_000)
    expect(Math.max(...gaps)).toBeLessThanOrEqual(2_410)
    expect(new Set(gaps.map(Math.round)).size).toBeGreaterThan(5)
    expect({ leading: b.isLeading(), held: b.election.isHeld() }).toEqual({
      leading: false,
      held: false,
    })
  })

  test('takes an expired lease within the retry period after its end', async () => {
    const { world, a, b } = await pair()
    const lastMs = world.requests.filter(({ replica }) => replica === 'a').at(-1)?.atMs ?? 0
    a.freeze(1e9)
    await untilLeading(world, b)
    expect(world.nowMs - lastMs).toBeGreaterThanOrEqual(15_000)
    expect(world.nowMs - lastMs).toBeLessThan(15_000 + 2_500)
  })

  test('is not put off by somebody who changes a label', async () => {
    const { world, a, b } = await pair()
    a.freeze(1e9)
    const startMs = world.nowMs
    while (!b.isLeading() && world.nowMs < startMs + 60_000) {
      if (world.lease)
        world.store({
          ...world.lease,
          metadata: { ...world.lease.metadata, labels: { at: `${world.nowMs}` } },
        })
      await world.pass(1_000)
    }
    expect(world.nowMs - startMs).toBeLessThan(20_000)
  })

  test('does not take the lease while the other one renews, whatever clocks and hours say', async () => {
    const { world, a, b } = await pair()
    for (const turn of [3_600_000, -7_200_000, 1e10]) {
      b.turnClock(turn)
      await world.pass(30_000)
      expect([a.isLeading(), b.isLeading()]).toEqual([true, false])
    }
  })

  test('recovers when the API server does', async () => {
    const { world, a, b } = await pair()
    world.fate = () => ({ ...prompt, lost: 'request' })
    await world.pass(120_000)
    expect([a.isLeading(), b.isLeading()]).toEqual([false, false])
    world.fate = () => prompt
    await world.pass(5_000)
    expect([a, b].filter((replica) => replica.isLeading())).toHaveLength(1)
  })
})

describe('leading', () => {
  test('renews each retry period with one request, and keeps acquireTime and transitions', async () => {
    const world = new World()
    world.replica('a')
    await world.until(100)
    const { acquireTime } = JSON.parse(JSON.stringify(world.lease?.spec))
    const from = world.requests.length
    await world.pass(60_000)
    const asked = world.requests.slice(from)
    expect(asked.length).toBeWithin(29, 31)
    expect(new Set(asked.map(({ method }) => method))).toEqual(new Set(['PUT']))
    expect(world.lease?.spec).toMatchObject({ acquireTime, leaseTransitions: 0 })
  })

  test('survives one conflict: somebody else changed the object', async () => {
    const { world, a } = await pair()
    for (let n = 0; n < 10; n++) {
      if (world.lease) world.store(world.lease)
      await world.pass(2_000)
    }
    expect(a.isLeading()).toBe(true)
    expect(a.logs.filter((line) => line.startsWith('lost'))).toEqual([])
  })

  test('survives two conflicts in a row: it is still its own', async () => {
    const { world, a } = await pair()
    let puts = 0
    world.fate = (_, { method }) => {
      if (method === 'PUT' && puts++ < 2 && world.lease) world.store(world.lease)
      return prompt
    }
    await world.pass(10_000)
    expect(puts).toBeGreaterThan(4)
    expect(a.logs).not.toContain('lost the lease; standing by')
  })

  test('survives a deletion of the lease, by making it anew', async () => {
    const { world, a } = await pair()
    world.lease = undefined
    await world.pass(5_000)
    expect([a.isLeading() || holder(world) === 'b', holder(world)]).toEqual([
      true,
      expect.stringMatching(/^[ab]$/),
    ])
    const alone = new World()
    const only = alone.replica('only')
    await alone.until(100)
    alone.lease = undefined
    await alone.pass(3_000)
    expect([only.isLeading(), holder(alone)]).toEqual([true, 'only'])
  })

  test('survives answers that are lost although the renewal took effect', async () => {
    const { world, a } = await pair()
    let puts = 0
    world.fate = (replica, { method }) =>
      replica === 'a' && method === 'PUT' && puts++ % 3 > 0 ? { ...prompt, reset: 'after' } : prompt
    await world.pass(120_000)
    expect(a.isLeading()).toBe(true)
    expect(a.logs).not.toContain('lost the lease; standing by')
  })

  test('survives answers that take 4 s each', async () => {
    const { world, a, b } = await pair()
    world.fate = () => ({ thereMs: 10, backMs: 4_000 })
    await world.pass(120_000)
    expect([a.isLeading(), b.isLeading()]).toEqual([true, false])
    expect(a.logs).not.toContain('lost the lease; standing by')
  })

  for (const [name, fate] of [
    ['requests that are lost', { ...prompt, lost: 'request' }],
    ['answers that are lost', { ...prompt, lost: 'answer' }],
    ['resets', { ...prompt, reset: 'before' }],
  ] as const) {
    test(`has stopped 10 s after its last renewal: ${name}`, async () => {
      const { world, a, b } = await pair()
      await world.pass(10_000)
      let lastMs = 0
      world.fate = (replica) => {
        if (replica !== 'a') return prompt
        lastMs ||= world.nowMs - usual.retryMs
        return fate
      }
      await untilEnd(world, a)
      const tookMs = world.nowMs - lastMs
      expect(tookMs).toBeWithin(9_900, 10_200)
      expect(a.election.isHeld()).toBe(false)
      // Before another may begin.
      expect(b.isLeading()).toBe(false)
      await untilLeading(world, b)
      expect(world.nowMs - lastMs).toBeGreaterThanOrEqual(15_000)
    })
  }

  test('isHeld() is over by the clock, even while the process has done nothing', async () => {
    const { world, a } = await pair()
    world.fate = () => ({ ...prompt, lost: 'request' })
    await world.pass(10_000)
    expect(a.election.isHeld()).toBe(false)
  })

  test('isHeld() ends with the renew deadline, not with the lease, when the process stands still', async () => {
    const { world, a } = await pair()
    a.freeze(world.nowMs + 60_000)
    await world.pass(7_900)
    expect(a.election.isHeld()).toBe(true)
    await world.pass(2_200)
    expect(a.election.isHeld()).toBe(false)
  })

  for (const isSuspended of [false, true]) {
    const what = isSuspended ? 'its node was suspended' : 'it was stopped'
    test(`holds nothing any more when it goes on after ${what} past the lease`, async () => {
      const { world, a, b } = await pair()
      const held: boolean[] = []
      a.freeze(world.nowMs + 20_000, isSuspended)
      world.onStep = () => {
        if (!a.isFrozen() && b.isLeading()) held.push(a.election.isHeld())
      }
      await world.pass(40_000)
      expect([a.isLeading(), b.isLeading()]).toEqual([false, true])
      expect(held).not.toContain(true)
      expect(a.logs).toContain('lost the lease; standing by')
    })
  }

  test('a wall clock that jumps ahead costs the lease and nobody else gets it', async () => {
    const { world, a, b } = await pair()
    a.turnClock(3_600_000)
    expect(a.election.isHeld()).toBe(false)
    await world.pass(10_000)
    expect([a.isLeading(), b.isLeading()]).toEqual([true, false])
    expect(world.lease?.spec.leaseTransitions).toBe(0)
  })

  test('a wall clock that jumps back costs nothing', async () => {
    const { world, a } = await pair()
    a.turnClock(-3_600_000)
    expect(a.election.isHeld()).toBe(true)
    await world.pass(60_000)
    expect(a.logs).not.toContain('lost the lease; standing by')
  })

  test('sees at its next renewal that another took the lease, and stops at once', async () => {
    const { world, a } = await pair()
    world.store(freshLease({ holderIdentity: 'thief' }))
    await world.pass(2_100)
    expect(a.isLeading()).toBe(false)
    expect(holder(world)).toBe('thief')
    expect(a.logs).toContain('another replica holds the lease')
  })

  test('leads again after it had lost the lease', async () => {
    const { world, a, b } = await pair()
    a.freeze(world.nowMs + 30_000)
    await untilLeading(world, b)
    await world.pass(20_000)
    b.stop()
    await world.pass(3_000)
    expect([a.isLeading(), b.isLeading()]).toEqual([true, false])
    expect(world.lease?.spec.leaseTransitions).toBe(2)
  })
})

async function untilEnd(world: World, replica: Replica): Promise<void> {
  const startMs = world.nowMs
  while (replica.isLeading() && world.nowMs < startMs + 60_000) await world.pass(10)
}

describe('being told to stop', () => {
  test('releases the lease for one second, and the other takes it within the retry period', async () => {
    const { world, a, b } = await pair()
    await world.pass(5_000)
    a.stop()
    await world.pass(10)
    expect(world.lease?.spec).toMatchObject({
      holderIdentity: '',
      leaseDurationSeconds: 1,
      leaseTransitions: 0,
    })
    expect(a.logs).toContain('released the lease')
    expect(await untilLeading(world, b)).toBeLessThanOrEqual(2_500)
    await a.done
  })

  test('releases it also when its last renewal was cut off on its way', async () => {
    const world = new World()
    const a = world.replica('a')
    await world.until(100)
    world.fate = (_, { method }) => ({ thereMs: 5, backMs: method === 'PUT' ? 300 : 5 })
    const from = world.requests.length
    const isRenewing = () => world.requests.length > from
    while (!isRenewing()) await world.pass(1)
    // It has taken effect; its answer is on the way.
    await world.pass(50)
    a.stop()
    await world.pass(900)
    expect(holder(world)).toBe('')
    await a.done
  })

  test('does not touch a lease that it does not hold', async () => {
    const { world, b } = await pair()
    const before = world.lease
    b.stop()
    await world.pass(1)
    await b.done
    expect(holder(world)).toBe('a')
    expect(world.lease?.metadata).toEqual(before?.metadata)
  })

  test('does not take the lease from who took it meanwhile', async () => {
    const { world, a } = await pair()
    world.store(freshLease({ holderIdentity: 'thief' }))
    a.stop()
    await world.pass(1_500)
    await a.done
    expect(holder(world)).toBe('thief')
    expect(a.logs).not.toContain('released the lease')
  })

  test('ends within a second where the API server does not answer', async () => {
    const { world, a } = await pair()
    world.fate = () => ({ ...prompt, lost: 'request' })
    const startMs = world.nowMs
    let isDone = false
    void a.done.then(() => {
      isDone = true
    })
    a.stop()
    while (!isDone && world.nowMs < startMs + 10_000) await world.pass(10)
    expect(world.nowMs - startMs).toBeLessThanOrEqual(1_020)
    expect(a.logs).toContain('cannot release the lease; it will expire')
  })
})
