// What stood there before: it is taken over in place and without a gap.

import { expect, test } from 'bun:test'
import type { Place } from '../api.ts'
import { madeByGo } from '../legacy.ts'
import { tcpPort } from '../manifests.ts'
import { published, servicePorts, serviceSpec } from '../objects.ts'
import { Sandbox } from '../sandbox.ts'
import type { Session } from '../session.ts'
import { endpointsOf, type Made, serviceOf } from './made.ts'

/** An address that no ClusterEndpoint names. */
const STRAY = '10.9.8.7'
const SOON_MS = 5_000
const TEST_MAX_MS = 30_000

/** How the Service and the Endpoints came to be. */
type Way = {
  readonly what: string
  readonly make: (sandbox: Sandbox, object: Made) => Promise<void>
}

const WAYS: readonly Way[] = [
  { what: 'kubectl apply', make: byKubectl(['apply', '-f', '-']) },
  { what: 'kubectl create', make: byKubectl(['create', '-f', '-']) },
  { what: 'kubectl apply --server-side', make: byKubectl(['apply', '--server-side', '-f', '-']) },
  {
    what: 'server-side apply of another manager',
    make: async ({ session, place }, object) => {
      await session.api.apply(place(pluralOf(object), object.metadata.name), object, 'helm')
    },
  },
  {
    what: 'a chart that Helm installed and upgraded',
    make: async ({ session, place }, object) => {
      const { name } = object.metadata
      const at = place(pluralOf(object), name)
      await session.api.create(place(pluralOf(object)), { ...object, metadata: { name } }, 'helm')
      await session.api.patch(at, object, 'merge', 'helm')
    },
  },
  {
    what: 'a plain request',
    make: async ({ session, place }, object) => {
      await session.api.create(place(pluralOf(object)), object)
    },
  },
]

export function takeoverCases(session: () => Session): void {
  for (const { what, make } of WAYS) {
    test.concurrent(
      `a Service and Endpoints made by ${what} are taken over in place and without a gap`,
      async () => {
        if (what.startsWith('kubectl') && !session().world.kubectl) {
          console.log(`${session().world.name}: no kubectl here, so ${what} was not tested`)
          return
        }
        await using sandbox = await Sandbox.open(session())
        const { hosts } = session().world
        const [alive, dead] = hosts
        const { port } = await sandbox.start('tcp', alive)
        const old = { name: 'old', protocol: 'TCP', port: 81, targetPort: 81 }
        const keep = { name: 'keep', protocol: 'TCP', port: 80, targetPort: port }
        await make(sandbox, marked(serviceOf([old, keep])))
        await make(sandbox, marked(endpointsOf([...hosts, STRAY], port)))
        await sandbox.eventually(SOON_MS, () => expect(sandbox.published('db')).toHaveLength(6))
        const before = sandbox.latest('services', 'db')

        await sandbox.create('db', { periodSeconds: 1, ports: [tcpPort('keep', port, hosts)] })
        const fromMs = performance.now()
        const staying = `keep TCP ${alive}:${port}`
        await sandbox.eventually(SOON_MS, () => {
          expect(sandbox.servicePorts('db')).toEqual([`keep TCP 80 -> ${port}`])
          expect(sandbox.published('db')).toEqual([staying])
          expect(sandbox.condition('db', 'SyncServiceReady')?.status).toBe('True')
          expect(sandbox.condition('db', 'SyncEndpointReady')?.status).toBe('True')
        })
        const after = sandbox.latest('services', 'db')
        expect(after?.metadata.uid).toBe(before?.metadata.uid)
        expect(serviceSpec(after).clusterIP).toBe(serviceSpec(before).clusterIP)
        for (const plural of ['services', 'endpoints'] as const) {
          expect(sandbox.latest(plural, 'db')?.metadata).toMatchObject(MARKS)
        }
        for (const { object } of session().recordings.services.versions(sandbox.namespace, 'db')) {
          expect(serviceSpec(object).clusterIP).toBe(serviceSpec(before).clusterIP)
          expect(servicePorts(object)).toContain(`keep TCP 80 -> ${port}`)
        }
        const versions = session().recordings.endpoints.versions(sandbox.namespace, 'db')
        for (const { object } of versions) expect(published(object)).toContain(staying)
        // The dead one was published, so it left after three failures, not before.
        const left = versions.find(
          ({ object }) => !published(object).includes(`keep TCP ${dead}:${port}`),
        )
        expect((left?.atMs ?? 0) - fromMs).toBeGreaterThan(1_500)
      },
      TEST_MAX_MS,
    )
  }

  for (const isSame of [true, false]) {
    const what = isSame ? 'a resource that it keeps' : 'a resource of its name that was orphaned'
    test(
      `what the Go version wrote for ${what} is taken over in place and without a gap`,
      async () => {
        if (!isSame && !session().world.collectsGarbage) {
          console.log(`${session().world.name}: no garbage collector, so ${what} was not tested`)
          return
        }
        await using sandbox = await Sandbox.open(session())
        const { hosts } = session().world
        const [backend] = await sandbox.startOnEach('tcp', hosts)
        const port = backend?.port ?? 0
        const web = { name: 'web', port: 80, targetPort: port, tcpSocket: { enable: true } }
        const spec = { periodSeconds: 1, hosts, ports: [web] }
        const finalizers = ['sealos.io/cluster-endpoints.finalizers']
        await session().restart(async () => {
          const first = await sandbox.create('db', spec, { finalizers })
          const { service, endpoints } = madeByGo(first, hosts, port)
          const { create } = session().api
          for (const object of [service, endpoints]) {
            await create(sandbox.place(pluralOf(object)), object, 'manager')
          }
          if (isSame) return
          // kubectl delete --cascade=orphan, then the manifest anew: no owner is left.
          await sandbox.patch('clusterendpoints', 'db', { metadata: { finalizers: null } })
          await sandbox.remove('clusterendpoints', 'db', 'Orphan')
          await sandbox.eventually(SOON_MS, async () => {
            const { get } = session().api
            expect(await get(sandbox.place('clusterendpoints', 'db'))).toBeUndefined()
          })
          await sandbox.create('db', spec)
        })
        const staying = hosts.map((host) => `web TCP ${host}:${port}`)
        await sandbox.eventually(SOON_MS, () => {
          expect(sandbox.condition('db', 'Ready')?.status).toBe('True')
          expect(sandbox.latest('clusterendpoints', 'db')?.metadata.finalizers).toEqual([])
        })
        const { uid } = sandbox.latest('clusterendpoints', 'db')?.metadata ?? {}
        for (const plural of ['services', 'endpoints'] as const) {
          const versions = session().recordings[plural].versions(sandbox.namespace, 'db')
          const uids = new Set(versions.map(({ object }) => object?.metadata.uid))
          expect(uids.size).toBe(1)
          const owners = versions.at(-1)?.object?.metadata.ownerReferences
          expect(owners?.map((owner) => owner.uid)).toEqual([uid ?? ''])
        }
        const versions = session().recordings.endpoints.versions(sandbox.namespace, 'db')
        for (const { object } of versions) expect(published(object)).toEqual(staying)
      },
      TEST_MAX_MS,
    )
  }

  test(
    'a port that kept its name and changed its number is taken over',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const [host] = session().world.hosts
      const { port } = await sandbox.start('tcp', host)
      const renumbered = { name: 'keep', protocol: 'TCP', port: 8080, targetPort: port }
      await WAYS.at(session().world.kubectl ? 0 : -1)?.make(sandbox, serviceOf([renumbered]))
      await sandbox.create('db', { ports: [tcpPort('keep', port, [host])] })
      await sandbox.eventually(SOON_MS, () => {
        expect(sandbox.servicePorts('db')).toEqual([`keep TCP 80 -> ${port}`])
        expect(sandbox.published('db')).toEqual([`keep TCP ${host}:${port}`])
      })
    },
    TEST_MAX_MS,
  )

  test(
    'a NodePort Service stays one and keeps its node ports',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const [host] = session().world.hosts
      const { port } = await sandbox.start('tcp', host)
      const keep = { name: 'keep', protocol: 'TCP', port: 80, targetPort: 1 }
      await WAYS.at(-1)?.make(sandbox, serviceOf([keep], { type: 'NodePort' }))
      await sandbox.eventually(SOON_MS, () =>
        expect(sandbox.latest('services', 'db')).toBeDefined(),
      )
      const before = serviceSpec(sandbox.latest('services', 'db'))
      await sandbox.create('db', { ports: [tcpPort('keep', port, [host])] })
      await sandbox.eventually(SOON_MS, () => {
        const { type, ports } = serviceSpec(sandbox.latest('services', 'db'))
        const [nodePort] = before.ports.map((each) => each.nodePort)
        expect(nodePort).toBeGreaterThan(0)
        expect({ type, ports }).toEqual({
          type: 'NodePort',
          ports: [{ ...keep, targetPort: port, nodePort }],
        })
        expect(sandbox.published('db')).toHaveLength(1)
      })
    },
    TEST_MAX_MS,
  )
}

/** Labels and annotations of others, Helm's own among them. */
const MARKS = {
  labels: { tier: 'data', 'app.kubernetes.io/managed-by': 'Helm' },
  annotations: { 'meta.helm.sh/release-name': 'db', 'example.com/note': 'theirs' },
}

function marked<T extends Made>(object: T) {
  return { ...object, metadata: { ...object.metadata, ...MARKS } }
}

function byKubectl(args: readonly string[]): Way['make'] {
  return async ({ session, namespace }, object) => {
    const manifest = JSON.stringify(object)
    const made = await session.world.kubectl?.([...args, '-n', namespace], manifest)
    expect(made).toMatchObject({ code: 0 })
  }
}

function pluralOf({ kind }: Made): Place['plural'] {
  return kind === 'Service' ? 'services' : 'endpoints'
}
