// Every write by its request, and none without a permit.

import { describe, expect, test } from 'bun:test'
import type { DesiredEndpoints } from '../../crds/endpoints.ts'
import type { DesiredSlice } from '../../crds/slices.ts'
import type { Status } from '../../crds/status.ts'
import type { ApiRequest } from '../../k8s/client.ts'
import { createWriter, type Permit, type Writer } from '../../k8s/writer.ts'

const named = { namespace: 'ns', name: 'web', resourceVersion: '7' }
const endpoints: DesiredEndpoints = {
  apiVersion: 'v1',
  kind: 'Endpoints',
  metadata: { name: 'web', namespace: 'ns', labels: {}, annotations: {}, ownerReferences: [] },
  subsets: [],
}
const slice: DesiredSlice = {
  apiVersion: 'discovery.k8s.io/v1beta1',
  kind: 'EndpointSlice',
  metadata: { ...endpoints.metadata, name: 'web.a-80-ipv4-0' },
  addressType: 'IPv4',
  ports: [],
  endpoints: [],
}
const status: Status = { phase: 'Healthy', ready: '1/1', conditions: [], hosts: [] }
const live = { metadata: { resourceVersion: '9', managedFields: [] } }

/** A writer, and what it sent; `GET` answers with a live Service. */
function watched(permit: Partial<Permit> = {}) {
  const sent: ApiRequest[] = []
  const signal = permit.signal ?? new AbortController().signal
  const client = {
    request: async (request: ApiRequest) => {
      request.assertPermitted?.()
      sent.push(request)
      return live
    },
    stream: () => Promise.reject(new Error('no stream')),
    whenReachable: async () => {},
  }
  const writer = createWriter(client, { signal, mayWrite: permit.mayWrite ?? (() => true) })
  return { writer, sent }
}

const manager = { fieldManager: 'endpoints-operator' }
const writes: readonly {
  readonly name: string
  readonly write: (writer: Writer) => Promise<unknown>
  readonly request: Partial<ApiRequest>
}[] = [
  {
    name: 'apply',
    write: (writer) => writer.apply(endpoints),
    request: {
      method: 'PATCH',
      path: '/api/v1/namespaces/ns/endpoints/web',
      query: { ...manager, force: 'true' },
      contentType: 'application/apply-patch+yaml',
      body: endpoints,
    },
  },
  {
    name: 'apply of a slice',
    write: (writer) => writer.apply(slice),
    request: {
      method: 'PATCH',
      path: '/apis/discovery.k8s.io/v1beta1/namespaces/ns/endpointslices/web.a-80-ipv4-0',
      query: { ...manager, force: 'true' },
      contentType: 'application/apply-patch+yaml',
      body: slice,
    },
  },
  {
    name: 'create',
    write: (writer) => writer.create(slice),
    request: {
      method: 'PATCH',
      path: '/apis/discovery.k8s.io/v1beta1/namespaces/ns/endpointslices/web.a-80-ipv4-0',
      query: { ...manager, force: 'true' },
      contentType: 'application/apply-patch+yaml',
      // No object has this version.
      body: { ...slice, metadata: { ...slice.metadata, resourceVersion: '1' } },
    },
  },
  {
    name: 'remove',
    write: (writer) => writer.remove('/api/v1/namespaces/ns/endpoints/web', 'its-uid'),
    request: {
      method: 'DELETE',
      path: '/api/v1/namespaces/ns/endpoints/web',
      body: { preconditions: { uid: 'its-uid' } },
    },
  },
  {
    name: 'takePorts',
    write: (writer) => writer.takePorts(named, ['k:{"port":80,"protocol":"TCP"}']),
    request: {
      method: 'PATCH',
      path: '/api/v1/namespaces/ns/services/web',
      contentType: 'application/json-patch+json',
      body: [
        { op: 'replace', path: '/metadata/managedFields', value: expect.any(Array) },
        { op: 'replace', path: '/metadata/resourceVersion', value: '9' },
      ],
    },
  },
  {
    name: 'patchStatus',
    write: (writer) => writer.patchStatus(named, status),
    request: {
      method: 'PATCH',
      path: '/apis/sealos.io/v1beta1/namespaces/ns/clusterendpoints/web/status',
      query: manager,
      contentType: 'application/merge-patch+json',
      // What is absent would stay: it is removed by null.
      body: { status: { ...status, clusterIP: null, hostsOmitted: null } },
    },
  },
  {
    name: 'setFinalizers',
    write: (writer) => writer.setFinalizers(named, ['other']),
    request: {
      method: 'PATCH',
      path: '/apis/sealos.io/v1beta1/namespaces/ns/clusterendpoints/web',
      query: manager,
      contentType: 'application/merge-patch+json',
      body: { metadata: { finalizers: ['other'], resourceVersion: '7' } },
    },
  },
  {
    name: 'postEvent',
    write: (writer) => writer.postEvent('ns', { kind: 'Event' }),
    request: { method: 'POST', path: '/api/v1/namespaces/ns/events', body: { kind: 'Event' } },
  },
  {
    name: 'patchEvent',
    write: (writer) => writer.patchEvent(named, { count: 2 }),
    request: {
      method: 'PATCH',
      path: '/api/v1/namespaces/ns/events/web',
      contentType: 'application/merge-patch+json',
      body: { count: 2 },
    },
  },
]

describe('createWriter()', () => {
  for (const { name, write, request } of writes) {
    test(`${name}() sends what the API server expects`, async () => {
      const { writer, sent } = watched()
      await write(writer)
      expect(sent.at(-1)).toMatchObject(request)
    })

    test(`${name}() is refused where the lease was not renewed, and asks right before it is sent`, async () => {
      let asked = 0
      const { writer, sent } = watched({ mayWrite: () => ++asked > 1_000 })
      await expect(write(writer)).rejects.toThrow(
        'Cannot write as the lease was not renewed in time',
      )
      expect(asked).toBe(1)
      expect(sent.filter(({ method }) => method !== 'GET')).toEqual([])
    })

    test(`${name}() is refused when its signal has aborted`, async () => {
      const reason = new Error('the lease is lost')
      const { writer, sent } = watched({ signal: AbortSignal.abort(reason) })
      await expect(write(writer)).rejects.toBe(reason)
      expect(sent.filter(({ method }) => method !== 'GET')).toEqual([])
    })
  }
})
