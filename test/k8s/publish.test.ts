// What is published in worlds in which slices cannot be had, or not yet: the controller against the
// in-process API server, with hosts that answer as the test says.

import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createLookup } from '../../dns/lookup.ts'
import { createClient } from '../../k8s/client.ts'
import { loadConfig } from '../../k8s/config.ts'
import { startController } from '../../k8s/controller.ts'
import type { PublishWish } from '../../k8s/publishing.ts'
import { type Outcome, ok } from '../../probes/target.ts'
import { startMirroring } from '../apiserver/mirroring.ts'
import { type ApiServer, startApiServer } from '../apiserver/server.ts'
import { eventually, throughout } from '../integration/eventually.ts'
import { readObject, readSlice } from '../integration/objects.ts'
import { questionBy } from '../probes/asking.ts'
import { publishedIn } from '../soak/model.ts'

const CRD = readFileSync(join(import.meta.dir, '../../crds/clusterendpoints.yaml'), 'utf8')
const SKIP_MIRROR = 'endpointslice.kubernetes.io/skip-mirror'
const HOSTS = ['10.1.0.1', '10.1.0.2']
const log = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} }

/** A cluster with one resource of two hosts. */
function startWorld() {
  const server = startApiServer()
  server.store.applyCrd(CRD)
  server.store.create({
    apiVersion: 'sealos.io/v1beta1',
    kind: 'ClusterEndpoint',
    metadata: { name: 'web' },
    spec: { periodSeconds: 1, ports: [{ port: 80, hosts: HOSTS, tcpSocket: {} }] },
  })
  return Object.assign(server, { [Symbol.dispose]: () => server.stop() })
}

/** An operator that leads; disposing of it ends it. */
async function startOperator(
  server: ApiServer,
  publish: PublishWish,
  attempt: () => Promise<Outcome> = async () => ok,
) {
  const stop = new AbortController()
  const { signal } = stop
  const config = await loadConfig({ kubeconfig: server.kubeconfig() })
  const controller = startController({
    client: createClient(config, { userAgent: 'endpoints-operator/test' }),
    ...{ log, signal, publish, questionOf: questionBy(attempt), policy: { allowLoopback: false } },
    ...{ lookup: createLookup(() => []), concurrency: 2, inFlightMax: 10, instance: 'test' },
  })
  const led = controller.synced.then(() => controller.lead({ signal, mayWrite: () => true }))
  return {
    controller,
    [Symbol.asyncDispose]: async () => {
      stop.abort(new Error('the test is over'))
      await Promise.all([Promise.race([led, Bun.sleep(1_000)]), controller.done])
    },
  }
}

function standing({ store }: ApiServer) {
  const endpoints = store.get('endpoints', 'default', 'web')
  return {
    addresses: [...publishedIn(endpoints)].length,
    isMirrored: endpoints && readObject(endpoints).metadata.labels[SKIP_MIRROR] !== 'true',
    slices: ready(store.list('endpointslices', 'default')).length,
  }
}

function ready(slices: ReturnType<ApiServer['store']['list']>): string[] {
  const told = slices.flatMap((slice) => readSlice(readObject(slice)).told)
  return told.filter((each) => !each.startsWith('!'))
}

const both = { addresses: 2, isMirrored: false, slices: 2 }
const endpointsAlone = { addresses: 2, isMirrored: true, slices: 0 }

describe('auto', () => {
  test('publishes both where slices are served', async () => {
    using server = startWorld()
    await using _operator = await startOperator(server, 'auto')
    await eventually(5_000, () => expect(standing(server)).toEqual(both))
  })

  test('publishes Endpoints alone under a role of before, and both once it may', async () => {
    using server = startWorld()
    server.setForbid((_user, _verb, resource) => resource === 'endpointslices')
    await using operator = await startOperator(server, 'auto')
    await eventually(5_000, () => expect(standing(server)).toEqual(endpointsAlone))
    expect(operator.controller.reflectors.endpointslices?.state().isSynced).toBe(true)
    server.setForbid(undefined)
    await eventually(10_000, () => expect(standing(server)).toEqual(both))
  }, 20_000)

  test('goes on with Endpoints that are copied when it may read slices and not write them', async () => {
    using server = startWorld()
    server.setForbid((_user, verb, resource) => resource === 'endpointslices' && verb === 'patch')
    await using _operator = await startOperator(server, 'auto')
    await eventually(5_000, () => {
      expect(standing(server)).toEqual(endpointsAlone)
      const status = server.store.get('clusterendpoints', 'default', 'web')?.status
      expect(JSON.stringify(status ?? {})).toContain('Forbidden')
    })
    server.setForbid(undefined)
    await eventually(10_000, () => expect(standing(server)).toEqual(both))
  }, 20_000)

  test('writes Endpoints while the API server fails at slices', async () => {
    using server = startWorld()
    const fault = server.fault(
      { method: 'PATCH', resource: 'endpointslices' },
      { kind: 'status', code: 500 },
    )
    await using _operator = await startOperator(server, 'auto')
    await eventually(5_000, () => expect(standing(server)).toEqual(endpointsAlone))
    fault.remove()
    await eventually(10_000, () => expect(standing(server)).toEqual(both))
  }, 20_000)

  test('publishes Endpoints alone where slices are not served', async () => {
    using server = startWorld()
    const isGroup = ({ path }: { readonly path: string }) =>
      path.startsWith('/apis/discovery.k8s.io')
    server.fault(isGroup, { kind: 'status', code: 404 })
    await using _operator = await startOperator(server, 'auto')
    await eventually(5_000, () => expect(standing(server)).toEqual(endpointsAlone))
  })
})

describe('slices', () => {
  test('are waited for where they are asked for and not allowed, and Endpoints stay as they are', async () => {
    using server = startWorld()
    server.setForbid((_user, _verb, resource) => resource === 'endpointslices')
    await using operator = await startOperator(server, 'slices')
    const state = () => operator.controller.reflectors.endpointslices?.state()
    await eventually(5_000, () => expect(state()?.trouble).toContain('not allowed'))
    expect(state()?.isSynced).toBe(false)
    expect(standing(server)).toEqual({ addresses: 0, isMirrored: undefined, slices: 0 })
    server.setForbid(undefined)
    await eventually(10_000, () =>
      expect(standing(server)).toEqual({ addresses: 0, isMirrored: undefined, slices: 2 }),
    )
  }, 20_000)

  test('alone are enough for a new operator to believe in hosts until a probe says otherwise', async () => {
    using server = startWorld()
    {
      await using _operator = await startOperator(server, 'slices')
      await eventually(5_000, () => expect(standing(server).slices).toBe(2))
    }
    const never = () => new Promise<Outcome>(() => {})
    await using _operator = await startOperator(server, 'slices', never)
    await throughout(2_500, () => expect(standing(server).slices).toBe(2))
  })
})

describe('going over', () => {
  const ways: readonly [from: PublishWish, to: PublishWish][] = [
    ['endpoints', 'both'],
    ['endpoints', 'slices'],
    ['slices', 'endpoints'],
    ['both', 'endpoints'],
  ]
  for (const [from, to] of ways) {
    test(`from ${from} to ${to} takes one set away when the other is whole, not before`, async () => {
      using server = startWorld()
      const stopMirroring = startMirroring(server)
      using _mirroring = { [Symbol.dispose]: stopMirroring }
      const slices = (isOurs: boolean) =>
        ready(
          server.store
            .list('endpointslices', 'default')
            .filter((slice) => isOurs === readObject(slice).metadata.name.startsWith('web.')),
        ).length
      const isSteady = (publish: PublishWish) =>
        publish === 'endpoints'
          ? [slices(true), slices(false)].join() === '0,2'
          : slices(false) === 0 && slices(true) === 2
      {
        await using _operator = await startOperator(server, from)
        await eventually(5_000, () => expect(isSteady(from)).toBe(true))
        // Its Endpoints may come a moment after its slices; they are not to be taken for a step of the other.
        if (from === 'both') await eventually(5_000, () => expect(standing(server)).toEqual(both))
      }
      const taken: string[] = []
      const stop = server.onEvent(({ type, resource, object }) => {
        const { labels, name } = readObject(object).metadata
        const isLeft = type === 'DELETED' || labels[SKIP_MIRROR] === 'true'
        if (resource === 'endpoints' && isLeft)
          taken.push(`Endpoints beside ${slices(true)} of ours`)
        if (resource === 'endpointslices' && type === 'DELETED' && name.startsWith('web.')) {
          taken.push(`ours beside ${slices(false)} copies`)
        }
      })
      await using _operator = await startOperator(server, to)
      await eventually(5_000, () => expect(isSteady(to)).toBe(true))
      stop()
      expect(taken[0]).toBe(
        to === 'endpoints' ? 'ours beside 2 copies' : 'Endpoints beside 2 of ours',
      )
    })
  }
})

describe('endpoints', () => {
  test('takes slices of before away after a while, even where nobody copies Endpoints', async () => {
    using server = startWorld()
    {
      await using _operator = await startOperator(server, 'both')
      await eventually(5_000, () => expect(standing(server)).toEqual(both))
    }
    await using _operator = await startOperator(server, 'endpoints')
    await eventually(5_000, () => expect(standing(server)).toEqual({ ...both, isMirrored: true }))
    await throughout(2_000, () => expect(standing(server).slices).toBe(2))
    await eventually(35_000, () => expect(standing(server)).toEqual(endpointsAlone))
  }, 60_000)
})
