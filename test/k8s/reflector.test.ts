// List and watch, through every way in which that can break: what is asked of the API server, and what
// is handed on.

import { describe, expect, test } from 'bun:test'
import type { ApiClient, ApiRequest } from '../../k8s/client.ts'
import { ApiError, NetworkError } from '../../k8s/errors.ts'
import { type ReflectorOptions, startReflector } from '../../k8s/reflector.ts'
import { eventually, throughout } from '../integration/eventually.ts'

/** One thing that a watch does: an event, raw bytes, an error of the connection, its end, or nothing any more. */
type Act = object | string | Error | 'hang'
/** What the server says to one list or one watch, in turn. A function sees the request. */
type ListAnswer = object | Error
type WatchAnswer = readonly Act[] | Error | 'never opens'

const event = (type: string, name: string, version: number) => ({
  type,
  object: { metadata: { name, resourceVersion: String(version) } },
})
const errorEvent = (code: number) => ({
  type: 'ERROR',
  object: { kind: 'Status', code, reason: 'Because', message: `code ${code}` },
})
const page = (version: number, names: readonly string[], token = '') => ({
  metadata: { resourceVersion: String(version), ...(token ? { continue: token } : {}) },
  items: names.map((name) => ({ metadata: { name } })),
})
const api = (status: number) => new ApiError(status, 'Because', `code ${status}`)

/** A reflector against a server that follows a script; after its end lists are empty and watches quiet. */
function started(script: {
  readonly lists?: readonly ListAnswer[]
  readonly watches?: readonly WatchAnswer[]
  readonly options?: Partial<ReflectorOptions>
  readonly whenReachable?: ApiClient['whenReachable']
}) {
  const asked: string[] = []
  const times: number[] = []
  const queries: Readonly<Record<string, string>>[] = []
  const told: string[] = []
  const logs: string[] = []
  const stop = new AbortController()
  const lists = [...(script.lists ?? [])]
  const watches = [...(script.watches ?? [])]
  const client: ApiClient = {
    request: async ({ query = {}, signal }: ApiRequest) => {
      signal?.throwIfAborted()
      asked.push(`list${query.continue ? ` ${query.continue}` : ''}`)
      times.push(performance.now())
      queries.push(query)
      const answer = lists.shift() ?? page(1_000, [])
      if (answer instanceof Error) throw answer
      return answer
    },
    stream: async (_, query, signal) => {
      signal.throwIfAborted()
      asked.push(`watch ${query.resourceVersion}`)
      times.push(performance.now())
      queries.push(query)
      const answer = watches.shift() ?? ['hang']
      if (answer instanceof Error) throw answer
      if (answer === 'never opens') return await abortOf(signal)
      return acting(answer, signal)
    },
    whenReachable: script.whenReachable ?? (() => new Promise(() => {})),
  }
  const note = (level: string) => (message: string, fields?: object) =>
    void logs.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`)
  const reflector = startReflector({
    client,
    log: { error: note('error'), warn: note('warn'), info: note('info'), debug: () => {} },
    path: '/apis/sealos.io/v1beta1/clusterendpoints',
    signal: stop.signal,
    onReplace: (objects, version) => told.push(`replace ${objects.length} at ${version}`),
    onChange: (type, object) => told.push(`${type} ${JSON.stringify(object).slice(21, 22)}`),
    ...script.options,
  })
  return { reflector, asked, times, queries, told, logs, stop }
}

async function* acting(acts: readonly Act[], signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for (const act of acts) {
    if (act === 'hang') await abortOf(signal)
    if (act instanceof Error) throw act
    yield Buffer.from(typeof act === 'string' ? act : `${JSON.stringify(act)}\n`)
  }
}

function abortOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

describe.concurrent('what is asked', () => {
  const cases: readonly {
    readonly name: string
    readonly lists?: readonly ListAnswer[]
    readonly watches?: readonly WatchAnswer[]
    readonly asked: readonly string[]
    readonly told?: readonly string[]
    /** Milliseconds between two lists at the beginning, or else between the last two requests. */
    readonly waits?: readonly [least: number, most: number]
  }[] = [
    {
      name: 'a list, then a watch from its version',
      lists: [page(7, ['a', 'b'])],
      asked: ['list', 'watch 7'],
      told: ['replace 2 at 7'],
    },
    {
      name: 'all pages, handed over as one',
      lists: [page(7, ['a'], 'p2'), page(7, ['b'], 'p3'), page(7, ['c'])],
      asked: ['list', 'list p2', 'list p3', 'watch 7'],
      told: ['replace 3 at 7'],
    },
    {
      name: 'a list whose items are null',
      lists: [{ metadata: { resourceVersion: '7' }, items: null }],
      asked: ['list', 'watch 7'],
      told: ['replace 0 at 7'],
    },
    {
      name: 'after a watch that the server ended, the next from the last version',
      lists: [page(7, [])],
      watches: [[event('ADDED', 'a', 8), event('DELETED', 'a', 9)]],
      asked: ['list', 'watch 7', 'watch 9'],
      told: ['replace 0 at 7', 'ADDED a', 'DELETED a'],
    },
    {
      name: 'after a bookmark, from there; it is no object',
      lists: [page(7, [])],
      watches: [[event('BOOKMARK', '', 50)]],
      asked: ['list', 'watch 7', 'watch 50'],
      told: ['replace 0 at 7'],
    },
    {
      name: 'after an event of a type nobody knows, from there',
      lists: [page(7, [])],
      watches: [[event('EXPLODED', 'a', 8), event('ADDED', 'b', 9)]],
      asked: ['list', 'watch 7', 'watch 9'],
      told: ['replace 0 at 7', 'ADDED b'],
    },
    {
      name: 'never from a version before the last',
      lists: [page(7, [])],
      watches: [[event('ADDED', 'a', 9), event('ADDED', 'b', 8), event('BOOKMARK', '', 3)]],
      asked: ['list', 'watch 7', 'watch 9'],
      told: ['replace 0 at 7', 'ADDED a', 'ADDED b'],
    },
    {
      name: 'after a cut in the middle of a line, the next watch from the last whole one',
      lists: [page(7, [])],
      watches: [
        [event('ADDED', 'a', 8), '{"type":"MODIFIED","obj', new NetworkError('reset')],
        [event('MODIFIED', 'a', 9), 'hang'],
      ],
      asked: ['list', 'watch 7', 'watch 8'],
      told: ['replace 0 at 7', 'ADDED a', 'MODIFIED a'],
      waits: [790, 3_000],
    },
    {
      name: 'after a watch that was refused, the same one again, and no list',
      lists: [page(7, [])],
      watches: [new NetworkError('refused'), new NetworkError('refused')],
      asked: ['list', 'watch 7', 'watch 7', 'watch 7'],
    },
    {
      name: 'after 429 on opening, the same watch again, and no list',
      lists: [page(7, [])],
      watches: [api(429)],
      asked: ['list', 'watch 7', 'watch 7'],
    },
    {
      name: 'after 429 in the stream, the same watch again, and no list',
      lists: [page(7, [])],
      watches: [[errorEvent(429)]],
      asked: ['list', 'watch 7', 'watch 7'],
    },
    {
      name: 'after Retry-After, no sooner than it says',
      lists: [page(7, [])],
      watches: [new ApiError(429, '', '', 2_500)],
      asked: ['list', 'watch 7', 'watch 7'],
      waits: [2_490, 6_000],
    },
    {
      name: 'after 500 on opening, the same watch again, and a list from the third time on',
      lists: [page(7, []), page(20, [])],
      watches: [api(500), api(504), api(500)],
      asked: ['list', 'watch 7', 'watch 7', 'watch 7', 'list', 'watch 20'],
    },
    {
      name: 'after 500 in the stream, a list: the server stumbles over that version',
      lists: [page(7, []), page(20, [])],
      watches: [[event('ADDED', 'a', 8), errorEvent(500)]],
      asked: ['list', 'watch 7', 'list', 'watch 20'],
    },
    {
      name: 'after 410 on the list, the list anew',
      lists: [api(410), page(7, [])],
      asked: ['list', 'list', 'watch 7'],
      told: ['replace 0 at 7'],
      waits: [0, 700],
    },
    {
      name: 'after 410 in the middle of the pages, all of them anew, none handed over twice',
      lists: [page(7, ['a'], 'p2'), api(410), page(9, ['a'], 'p2'), page(9, ['b'])],
      asked: ['list', 'list p2', 'list', 'list p2', 'watch 9'],
      told: ['replace 2 at 9'],
    },
    {
      name: 'after 410 on opening, right after the list, a list that waits',
      lists: [page(7, []), page(9, [])],
      watches: [api(410)],
      asked: ['list', 'watch 7', 'list', 'watch 9'],
      told: ['replace 0 at 7', 'replace 0 at 9'],
    },
    {
      name: 'after 403, a list',
      lists: [page(7, []), page(9, [])],
      watches: [api(403)],
      asked: ['list', 'watch 7', 'list', 'watch 9'],
    },
    {
      name: 'after a line that is no JSON, a list',
      lists: [page(7, []), page(9, [])],
      watches: [[event('ADDED', 'a', 8), 'nonsense\n']],
      asked: ['list', 'watch 7', 'list', 'watch 9'],
    },
    {
      name: 'after an event without a version, a list',
      lists: [page(7, []), page(9, [])],
      watches: [[{ type: 'ADDED', object: {} }]],
      asked: ['list', 'watch 7', 'list', 'watch 9'],
    },
    {
      name: 'after a watch that ended at once without an event, a list that waits',
      lists: [page(7, []), page(9, [])],
      watches: [[]],
      asked: ['list', 'watch 7', 'list', 'watch 9'],
    },
    {
      name: 'after an answer that is no list, the list again',
      lists: [{ kind: 'Nonsense' }, page(7, [])],
      asked: ['list', 'list', 'watch 7'],
      waits: [790, 3_000],
    },
    {
      name: 'after 404, the list again and again',
      lists: [api(404), api(404), page(7, [])],
      asked: ['list', 'list', 'list', 'watch 7'],
    },
  ]
  for (const { name, lists = [], watches = [], asked, told, waits } of cases) {
    test(name, async () => {
      const world = started({ lists, watches })
      await eventually(15_000, () => expect(world.asked).toEqual([...asked]))
      if (told) await eventually(1_000, () => expect(world.told).toEqual([...told]))
      if (waits) {
        const index = asked[1] === 'list' ? 1 : world.times.length - 1
        const gapMs = (world.times[index] ?? 0) - (world.times[index - 1] ?? 0)
        expect(gapMs).toBeWithin(waits[0], waits[1])
      }
      // And nothing more.
      await throughout(200, () => expect(world.asked).toHaveLength(asked.length))
      world.stop.abort()
      await world.reflector.done
    }, 20_000)
  }
})

describe.concurrent('pace', () => {
  test('a server that ends each watch after an event is asked about once a second', async () => {
    const watches = Array.from({ length: 100 }, (_, n) => [event('MODIFIED', 'a', 10 + n)])
    const world = started({ lists: [page(7, [])], watches })
    await Bun.sleep(3_500)
    expect(world.asked.length).toBeWithin(3, 7)
    world.stop.abort()
  }, 20_000)

  test('a server that says 410 after an event of every watch is not asked in a loop', async () => {
    const lists = Array.from({ length: 100 }, (_, n) => page(10 + n, []))
    const watches = Array.from({ length: 100 }, () => [event('ADDED', 'a', 9), errorEvent(410)])
    const world = started({ lists, watches })
    await Bun.sleep(4_000)
    expect(world.asked.filter((what) => what === 'list').length).toBeWithin(2, 7)
    world.stop.abort()
  }, 20_000)

  const forever = <T>(make: (n: number) => T) => Array.from({ length: 100 }, (_, n) => make(n))
  const lists = forever((n) => page(10 + n, []))
  for (const [name, script] of [
    ['a missing CRD', { lists: forever(() => api(404)) }],
    ['410 to every list', { lists: forever(() => api(410)) }],
    ['400 to every list', { lists: forever(() => api(400)) }],
    ['500 to every list', { lists: forever(() => api(500)) }],
    ['no list but nonsense', { lists: forever(() => ({ kind: 'Nonsense' })) }],
    ['no connection', { lists: forever(() => new NetworkError('refused')) }],
    ['410 to every watch', { lists, watches: forever(() => api(410)) }],
    ['410 in every watch', { lists, watches: forever(() => [errorEvent(410)]) }],
    ['nonsense in every watch', { lists, watches: forever(() => ['nonsense\n']) }],
    ['watches that end at once', { lists, watches: forever(() => []) }],
  ] as const) {
    test(`the end of this is noticed within seconds, however long it lasts: ${name}`, async () => {
      const world = started(script)
      const tries = () => world.times.filter((atMs, n) => atMs - (world.times[n - 1] ?? 0) > 100)
      await eventually(30_000, () => expect(tries().length).toBeGreaterThan(5))
      world.stop.abort()
      const gaps = tries().map((atMs, n) => atMs - (tries()[n - 1] ?? atMs))
      // Up to 3.2 s; the next ones would be 3.2 to 6.4 and 6.4 to 12.8.
      expect(Math.max(...gaps)).toBeLessThan(3_500)
      // But nobody asks in a loop.
      expect(gaps.at(-1)).toBeGreaterThan(1_500)
    }, 40_000)
  }

  test('the wait is cut short when the API server is found to be back', async () => {
    const back = Promise.withResolvers<void>()
    const world = started({
      lists: [new NetworkError('a'), new NetworkError('b'), new NetworkError('c'), page(7, [])],
      whenReachable: () => back.promise,
    })
    await eventually(10_000, () => expect(world.asked).toHaveLength(3))
    await Bun.sleep(900)
    back.resolve()
    const tookMs = await eventually(5_000, () => expect(world.asked).toContain('watch 7'))
    expect(tookMs).toBeLessThan(1_000)
    world.stop.abort()
  }, 20_000)
})

describe.concurrent('silence', () => {
  for (const [name, watch] of [
    ['never opens', 'never opens'],
    ['falls silent', [event('ADDED', 'a', 8), 'hang']],
  ] as const) {
    test(`a watch that ${name} is opened again where it stood, and told`, async () => {
      const options = { silenceMs: 150 }
      const world = started({ lists: [page(7, [])], watches: [watch, ['hang']], options })
      const from = watch === 'never opens' ? 'watch 7' : 'watch 8'
      await eventually(2_000, () =>
        expect(world.asked.slice(0, 3)).toEqual(['list', 'watch 7', from]),
      )
      expect(world.logs[0]).toStartWith('info watch fell silent; opening it again')
      world.stop.abort()
      await world.reflector.done
    })
  }

  test('a watch in which bytes come, even bookmarks only, is left alone', async () => {
    async function* bookmarks(signal: AbortSignal) {
      for (let n = 8; !signal.aborted; n++) {
        yield Buffer.from(`${JSON.stringify(event('BOOKMARK', '', n))}\n`)
        await Bun.sleep(50)
      }
    }
    let opened = 0
    const stop = new AbortController()
    const reflector = startReflector({
      client: {
        request: async () => page(7, []),
        stream: async (_, __, signal) => {
          opened++
          return bookmarks(signal)
        },
        whenReachable: async () => {},
      },
      log: { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} },
      path: '/x',
      signal: stop.signal,
      onReplace: () => {},
      onChange: () => {},
      silenceMs: 200,
    })
    await reflector.synced
    await throughout(1_000, () => expect(opened).toBeLessThanOrEqual(1))
    stop.abort()
    await reflector.done
  })
})

describe('the rest', () => {
  test('a watch asks for bookmarks, an end within 5 to 10 minutes, and the label', async () => {
    const world = started({ lists: [page(7, [])], options: { labelSelector: 'a=b' } })
    await eventually(1_000, () => expect(world.asked).toHaveLength(2))
    const [list, watch] = world.queries
    expect(list).toEqual({ labelSelector: 'a=b', limit: '500' })
    expect(watch).toEqual({
      labelSelector: 'a=b',
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: '7',
      timeoutSeconds: expect.any(String),
    })
    expect(Number(watch?.timeoutSeconds)).toBeWithin(300, 601)
    world.stop.abort()
  })

  test('refresh() lists anew in the middle of a quiet watch, unless the last list is young enough', async () => {
    const world = started({ lists: [page(7, ['a']), page(9, ['a', 'b'])] })
    await eventually(1_000, () => expect(world.asked).toEqual(['list', 'watch 7']))
    await world.reflector.refresh(60_000)
    expect(world.asked).toEqual(['list', 'watch 7'])
    await Promise.all([world.reflector.refresh(0), world.reflector.refresh(0)])
    await eventually(1_000, () =>
      expect(world.asked).toEqual(['list', 'watch 7', 'list', 'watch 9']),
    )
    expect(world.told).toEqual(['replace 1 at 7', 'replace 2 at 9'])
    world.stop.abort()
  })

  test('refresh() goes on through failures until a list is in', async () => {
    const world = started({ lists: [page(7, []), api(500), new NetworkError('lost'), page(9, [])] })
    await eventually(1_000, () => expect(world.asked).toEqual(['list', 'watch 7']))
    await world.reflector.refresh(0)
    expect(world.told.at(-1)).toBe('replace 0 at 9')
    world.stop.abort()
  })

  test('200,000 objects in one page are taken', async () => {
    const items = Array.from({ length: 200_000 }, () => 0)
    const world = started({ lists: [{ metadata: { resourceVersion: '7' }, items }] })
    await eventually(2_000, () => expect(world.told).toEqual(['replace 200000 at 7']))
    world.stop.abort()
  })

  test('state() and synced tell when the first list is in, and trouble while it lasts', async () => {
    const gate = Promise.withResolvers<void>()
    const world = started({ lists: [api(404), page(7, [])] })
    let isSynced = false
    void world.reflector.synced.then(() => {
      isSynced = true
      gate.resolve()
    })
    await eventually(1_000, () => expect(world.asked).toHaveLength(1))
    await Bun.sleep(0)
    expect([isSynced, world.reflector.state()]).toMatchObject([
      false,
      {
        isSynced: false,
        lists: 0,
        watches: 0,
        trouble: '/apis/sealos.io/v1beta1/clusterendpoints is not served; is the CRD installed?',
      },
    ])
    await gate.promise
    await eventually(1_000, () =>
      expect(world.reflector.state()).toMatchObject({
        isSynced: true,
        lists: 1,
        watches: 1,
        trouble: undefined,
      }),
    )
    world.stop.abort()
  })

  test('the same trouble is told once, its end once', async () => {
    const world = started({ lists: [api(403), api(403), page(7, [])] })
    await eventually(10_000, () => expect(world.asked).toContain('watch 7'))
    expect(world.logs.map((line) => line.split(' {')[0])).toEqual([
      'warn cannot watch; trying again',
      'info watching again',
    ])
    expect(world.logs[0]).toContain('not allowed: code 403')
    world.stop.abort()
  })

  for (const [name, script] of [
    ['in a quiet watch', { lists: [page(7, [])] }],
    ['in a backoff', { lists: [api(500)] }],
    ['before it began', {}],
  ] as const) {
    test(`ends at once when it is told to: ${name}`, async () => {
      const world = started(script)
      if (name !== 'before it began')
        await eventually(1_000, () => expect(world.asked.length).toBeGreaterThan(0))
      const startMs = performance.now()
      world.stop.abort(new Error('stopping'))
      await world.reflector.done
      expect(performance.now() - startMs).toBeLessThan(500)
      expect(world.reflector.state().trouble ?? 'code 500').toBe('code 500')
    })
  }
})
