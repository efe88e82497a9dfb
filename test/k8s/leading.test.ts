// What a leader tells people, against an API server in words: every Event, the status of whom it is about,
// and both only while it leads.

import { describe, expect, test } from 'bun:test'
import { readEndpoints } from '../../crds/endpoints.ts'
import { readService } from '../../crds/service.ts'
import { createLookup } from '../../dns/lookup.ts'
import type { ApiClient, ApiRequest } from '../../k8s/client.ts'
import { ApiError } from '../../k8s/errors.ts'
import { startLeading } from '../../k8s/leading.ts'
import { createLiveCache } from '../../k8s/live.ts'
import { readSeen } from '../../k8s/resource.ts'
import { type Outcome, ok } from '../../probes/target.ts'
import { eventually, throughout } from '../integration/eventually.ts'
import { questionBy } from '../probes/asking.ts'

const OUT = '10.0.0.2'
const conflict = new ApiError(409, 'Conflict', 'somebody was faster')
const refused: Outcome = { result: 'failed', reason: 'connect ECONNREFUSED' }

function clusterEndpoint(name: string, uid = `uid-${name}`, port = 80) {
  const ports = [{ port, hosts: ['10.0.0.1', OUT], tcpSocket: {}, failureThreshold: 1 }]
  const metadata = { name, namespace: 'ns', uid, resourceVersion: uid === 'another' ? '9' : '1' }
  return { metadata: { ...metadata, generation: 1 }, spec: { ports } }
}

/** A leader; `answer` is what the API server does beside what every one does. Disposing of it ends it. */
function lead(names: readonly string[], answer: (request: ApiRequest) => unknown = () => {}) {
  const stop = new AbortController()
  const { signal } = stop
  const asked: string[] = []
  const silent = () => {}
  const deaf = { onNews: silent, onUnreadable: silent }
  const seen = createLiveCache({ read: readSeen, ...deaf })
  const services = createLiveCache({ read: readService, ...deaf })
  const endpoints = createLiveCache({ read: readEndpoints, ...deaf })
  seen.onReplace(
    names.map((name) => clusterEndpoint(name)),
    '1',
  )
  let version = 1

  const client: ApiClient = {
    request: async (request) => {
      const { method, path, body } = request
      await Bun.sleep(10)
      await answer(request)
      asked.push(`${method} ${path.slice(path.indexOf('/ns/') + 4)}`)
      if (method === 'GET') throw new ApiError(404, 'NotFound', `there is no ${path}`)
      const { metadata } = body as { readonly metadata?: object }
      const name = path.split('/').at(-2) ?? ''
      const resourceVersion = `${++version}`
      if (path.endsWith('/status')) return { ...clusterEndpoint(name), ...(body as object) }
      return {
        ...(body as object),
        metadata: { name: 'e', ...metadata, uid: 'u', resourceVersion },
      }
    },
    stream: async () => await Promise.reject(new Error('Cannot watch')),
    whenReachable: async () => await new Promise(() => {}),
  }
  const { queue, done } = startLeading(
    {
      client,
      log: { error: silent, warn: silent, info: silent, debug: silent },
      policy: { allowLoopback: false },
      publish: 'endpoints',
      lookup: createLookup(() => []),
      ...{ concurrency: 8, inFlightMax: 100, instance: 'pod-1' },
      questionOf: questionBy(async ({ host }) => (host === OUT ? refused : ok)),
    },
    {
      ...{ seen, services, endpoints },
      slices: { apiVersion: () => undefined, of: () => [], learn: silent },
    },
    { signal, mayWrite: () => true },
  )
  for (const name of names) queue.mark(`ns/${name}`, 0)
  return {
    seen,
    queue,
    asked,
    stop: () => stop.abort(new Error('leads no more')),
    [Symbol.asyncDispose]: async () => {
      stop.abort(new Error('the test is over'))
      await done
    },
  }
}

describe('a new resource', () => {
  const isAbout = (each: string) => each.endsWith('endpoints/web')

  test('has its Endpoints looked for once, and written', async () => {
    await using leader = lead(['web'])
    await eventually(5_000, () => expect(leader.asked.at(-1)).toEndWith('/status'))
    expect(leader.asked.filter(isAbout)).toEqual(['GET endpoints/web', 'PATCH endpoints/web'])
  })

  test('has them looked for once more when its spec was invalid for a while', async () => {
    await using leader = lead([])
    const { seen, queue, asked } = leader
    seen.onReplace([clusterEndpoint('web', 'u', 0)], '1')
    queue.mark('ns/web')
    await eventually(5_000, () => expect(asked.at(-1)).toEndWith('/status'))
    const { metadata, spec } = clusterEndpoint('web', 'u')
    seen.onChange('MODIFIED', {
      metadata: { ...metadata, generation: 2, resourceVersion: '2' },
      spec,
    })
    queue.mark('ns/web')
    await eventually(5_000, () => expect(asked).toContain('PATCH endpoints/web'))
    const looks = Array<string>(2).fill('GET endpoints/web')
    expect(asked.filter(isAbout)).toEqual([...looks, 'PATCH endpoints/web'])
  })
})

describe('Events', () => {
  test('none of a start with 300 resources is lost while the API server answers', async () => {
    const names = Array.from({ length: 300 }, (_, n) => `web-${n}`)
    // Twice as slow as what the work waits for: they pile up.
    const slow = async ({ method }: ApiRequest) => {
      if (method === 'POST') await Bun.sleep(10)
    }
    await using leader = lead(names, slow)
    const count = (what: string) => leader.asked.filter((each) => each.endsWith(what)).length
    await eventually(10_000, () => expect(count('/status')).toBeGreaterThanOrEqual(300))
    await eventually(1_000, () => expect(count('POST events')).toBe(600))
  }, 20_000)
})

describe('nothing is told', () => {
  const cases: readonly {
    readonly name: string
    readonly befalls: (leader: Pick<ReturnType<typeof lead>, 'seen' | 'stop'>) => void
  }[] = [
    { name: 'of a resource that is gone', befalls: ({ seen }) => seen.onReplace([], '9') },
    {
      name: 'to another resource of the same name',
      befalls: ({ seen }) => seen.onReplace([clusterEndpoint('web', 'another')], '9'),
    },
    { name: 'by one who leads no more', befalls: ({ stop }) => stop() },
  ]
  for (const { name, befalls } of cases) {
    test(`${name}, though its addresses were just written`, async () => {
      const written = Promise.withResolvers<void>()
      await using leader = lead(['web'], ({ method, path }) => {
        if (method !== 'PATCH' || !path.endsWith('endpoints/web')) return
        befalls(leader)
        written.resolve()
      })
      await written.promise
      await throughout(300, () => {
        expect(leader.asked.filter((each) => /events|status/.test(each))).toEqual([])
      })
    })
  }
})

describe.concurrent('what is refused for good', () => {
  const invalid = new ApiError(422, 'Invalid', 'no such field')
  for (const [name, path, error] of [
    ['a status', '/status', invalid],
    ['a Service', '/services/web', invalid],
    ['a Service, by a conflict', '/services/web', conflict],
  ] as const) {
    test(`is tried ever more rarely: ${name}, though all else succeeds`, async () => {
      const triedMs: number[] = []
      await using _leader = lead(['web'], ({ method, path: asked }) => {
        if (method !== 'PATCH' || !asked.endsWith(path)) return
        triedMs.push(performance.now())
        throw error
      })
      await eventually(15_000, () => expect(triedMs).toHaveLength(4))
      const [, , third = 0, fourth = 0] = triedMs
      // 0.8 to 1.6 s after the first failure, then twice that, then four times.
      expect(fourth - third).toBeGreaterThan(3_000)
    }, 20_000)
  }
})

describe.concurrent('what held up all is over for all with the first that is written', () => {
  const names = Array.from({ length: 12 }, (_, n) => `web-${n}`)
  const about = ({ path }: ApiRequest) => path.split('/').find((part) => names.includes(part))

  for (const [name, error] of [
    ['conflicts', conflict],
    ['an outage of writes alone', new ApiError(500, 'InternalError', 'etcdserver: no leader')],
  ] as const) {
    test(`${name}, however long they would have waited`, async () => {
      const failures = new Map<string, number>()
      const written = new Set<string>()
      let isOver = false
      await using leader = lead(names, (request) => {
        const who = about(request)
        if (request.method !== 'PATCH' || who === undefined) return
        if (isOver) written.add(who)
        else failures.set(who, (failures.get(who) ?? 0) + 1)
        if (!isOver) throw error
      })
      // The next wait of each is 6.4 to 12.8 s.
      await eventually(30_000, () =>
        expect([...failures.values()].filter((times) => times >= 4)).toHaveLength(names.length),
      )
      isOver = true
      await eventually(15_000, () => expect(written.size).toBeGreaterThan(0))
      const tookMs = await eventually(15_000, () => expect(written.size).toBe(names.length))
      // Up to a second, and the writes of each.
      expect(tookMs).toBeLessThan(2_000)
      // And then nobody is written any more.
      await Bun.sleep(1_500)
      const asked = leader.asked.length
      await throughout(2_000, () => expect(leader.asked).toHaveLength(asked))
    }, 60_000)
  }

  test('but what is held up for good is not tried each time that another one is written', async () => {
    const triedMs: number[] = []
    const [bad = '', good = ''] = names
    await using leader = lead([bad, good], (request) => {
      if (request.method !== 'PATCH' || about(request) !== bad) return
      triedMs.push(performance.now())
      throw conflict
    })
    const { seen, queue } = leader
    let version = 10
    const edits = setInterval(() => {
      const { metadata, spec } = clusterEndpoint(good)
      const labels = { edited: `${++version}` }
      const edited = { ...metadata, labels, generation: version, resourceVersion: `${version}` }
      seen.onChange('MODIFIED', { metadata: edited, spec })
      queue.mark(`ns/${good}`)
    }, 200)
    try {
      await eventually(20_000, () => expect(triedMs).toHaveLength(4))
    } finally {
      clearInterval(edits)
    }
    const [, , third = 0, fourth = 0] = triedMs
    expect(fourth - third).toBeGreaterThan(3_000)
    const writes = leader.asked.filter((each) => each === `PATCH services/${good}`)
    expect(writes.length).toBeGreaterThan(10)
  }, 30_000)
})
