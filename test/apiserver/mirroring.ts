// What kube-controller-manager does with Endpoints: it copies them into EndpointSlices, unless told not
// to. Only what tests of a second writer of slices need: no limit, no retries, no events.

import { type Json, type JsonMap, listAt, mapAt, textAt } from './json.ts'
import type { KubeObject } from './object.ts'
import type { ApiServer } from './server.ts'

/** Source: kubernetes pkg/controller/endpointslicemirroring. */
const MANAGER = 'endpointslicemirroring-controller.k8s.io'
const MANAGER_LABEL = 'endpointslice.kubernetes.io/managed-by'
const SERVICE_LABEL = 'kubernetes.io/service-name'
const SKIP_LABEL = 'endpointslice.kubernetes.io/skip-mirror'

/** Milliseconds after a change: a controller hears of it by a watch. */
const DELAY_MS = 30

/** Copies from now on; the result ends it. */
export function startMirroring({ store, onEvent }: ApiServer): () => void {
  const timers = new Map<string, ReturnType<typeof setTimeout>>()

  function mirror(namespace: string, name: string): void {
    const service = store.get('services', namespace, name)
    const endpoints = store.get('endpoints', namespace, name)
    const isMirrored =
      endpoints !== undefined &&
      service !== undefined &&
      Object.keys(mapAt(service, 'spec', 'selector')).length === 0 &&
      textAt(endpoints, 'metadata', 'labels', SKIP_LABEL) !== 'true'
    const wanted = isMirrored ? copiesOf(endpoints) : []
    const names = new Set(wanted.map((copy) => textAt(copy, 'metadata', 'name')))
    for (const slice of store.list('endpointslices', namespace)) {
      if (!isCopyOf(slice, name) || names.has(slice.metadata.name)) continue
      store.delete('endpointslices', namespace, slice.metadata.name)
    }
    for (const copy of wanted) {
      const live = store.get('endpointslices', namespace, textAt(copy, 'metadata', 'name'))
      if (live === undefined) store.create(copy)
      else store.update(copy)
    }
  }

  const stop = onEvent(({ resource, object }) => {
    if (resource !== 'endpoints' && resource !== 'services') return
    const { namespace = '', name } = object.metadata
    const key = `${namespace}/${name}`
    if (timers.has(key)) return
    const timer = setTimeout(() => {
      timers.delete(key)
      mirror(namespace, name)
    }, DELAY_MS)
    timers.set(key, timer)
  })
  return () => {
    stop()
    for (const timer of timers.values()) clearTimeout(timer)
  }
}

function isCopyOf({ metadata }: KubeObject, name: string): boolean {
  const labels = mapAt(metadata.labels)
  return labels[MANAGER_LABEL] === MANAGER && labels[SERVICE_LABEL] === name
}

/** One slice for each subset and family. */
function copiesOf(endpoints: KubeObject): JsonMap[] {
  const { namespace = '', name, uid, labels = {} } = endpoints.metadata
  const owner = { apiVersion: 'v1', kind: 'Endpoints', name, uid, controller: true }
  return listAt(endpoints, 'subsets').flatMap((subset, index) =>
    (['IPv4', 'IPv6'] as const).flatMap((addressType) => {
      const isOfFamily = (ip: string) => ip.includes(':') === (addressType === 'IPv6')
      const copied = [
        ...endpointsOf(subset, 'addresses', true),
        ...endpointsOf(subset, 'notReadyAddresses', false),
      ].filter(({ addresses: [ip = ''] }) => isOfFamily(ip))
      if (copied.length === 0) return []
      return [
        {
          apiVersion: 'discovery.k8s.io/v1',
          kind: 'EndpointSlice',
          metadata: {
            name: `${name}-copy-${addressType.toLowerCase()}-${index}`,
            namespace,
            labels: { ...mapAt(labels), [SERVICE_LABEL]: name, [MANAGER_LABEL]: MANAGER },
            ownerReferences: [owner],
          },
          addressType,
          ports: listAt(subset, 'ports'),
          endpoints: copied,
        },
      ]
    }),
  )
}

function endpointsOf(subset: Json, key: string, ready: boolean) {
  return listAt(subset, key).map((address) => ({
    addresses: [textAt(address, 'ip')],
    conditions: { ready },
  }))
}
