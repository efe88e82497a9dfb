// EndpointSlices of our own: every host in sight, as few writes as can be, and nobody else's touched.

import { expect, test } from 'bun:test'
import { throughout } from '../eventually.ts'
import { tcpPort } from '../manifests.ts'
import { Sandbox } from '../sandbox.ts'
import type { Session } from '../session.ts'
import { startWeb } from './web.ts'

const SOON_MS = 5_000
const REPAIR_MAX_MS = 2_000
const MANY_HOSTS = 1_200
const TEST_MAX_MS = 60_000
const SERVICE_NAME = 'kubernetes.io/service-name'
const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by'

export function sliceCases(session: () => Session): void {
  test(
    'every host is in a slice, one that is down as not ready, and Endpoints are not copied as well',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const [up, down] = session().world.hosts
      const { port } = await sandbox.start('tcp', up)
      await sandbox.create(
        'web',
        { periodSeconds: 1, ports: [tcpPort('tcp', port, [up, down])] },
        { labels: { app: 'web' } },
      )
      await sandbox.eventually(SOON_MS, () => {
        expect(sandbox.status('web')?.ready).toBe('1/2')
        expect(sandbox.slices('web').map(({ told }) => told)).toEqual([
          [`tcp TCP ${up}:${port}`, `!tcp TCP ${down}:${port}`],
        ])
      })
      const [slice] = sandbox.slices('web')
      expect(slice?.name).toBe(`web.tcp-${port}-ipv4-0`)
      expect(slice?.addressType).toBe('IPv4')
      expect(slice?.object.metadata).toMatchObject({
        labels: {
          app: 'web',
          [SERVICE_NAME]: 'web',
          [MANAGED_BY]: 'endpoints-operator.sealos.io',
          'sealos.io/managed-by': 'endpoints-operator',
        },
        ownerReferences: [{ kind: 'ClusterEndpoint', name: 'web' }],
      })
      const serving = slice?.endpoints.map(({ conditions }) => conditions.serving)
      // Kubernetes 1.20 drops the field.
      const isKept = session().world.sliceApiVersion === 'discovery.k8s.io/v1'
      expect(serving).toEqual(isKept ? [true, false] : [undefined, undefined])
      await sandbox.eventually(SOON_MS, () => {
        const all = session().recordings.endpointslices.all(sandbox.namespace)
        expect(all.map(({ metadata }) => metadata.name)).toEqual([slice?.name ?? ''])
        expect(sandbox.condition('web', 'SyncEndpointReady')).toMatchObject({
          status: 'True',
          message: 'Endpoints and EndpointSlices up to date',
        })
      })
    },
    TEST_MAX_MS,
  )

  test(
    'a slice deleted by hand is back within 2 s',
    async () => {
      await using sandbox = await Sandbox.open(session())
      await startWeb(sandbox)
      const [before] = sandbox.slices('web')
      await sandbox.remove('endpointslices', before?.name ?? '')
      await sandbox.eventually(REPAIR_MAX_MS, () => {
        const [after] = sandbox.slices('web')
        expect(after?.object.metadata.uid).not.toBe(before?.object.metadata.uid ?? '')
        expect(after?.told).toEqual(before?.told ?? [])
      })
    },
    TEST_MAX_MS,
  )

  for (const { what, patch } of EDITS) {
    test(
      `${what} by hand is put right within 2 s`,
      async () => {
        await using sandbox = await Sandbox.open(session())
        await startWeb(sandbox)
        const [before] = sandbox.slices('web')
        if (!before) throw new Error('Cannot edit what is not there')
        const { metadata } = await sandbox.patch('endpointslices', before.name, patch)
        await sandbox.eventually(REPAIR_MAX_MS, () => {
          const object = sandbox.latest('endpointslices', before.name)
          expect(object?.metadata.resourceVersion).not.toBe(metadata.resourceVersion)
          const [after] = sandbox.slices('web')
          expect(after?.resourceVersion).not.toBe(before.resourceVersion)
          const { labels, ownerReferences } = before.object.metadata
          expect(after?.object.metadata).toMatchObject({ labels, ownerReferences })
          expect(after?.told).toEqual(before.told)
        })
      },
      TEST_MAX_MS,
    )
  }

  test(
    'slices of others are never touched, not even one that has a name of ours',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const [up] = session().world.hosts
      const { port } = await sandbox.start('tcp', up)
      const { api } = session()
      const taken = `web.tcp-${port}-ipv4-0`
      const names = [taken, 'web-abcde']
      for (const name of names) {
        await api.create(sandbox.place('endpointslices'), foreignSlice(sandbox, name))
      }
      const standing = () =>
        names.map((name) => sandbox.latest('endpointslices', name)?.metadata.resourceVersion)
      await sandbox.eventually(SOON_MS, () => expect(standing()).not.toContain(undefined))
      const before = standing()
      const ports = [tcpPort('tcp', port, [up]), tcpPort('other', port, [up], { port: 81 })]
      await sandbox.create('web', { periodSeconds: 1, ports })
      await sandbox.eventually(SOON_MS, () => {
        const { status, reason, message } = sandbox.condition('web', 'SyncEndpointReady') ?? {}
        expect({ status, reason }).toEqual({ status: 'False', reason: 'ControlledByOther' })
        expect(message).toContain(taken)
        // It costs nobody else anything: neither the other port nor readers of Endpoints.
        expect(sandbox.slices('web').map(({ told }) => told)).toEqual([[`other TCP ${up}:${port}`]])
        expect(sandbox.published('web')).toHaveLength(2)
      })
      await throughout(1_000, () => expect(standing()).toEqual(before))

      await sandbox.remove('endpointslices', taken)
      await sandbox.eventually(35_000, () => {
        expect(sandbox.condition('web', 'SyncEndpointReady')?.status).toBe('True')
        expect(sandbox.slices('web')).toHaveLength(2)
      })
      expect(standing()[1]).toBe(before[1])
      await sandbox.remove('clusterendpoints', 'web')
      if (!session().world.collectsGarbage) return
      await sandbox.eventually(15_000, () => expect(sandbox.slices('web')).toEqual([]))
      expect(standing()[1]).toBe(before[1])
    },
    TEST_MAX_MS,
  )

  test(
    `of ${MANY_HOSTS} hosts in two slices, one that goes and one that comes rewrite one slice each`,
    async () => {
      await using sandbox = await Sandbox.open(session())
      const hosts = session().world.manyHosts(MANY_HOSTS)
      const port = (hosts: readonly string[]) => ({ name: 'web', port: 80, hosts })
      const told = () => sandbox.slices('web').map(({ told }) => told.length)
      await sandbox.create('web', { ports: [port(hosts)] })
      await sandbox.eventually(SOON_MS, () => expect(told()).toEqual([1_000, 200]))
      const [first, second] = sandbox.slices('web')

      const gone = hosts.filter((host) => host !== hosts[17])
      await sandbox.patch('clusterendpoints', 'web', { spec: { ports: [port(gone)] } })
      await sandbox.eventually(SOON_MS, () => expect(told()).toEqual([999, 200]))
      const other = [...gone, session().world.hosts[0]]
      await sandbox.patch('clusterendpoints', 'web', { spec: { ports: [port(other)] } })
      await sandbox.eventually(SOON_MS, () => expect(told()).toEqual([1_000, 200]))
      await throughout(500, () => {
        const [now, untouched] = sandbox.slices('web')
        expect(untouched?.resourceVersion).toBe(second?.resourceVersion ?? '')
        expect(now?.name).toBe(first?.name ?? '')
      })
      const versions = session().recordings.endpointslices.versions(
        sandbox.namespace,
        first?.name ?? '',
      )
      expect(versions).toHaveLength(3)
    },
    TEST_MAX_MS,
  )
}

function foreignSlice({ session }: Sandbox, name: string): unknown {
  return {
    apiVersion: session.world.sliceApiVersion,
    kind: 'EndpointSlice',
    metadata: { name, labels: { [SERVICE_NAME]: 'web', [MANAGED_BY]: 'somebody.example.com' } },
    addressType: 'IPv4',
    ports: [{ name: 'tcp', protocol: 'TCP', port: 1 }],
    endpoints: [{ addresses: ['10.1.2.3'], conditions: { ready: true } }],
  }
}

type Edit = { readonly what: string; readonly patch: unknown }

const EDITS: readonly Edit[] = [
  { what: 'the slice emptied', patch: { endpoints: [] } },
  {
    what: 'another address put into the slice',
    patch: { endpoints: [{ addresses: ['10.1.2.3'], conditions: { ready: true } }] },
  },
  { what: 'the ports of the slice changed', patch: { ports: [{ name: 'tcp', port: 1 }] } },
  {
    what: 'the label with the Service taken off the slice',
    patch: { metadata: { labels: { [SERVICE_NAME]: null } } },
  },
  {
    what: 'the label with the manager changed on the slice',
    patch: { metadata: { labels: { [MANAGED_BY]: 'other' } } },
  },
  { what: 'the owner taken off the slice', patch: { metadata: { ownerReferences: null } } },
]
