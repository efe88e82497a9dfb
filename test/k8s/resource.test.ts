// One ClusterEndpoint under care: whom it believes at the start, what an edit keeps, when it may be
// published, what it tells.

import { afterAll, describe, expect, test } from 'bun:test'
import { readEndpoints } from '../../crds/endpoints.ts'
import type { Transition } from '../../k8s/events.ts'
import { Resource, readSeen } from '../../k8s/resource.ts'
import { Scheduler } from '../../probes/scheduler.ts'
import { failed, type Outcome, ok } from '../../probes/target.ts'
import { addresses, failing, nothing } from '../dns/answers.ts'
import { scriptedResolver } from '../dns/scripted-resolver.ts'
import { eventually, throughout } from '../integration/eventually.ts'
import { questionBy } from '../probes/asking.ts'

const schedulers: Scheduler[] = []
afterAll(async () => {
  await Promise.all(schedulers.map((scheduler) => scheduler.close()))
})

const down = failed('connect ECONNREFUSED')
type PortMore = Readonly<Record<string, unknown>>

function cep(
  hosts: readonly string[],
  more: PortMore = {},
  generation = 1,
  status?: unknown,
  periodSeconds = 1,
) {
  return readSeen({
    metadata: {
      name: 'web',
      namespace: 'ns',
      uid: 'u',
      generation,
      resourceVersion: `${generation}`,
    },
    spec: {
      periodSeconds,
      ports: [{ name: 'http', port: 80, hosts, tcpSocket: { enable: true }, ...more }],
    },
    status,
  })
}

function live(...ips: readonly string[]) {
  return readEndpoints({
    metadata: { name: 'web', namespace: 'ns', uid: 'e', resourceVersion: '1' },
    subsets: [
      {
        addresses: ips.map((ip) => ({ ip })),
        ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
      },
    ],
  })
}

/** A resource whose hosts answer as the test says: `outcomes` by address, 'never' for no answer. */
function watched(seen: ReturnType<typeof cep>, onAttempt?: (host: string) => void) {
  const outcomes = new Map<string, Outcome | 'never'>()
  const attempts: string[] = []
  const told: Transition[] = []
  let news = 0
  const scheduler = new Scheduler({
    inFlightMax: 100,
    questionOf: questionBy(async ({ host }, signal) => {
      attempts.push(host)
      const outcome = outcomes.get(host) ?? ok
      if (outcome !== 'never') return outcome
      const { promise, resolve } = Promise.withResolvers<Outcome>()
      signal.addEventListener('abort', () => resolve(down))
      return await promise
    }),
  })
  schedulers.push(scheduler)
  const names = scriptedResolver()
  const resource = new Resource(seen, {
    scheduler,
    resolver: names.resolver,
    policy: { allowLoopback: false },
    onNews: () => news++,
    onAttempt: onAttempt && (({ host }) => onAttempt(host)),
    onTransition: (transition) => told.push(transition),
  })
  const healthy = () => resource.healthyTargets.map(({ host }) => host).sort()
  const hurry = (host: string | undefined) =>
    scheduler.hurry(
      [...resource.hosts].flatMap(({ target, check }) => (target.host === host ? [check] : [])),
    )
  return { resource, names, outcomes, attempts, told, healthy, hurry, news: () => news }
}

const A = '10.0.0.1'
const B = '10.0.0.2'

describe('readSeen()', () => {
  const object = (uid: string, generation: number, port: number) => ({
    metadata: { name: 'web', namespace: 'ns', uid, generation, resourceVersion: '1' },
    spec: { ports: [{ port, hosts: [A] }] },
  })
  const known = readSeen(object('u', 1, 80))

  test('does not read a spec again that it knows', () => {
    expect(readSeen(object('u', 1, 80), known).parsed).toBe(known.parsed)
  })

  for (const [name, uid, generation] of [
    ['an edited one', 'u', 2],
    ['another resource of the same name', 'v', 1],
  ] as const) {
    test(`reads the spec of ${name}`, () => {
      const { parsed } = readSeen(object(uid, generation, 81), known)
      expect(parsed).toMatchObject({ ok: true, spec: { ports: [{ port: 81 }] } })
    })
  }
})

describe.concurrent('siblings', () => {
  const HOSTS = Array.from({ length: 40 }, (_, n) => `10.0.1.${n}`)
  /** The period is far above what the tests wait for. */
  const slow = (failureThreshold: number) => {
    const world = watched(cep(HOSTS, { failureThreshold }, 1, undefined, 30))
    world.resource.adopt(live(...HOSTS))
    return world
  }
  const settled = async (world: ReturnType<typeof watched>) => {
    await eventually(2_000, () => expect(world.resource.isFirstRoundIn).toBe(true))
  }

  test('of a host that fails are asked at once, so that all that died goes together', async () => {
    const world = slow(1)
    await settled(world)
    for (const host of HOSTS.slice(0, 20)) world.outcomes.set(host, down)
    world.hurry(HOSTS[0])
    await eventually(2_000, () => expect(world.healthy()).toEqual(HOSTS.slice(20).sort()))
    expect(world.attempts.length).toBeLessThanOrEqual(2 * HOSTS.length)
  })

  test('are asked once a period, however many fail', async () => {
    const world = slow(1)
    await settled(world)
    world.outcomes.set(HOSTS[0] ?? '', down)
    world.hurry(HOSTS[0])
    await eventually(2_000, () => expect(world.attempts).toHaveLength(2 * HOSTS.length))
    world.outcomes.set(HOSTS[1] ?? '', down)
    world.hurry(HOSTS[1])
    await eventually(2_000, () => expect(world.healthy()).toHaveLength(HOSTS.length - 2))
    expect(world.attempts).toHaveLength(2 * HOSTS.length + 1)
  })

  test('that do not answer are waited for, but not for long', async () => {
    const world = slow(1)
    await settled(world)
    world.resource.notePublished()
    for (const host of HOSTS.slice(1)) world.outcomes.set(host, 'never')
    world.outcomes.set(HOSTS[0] ?? '', down)
    world.hurry(HOSTS[0])
    await eventually(2_000, () => expect(world.healthy()).toHaveLength(HOSTS.length - 1))
    expect(world.resource.settleInMs()).toBeGreaterThan(0)
    const waitedMs = await eventually(2_000, () => expect(world.resource.settleInMs()).toBe(0))
    expect(waitedMs).toBeLessThan(1_000)
  })

  test('without a probe are not waited for: they never answer', async () => {
    const { metadata } = cep([A])
    const ports = [
      { name: 'http', port: 80, hosts: [A], tcpSocket: { enable: true }, failureThreshold: 1 },
      { name: 'raw', port: 81, hosts: [A], failureThreshold: 1 },
    ]
    const world = watched(readSeen({ metadata, spec: { periodSeconds: 1, ports } }))
    world.resource.adopt(live(A))
    await settled(world)
    world.outcomes.set(A, down)
    await eventually(3_000, () => expect(world.healthy()).toEqual([A]))
    expect(world.resource.settleInMs()).toBe(0)
  })
})

describe.concurrent('adopt()', () => {
  test('believes the hosts that are published, and no other', () => {
    const { resource, healthy } = watched(cep([A, B]))
    resource.adopt(live(A))
    expect(healthy()).toEqual([A])
    expect(resource.isFirstRoundIn).toBe(false)
  })

  test('believes nobody where nothing is published', () => {
    const { resource, healthy } = watched(cep([A, B]))
    resource.adopt(undefined)
    expect(healthy()).toEqual([])
  })

  test('does not believe an address that is published under another port', () => {
    const { resource, healthy } = watched(cep([A], { targetPort: 81 }))
    resource.adopt(live(A))
    expect(healthy()).toEqual([])
  })

  test('takes a host without a probe as well, at once', () => {
    const { resource, healthy } = watched(cep([A], { tcpSocket: { enable: false } }))
    resource.adopt(undefined)
    expect(healthy()).toEqual([A])
    expect(resource.settleInMs()).toBe(0)
  })

  test('has nothing to publish for a spec that was never valid', () => {
    const { resource, attempts } = watched(cep([A], { port: 0 }))
    resource.adopt(live(A))
    expect(resource.hasPlan).toBe(false)
    expect(resource.issues).not.toEqual([])
    expect(attempts).toEqual([])
  })

  test('keeps since when a host is out, and does not tell it again', async () => {
    const row = { port: 'http', host: A, targetPort: 80, healthy: false }
    const since = '2026-11-22T12:00:00Z'
    const status = {
      phase: 'UnHealthy',
      hosts: [{ ...row, reason: 'connect ECONNREFUSED', since }],
    }
    const { resource, outcomes, told, attempts } = watched(cep([A], {}, 1, status))
    outcomes.set(A, down)
    resource.adopt(undefined)
    await eventually(3_000, () => expect(attempts.length).toBeGreaterThan(1))
    const [host] = resource.hosts
    expect(host?.check.health).toMatchObject({ sinceMs: Date.parse(since), verdict: 'unhealthy' })
    expect(told).toEqual([])
  })
})

describe.concurrent('settleInMs()', () => {
  test('is over as soon as every new host has answered', async () => {
    const { resource } = watched(cep([A, B]))
    resource.adopt(undefined)
    expect(resource.settleInMs()).toBeGreaterThan(0)
    await eventually(2_000, () => expect(resource.isFirstRoundIn).toBe(true))
    expect(resource.settleInMs()).toBe(0)
  })

  test('is half a second for hosts that do not answer, where nothing is published', () => {
    const { resource, outcomes } = watched(cep([A], { timeoutSeconds: 60 }))
    outcomes.set(A, 'never')
    resource.adopt(undefined)
    expect(resource.settleInMs()).toBeWithin(300, 501)
  })

  test('is as long as the slowest host may take, where something is published, and never above 10 s', () => {
    for (const [timeoutSeconds, mostMs] of [
      [2, 2_500],
      [60, 10_000],
    ] as const) {
      const { resource, outcomes } = watched(cep([A], { timeoutSeconds }))
      outcomes.set(A, 'never')
      resource.adopt(live(A))
      expect(resource.settleInMs()).toBeWithin(mostMs - 200, mostMs + 1)
    }
  })
})

describe.concurrent('update()', () => {
  test('keeps the health of hosts that stay, begins with those that come, ends those that go', async () => {
    const { resource, healthy, attempts, outcomes } = watched(cep([A, B]))
    resource.adopt(undefined)
    await eventually(2_000, () => expect(healthy()).toEqual([A, B]))
    outcomes.set('10.0.0.3', down)
    resource.update(cep([B, '10.0.0.3'], {}, 2), undefined)
    expect(healthy()).toEqual([B])
    await eventually(3_000, () => expect(attempts).toContain('10.0.0.3'))
    const before = attempts.filter((host) => host === A).length
    await throughout(1_300, () => expect(healthy()).toEqual([B]))
    expect(attempts.filter((host) => host === A)).toHaveLength(before)
  })

  test('keeps the last valid spec in force when the new one is not', async () => {
    const { resource, healthy } = watched(cep([A]))
    resource.adopt(undefined)
    await eventually(2_000, () => expect(healthy()).toEqual([A]))
    resource.update(cep([B], { port: -1 }, 2), undefined)
    expect(healthy()).toEqual([A])
    expect(resource.hasPlan).toBe(true)
    expect(resource.issues).not.toEqual([])
  })

  test('looks at nothing when only the status has changed', async () => {
    const { resource, attempts } = watched(cep([A]))
    resource.adopt(undefined)
    await eventually(2_000, () => expect(attempts).toHaveLength(1))
    const [before] = resource.hosts
    resource.update(cep([A], {}, 1), undefined)
    const [after] = resource.hosts
    expect(before).toBeDefined()
    expect(Object.is(after, before)).toBe(true)
  })

  test('a host that loses its probe before its first answer is waited for no longer', () => {
    const { resource, outcomes, healthy } = watched(cep([A], { timeoutSeconds: 60 }))
    outcomes.set(A, 'never')
    resource.adopt(undefined)
    expect(resource.isFirstRoundIn).toBe(false)
    resource.update(cep([A], { tcpSocket: { enable: false } }, 2), undefined)
    expect(resource.isFirstRoundIn).toBe(true)
    expect(healthy()).toEqual([A])
  })

  test('a host that was asked another way has only the series of what it is asked now', async () => {
    const { resource, attempts } = watched(cep([A]))
    resource.adopt(undefined)
    await eventually(2_000, () => expect([...resource.counters]).toHaveLength(1))
    const http = { tcpSocket: undefined, httpGet: { path: '/' } }
    resource.update(cep([A], http, 2), undefined)
    const count = attempts.length
    await eventually(3_000, () => expect(attempts.length).toBeGreaterThan(count))
    await eventually(1_000, () =>
      expect([...resource.counters].map(({ probe }) => probe)).toEqual(['http']),
    )
  })

  test('each attempt is counted once, whether it is news or not', async () => {
    const { resource, hurry, outcomes, attempts } = watched(cep([A], {}, 1, undefined, 600))
    resource.adopt(undefined)
    const tenMore = async () => {
      for (const goal = attempts.length + 10; attempts.length < goal; hurry(A)) await Bun.sleep(1)
    }
    const expectCounts = (successful: number, failed: number) =>
      eventually(500, () => expect([...resource.counters]).toMatchObject([{ successful, failed }]))
    await tenMore()
    const well = attempts.length
    await expectCounts(well, 0)
    outcomes.set(A, down)
    await tenMore()
    await expectCounts(well, attempts.length - well)
  })

  test('who wants to know of attempts is told of each', async () => {
    const heard: string[] = []
    const { resource, hurry, attempts } = watched(cep([A]), (host) => heard.push(host))
    resource.adopt(undefined)
    for (; attempts.length < 10; hurry(A)) await Bun.sleep(1)
    await eventually(500, () => expect(heard).toEqual(attempts))
  })

  test('of thousands of hosts that go costs no time that others miss', async () => {
    const many = Array.from({ length: 10_000 }, (_, n) => `10.1.${n >> 8}.${n & 255}`)
    const { resource } = watched(cep(many, {}, 1, undefined, 600))
    resource.adopt(undefined)
    await eventually(10_000, () => expect(resource.isFirstRoundIn).toBe(true))
    const few = cep([A], {}, 2)
    const fromMs = performance.now()
    resource.update(few, undefined)
    expect(performance.now() - fromMs).toBeLessThan(1_000)
    expect([...resource.counters]).toEqual([])
    resource.stop()
  })

  test('two ports that ask a host the same share a series until both are gone', async () => {
    const entry = { port: 80, targetPort: 80, hosts: [A], tcpSocket: { enable: true } }
    const two = (names: readonly string[], generation: number) =>
      readSeen({
        metadata: { name: 'web', namespace: 'ns', uid: 'u', generation },
        spec: {
          periodSeconds: 1,
          ports: names.map((name, n) => ({ ...entry, name, port: 80 + n })),
        },
      })
    const { resource } = watched(two(['a', 'b'], 1))
    resource.adopt(undefined)
    await eventually(2_000, () => expect([...resource.counters]).toHaveLength(1))
    resource.update(two(['a'], 2), undefined)
    expect([...resource.counters]).toHaveLength(1)
    resource.update(cep([B], {}, 3), undefined)
    await eventually(2_000, () =>
      expect([...resource.counters].map(({ instance }) => instance)).toEqual([`${B}:80`]),
    )
  })
})

describe.concurrent('what it tells', () => {
  test('a host that was believed and is out, with its reason, once', async () => {
    const { resource, outcomes, told } = watched(cep([A], { failureThreshold: 2 }))
    outcomes.set(A, down)
    resource.adopt(live(A))
    await eventually(5_000, () => expect(told).toHaveLength(1))
    expect(told[0]).toMatchObject({ isHealthy: false, reason: 'connect ECONNREFUSED' })
    await throughout(1_500, () => expect(told).toHaveLength(1))
    expect(resource.takeTransitions()).toHaveLength(1)
    expect(resource.takeTransitions()).toEqual([])
  })

  test('a new host that is out from the start, once', async () => {
    const { resource, outcomes, told, attempts } = watched(cep([A]))
    outcomes.set(A, down)
    resource.adopt(undefined)
    await eventually(5_000, () => expect(attempts.length).toBeGreaterThan(2))
    expect(told.map(({ isHealthy }) => isHealthy)).toEqual([false])
  })

  test('that there is news when the first round is in, and none while nothing changes', async () => {
    const { resource, attempts, news } = watched(cep([A, B]))
    resource.adopt(live(A, B))
    await eventually(2_000, () => expect(resource.isFirstRoundIn).toBe(true))
    const before = news()
    expect(before).toBeGreaterThan(0)
    await eventually(5_000, () => expect(attempts.length).toBeGreaterThan(5))
    expect(news()).toBe(before)
  })

  test('nothing any more once it was stopped', async () => {
    const { resource, outcomes, told, attempts, news } = watched(cep([A]))
    resource.adopt(undefined)
    await eventually(2_000, () => expect(attempts.length).toBeGreaterThan(0))
    resource.stop()
    const [attemptsBefore, newsBefore, toldBefore] = [attempts.length, news(), told.length]
    outcomes.set(A, down)
    await throughout(1_300, () => {})
    expect([attempts.length, news(), told.length]).toEqual([attemptsBefore, newsBefore, toldBefore])
    expect([...resource.counters]).toEqual([])
  })
})

describe.concurrent('a name among the hosts', () => {
  const DB = 'db.example.com'

  test('is waited for, and what it leads to is probed', async () => {
    const seen = cep([DB])
    const { resource, names, healthy } = watched(seen)
    resource.adopt(undefined)
    expect(resource.isFirstRoundIn).toBe(false)
    expect(names.watched()).toEqual([DB])
    names.tell(DB, addresses(A, B))
    await eventually(2_000, () => {
      resource.update(seen, undefined)
      expect(healthy()).toEqual([A, B])
    })
    expect(resource.isFirstRoundIn).toBe(true)
  })

  test('that another resource asked for before leads there at once', async () => {
    const { resource, names, healthy } = watched(cep([DB]))
    names.know(DB, addresses(A))
    resource.adopt(undefined)
    await eventually(2_000, () => expect(healthy()).toEqual([A]))
  })

  test('that takes the place of addresses is waited for, so that there is no empty middle', async () => {
    const { resource, names, healthy } = watched(cep([A]))
    resource.adopt(live(A))
    await eventually(2_000, () => expect(resource.isFirstRoundIn).toBe(true))
    const seen = cep([DB], {}, 2)
    resource.update(seen, live(A))
    await throughout(1_000, () => expect(resource.settleInMs()).toBeGreaterThan(0))
    names.tell(DB, addresses(A))
    await eventually(2_000, () => {
      resource.update(seen, live(A))
      expect(healthy()).toEqual([A])
      expect(resource.settleInMs()).toBe(0)
    })
  })

  test('that comes beside addresses that stay holds them up for a moment only', async () => {
    const { resource } = watched(cep([A]))
    resource.adopt(live(A))
    await eventually(2_000, () => expect(resource.isFirstRoundIn).toBe(true))
    resource.update(cep([A, DB], {}, 2), live(A))
    expect(resource.settleInMs()).toBeGreaterThan(0)
    await eventually(1_500, () => expect(resource.settleInMs()).toBe(0))
  })

  test('is watched no longer when the spec has it no more, and its hosts are not probed', async () => {
    const { resource, names, healthy } = watched(cep([DB, B]))
    names.know(DB, addresses(A))
    resource.adopt(undefined)
    await eventually(2_000, () => expect(healthy()).toEqual([A, B]))
    resource.update(cep([B], {}, 2), undefined)
    expect(names.watched()).toEqual([])
    expect(healthy()).toEqual([B])
    resource.stop()
  })

  test('keeps the addresses that its status tells of while no name server says anything', async () => {
    const row = { port: 'http', host: A, name: DB, targetPort: 80, healthy: true }
    const seen = cep([DB], {}, 1, {
      phase: 'Healthy',
      hosts: [{ ...row, since: '2026-11-22T12:00:00Z' }],
    })
    const { resource, names, healthy } = watched(seen)
    resource.adopt(live(A, B))
    expect(healthy()).toEqual([A])
    for (let times = 0; times < 5; times++) {
      names.tell(DB, failing())
      resource.update(seen, live(A))
    }
    expect(healthy()).toEqual([A])
    expect(resource.names.troubles).toEqual([{ name: DB, reason: 'dns timeout' }])
    names.tell(DB, nothing())
    names.tell(DB, nothing())
    await eventually(2_000, () => {
      resource.update(seen, live(A))
      expect(healthy()).toEqual([])
    })
    expect(resource.names.unresolved).toMatchObject([{ name: DB, reason: 'dns NXDOMAIN' }])
  })

  test('is urgent while all its addresses are out, and not before they were asked', async () => {
    const seen = cep([DB], { failureThreshold: 1 })
    const { resource, names, outcomes, healthy } = watched(seen)
    names.know(DB, addresses(A, B))
    outcomes.set(A, down)
    outcomes.set(B, 'never')
    resource.adopt(undefined)
    resource.update(seen, undefined)
    expect(names.urgent()).toEqual([])
    outcomes.set(B, down)
    await eventually(4_000, () => {
      resource.update(seen, undefined)
      expect(names.urgent()).toEqual([DB])
    })
    outcomes.set(B, ok)
    await eventually(4_000, () => {
      resource.update(seen, undefined)
      expect(healthy()).toEqual([B])
      expect(names.urgent()).toEqual([])
    })
  })
})
