// Our EndpointSlices as a watch tells them, in whichever version the API server has them, and what it
// means that it has none for us.

import { describe, expect, test } from 'bun:test'
import type { SliceApiVersion } from '../../crds/slices.ts'
import type { ApiClient } from '../../k8s/client.ts'
import { ApiError } from '../../k8s/errors.ts'
import { type SlicesOptions, startSlices } from '../../k8s/slices.ts'
import { liveMetadata } from '../crds/live.ts'
import { eventually } from '../integration/eventually.ts'

const V1 = 'discovery.k8s.io/v1'
const V1BETA1 = 'discovery.k8s.io/v1beta1'
const log = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} }

const sliceOf = (name: string, resourceVersion = '5') => ({
  metadata: liveMetadata({ name, resourceVersion }),
  addressType: 'IPv4',
  endpoints: [],
})

/** Slices of an API server that serves `served` of the group, or refuses to list with a status. */
function started(
  served: readonly string[],
  more: { readonly isRequired?: boolean; readonly status?: number; readonly names?: string[] } = {},
) {
  const world = { served, status: more.status ?? 0 }
  const asked: string[] = []
  const news: string[] = []
  let available = 0
  const stop = new AbortController()
  let cut = Promise.withResolvers<void>()
  const answer = (path: string) => {
    if (path === '/apis/discovery.k8s.io') {
      return { versions: world.served.map((groupVersion) => ({ groupVersion })) }
    }
    const isServed = world.served.some((version) => path === `/apis/${version}/endpointslices`)
    const status = isServed ? world.status : 404
    if (status !== 0) throw new ApiError(status, 'Because', `code ${status}`)
    return {
      metadata: { resourceVersion: '7' },
      items: (more.names ?? []).map((name) => sliceOf(name)),
    }
  }
  const client: ApiClient = {
    request: async ({ path }) => {
      asked.push(path)
      return answer(path)
    },
    stream: async (path) => {
      asked.push(`watch ${path}`)
      answer(path)
      return (async function* (): AsyncGenerator<Uint8Array> {
        await cut.promise
        yield new TextEncoder().encode(
          '{"type":"ERROR","object":{"code":410,"reason":"Expired","message":"too old"}}\n',
        )
      })()
    },
    whenReachable: () => new Promise(() => {}),
  }
  const options: SlicesOptions = {
    ...{ client, log, signal: stop.signal, isRequired: more.isRequired ?? false },
    onNews: (key) => void news.push(key),
    onAvailable: () => void available++,
    onUnreadable: (error) => {
      throw error
    },
  }
  const slices = startSlices(options)
  return {
    slices,
    world,
    asked,
    news,
    available: () => available,
    cutWatches: () => {
      cut.resolve()
      cut = Promise.withResolvers()
    },
    [Symbol.dispose]: () => stop.abort(),
  }
}

describe('startSlices()', () => {
  const versions: readonly [served: readonly string[], best: SliceApiVersion][] = [
    [[V1], V1],
    [[V1BETA1], V1BETA1],
    [[V1BETA1, V1], V1],
    [[V1, V1BETA1, 'discovery.k8s.io/v2'], V1],
  ]
  for (const [served, best] of versions) {
    test(`takes ${best} where ${served.join(', ')} is served, and asks once`, async () => {
      using world = started(served)
      await world.slices.reflector.synced
      expect(world.slices.apiVersion()).toBe(best)
      await eventually(1_000, () =>
        expect(world.asked).toEqual([
          '/apis/discovery.k8s.io',
          `/apis/${best}/endpointslices`,
          `watch /apis/${best}/endpointslices`,
        ]),
      )
      expect(world.available()).toBe(1)
    })
  }

  test('goes on in v1 when v1beta1 is no longer served', async () => {
    using world = started([V1BETA1])
    await world.slices.reflector.synced
    await eventually(1_000, () => expect(world.asked).toHaveLength(3))
    world.world.served = [V1]
    world.cutWatches()
    await eventually(5_000, () => expect(world.slices.apiVersion()).toBe(V1))
    expect(world.asked.filter((path) => path === '/apis/discovery.k8s.io')).toHaveLength(2)
    // No news: the slices are the same ones.
    expect(world.available()).toBe(1)
  })

  const missing: readonly [name: string, served: readonly string[], status: number][] = [
    ['it is not allowed to', [V1], 403],
    ['no version that it knows is served', ['discovery.k8s.io/v2'], 0],
  ]
  for (const [name, served, status] of missing) {
    test(`does not hold anybody up where ${name}, until it can`, async () => {
      using world = started(served, { status })
      await world.slices.reflector.synced
      await world.slices.reflector.refresh(0)
      expect(world.slices.reflector.state().isSynced).toBe(true)
      expect(world.slices.reflector.state().trouble).toBeDefined()
      expect(world.slices.apiVersion()).toBeUndefined()
      expect(world.available()).toBe(0)
      world.world.served = [V1]
      world.world.status = 0
      await eventually(8_000, () => expect(world.slices.apiVersion()).toBe(V1))
      expect(world.available()).toBe(1)
    })

    test(`is waited for where ${name} and it is required`, async () => {
      using world = started(served, { status, isRequired: true })
      await eventually(2_000, () => expect(world.slices.reflector.state().trouble).toBeDefined())
      expect(world.slices.reflector.state().isSynced).toBe(false)
      world.world.served = [V1]
      world.world.status = 0
      await world.slices.reflector.synced
      expect(world.slices.apiVersion()).toBe(V1)
    }, 15_000)
  }

  test('is waited for while the API server does not answer', async () => {
    using world = started([V1], { status: 500 })
    await eventually(2_000, () => expect(world.slices.reflector.state().trouble).toBeDefined())
    expect(world.slices.reflector.state().isSynced).toBe(false)
  })

  test('finds slices by the ClusterEndpoint that their name begins with', async () => {
    using world = started([V1], {
      names: ['web.a-80-ipv4-0', 'web.b-81-ipv4-0', 'web-2.a-80-ipv4-0'],
    })
    await world.slices.reflector.synced
    const names = (name: string) =>
      world.slices.of({ namespace: 'default', name }).map(({ metadata }) => metadata.name)
    expect(names('web')).toEqual(['web.a-80-ipv4-0', 'web.b-81-ipv4-0'])
    expect(names('web-2')).toEqual(['web-2.a-80-ipv4-0'])
    expect(names('other')).toEqual([])
    expect(new Set(world.news)).toEqual(new Set(['default/web', 'default/web-2']))
  })
})
