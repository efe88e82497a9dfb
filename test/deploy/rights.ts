// A short life of an operator in which it needs every right that it has.

import { expect } from 'bun:test'
import { SLICE_MANAGER, SLICE_MANAGER_LABEL } from '../../crds/slices.ts'
import type { Backend } from '../backends/backend.ts'
import { startTcp } from '../backends/tcp.ts'
import type { ControlPlane } from '../controlplane/controlplane.ts'
import { type Api, createApi, type Place, sliceApiVersionOf } from '../integration/api.ts'
import { eventually } from '../integration/eventually.ts'
import type { Installed } from '../integration/installed.ts'
import { type CepSpec, clusterEndpoint, tcpPort } from '../integration/manifests.ts'
import { cepStatus, published, readEvent } from '../integration/objects.ts'
import { type Operator, startOperator } from '../integration/operator.ts'
import { samples } from '../integration/prometheus.ts'

const HOST = '10.33.40.151'
const GO_FINALIZER = 'sealos.io/cluster-endpoints.finalizers'
/** Milliseconds for a step, on a busy machine. */
const STEP_MAX_MS = 10_000

type Stage = {
  readonly api: Api
  readonly place: (plural: Place['plural'], name?: string) => Place
  readonly backend: Backend
}

type Step = {
  readonly act: (stage: Stage) => Promise<unknown>
  readonly until: (stage: Stage) => Promise<unknown>
}

const STEPS: readonly Step[] = [
  {
    act: async () => {},
    until: async ({ api, place, backend }) => {
      const cep = await api.get(place('clusterendpoints', 'web'))
      expect(cep?.metadata.finalizers).toEqual([])
      expect(cepStatus(cep)?.phase).toBe('Healthy')
      const endpoints = await api.get(place('endpoints', 'web'))
      expect(published(endpoints)).toEqual([`tcp TCP ${HOST}:${backend.port}`])
      expect(await eventCounts(api, place, 'HostHealthy')).toEqual([1])
    },
  },
  // What somebody deletes is made anew, once it is sure that this is no end of the ClusterEndpoint.
  ...(['services', 'endpoints'] as const).map(
    (plural): Step => ({
      act: ({ api, place }) => api.remove(place(plural, 'web')),
      until: async ({ api, place }) => {
        expect(await api.get(place(plural, 'web'))).toBeDefined()
      },
    }),
  ),
  {
    act: ({ backend }) => backend.kill(),
    until: async ({ api, place }) => {
      expect(published(await api.get(place('endpoints', 'web')))).toEqual([])
    },
  },
  // The second of its kind is counted up.
  {
    act: ({ backend }) => backend.restart(),
    until: async ({ api, place }) => {
      expect(await eventCounts(api, place, 'HostHealthy')).toEqual([2])
    },
  },
  // A slice that holds no host any more goes.
  {
    act: ({ api, place, backend }) =>
      api.patch(place('clusterendpoints', 'web'), { spec: specOf('renamed', backend) }),
    until: async ({ api, place }) => {
      const { items } = await api.list(place('endpointslices'))
      expect(items.map(({ metadata }) => metadata.name)).toEqual([
        expect.stringContaining('renamed'),
      ])
    },
  },
  // One of ours that was robbed of its label is no longer told of by a watch: it is looked at before it is put right.
  {
    act: async ({ api, place }) => {
      const labels = { [SLICE_MANAGER_LABEL]: null }
      await api.patch(place('endpointslices', await nameOfSlice(api, place)), {
        metadata: { labels },
      })
    },
    until: async ({ api, place }) => {
      const slice = await api.get(place('endpointslices', await nameOfSlice(api, place)))
      expect(slice?.metadata.labels[SLICE_MANAGER_LABEL]).toBe(SLICE_MANAGER)
    },
  },
]

async function nameOfSlice(api: Api, place: Stage['place']): Promise<string> {
  const { items } = await api.list(place('endpointslices'))
  return items[0]?.metadata.name ?? ''
}

/**
 * Runs an operator through its life in `namespace`, which must be new. Resolves as soon as the API
 * server has refused it something, with what that was (`PATCH services`); with nothing when all went
 * well. Rejects when something did not work and nothing was refused.
 */
export async function refusedInLife(
  plane: ControlPlane,
  installed: Installed,
  namespace: string,
): Promise<string[]> {
  const api = createApi({
    request: plane.request,
    sliceApiVersion: sliceApiVersionOf(plane.version),
  })
  const place: Stage['place'] = (plural, name) => ({
    plural,
    namespace,
    ...(name === undefined ? {} : { name }),
  })
  const backend = await startTcp({ host: HOST, port: 0 })
  await api.create(
    { plural: 'namespaces' },
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
  )
  await api.create(
    place('clusterendpoints'),
    clusterEndpoint('web', specOf('tcp', backend), { finalizers: [GO_FINALIZER] }),
  )
  const operator = await startOperator(installed.kubeconfig, [
    ...installed.args,
    '--leader-elect-retry-period=200ms',
  ])
  try {
    for (const { act, until } of STEPS) {
      await act({ api, place, backend })
      await eventually(STEP_MAX_MS, async () => {
        if ((await refusals(operator)).length === 0) await until({ api, place, backend })
      })
      const refused = await refusals(operator)
      if (refused.length > 0) return refused
    }
    return []
  } finally {
    await operator.stop()
    await backend.kill()
    await api.patch(place('clusterendpoints', 'web'), { metadata: { finalizers: null } })
    await api.remove(place('clusterendpoints', 'web'))
  }
}

function specOf(port: string, backend: Backend): CepSpec {
  return {
    periodSeconds: 1,
    ports: [tcpPort(port, backend.port, [HOST], { failureThreshold: 1 })],
  }
}

/** Requests that the API server forbade, by the operator's own count. */
async function refusals({ metricsUrl }: Operator): Promise<string[]> {
  return (await samples(metricsUrl))
    .filter(({ name, labels }) => name === 'cep_api_requests_total' && labels.get('code') === '403')
    .map(({ labels }) => `${labels.get('verb')} ${labels.get('resource')}`)
}

async function eventCounts(api: Api, place: Stage['place'], reason: string): Promise<number[]> {
  const { items } = await api.list(place('events'))
  return items
    .map(readEvent)
    .filter((event) => event.reason === reason)
    .map(({ count }) => count)
}
