// What belongs to others is left alone, with a word why.

import { expect, test } from 'bun:test'
import type { Place } from '../api.ts'
import { tcpPort } from '../manifests.ts'
import type { KubeObject } from '../objects.ts'
import { Sandbox } from '../sandbox.ts'
import type { Session } from '../session.ts'
import { endpointsOf, type Made, ownedBy, serviceOf } from './made.ts'

const SOON_MS = 5_000
const TEST_MAX_MS = 30_000

export function refusalCases(session: () => Session): void {
  for (const { what, reason, service, endpoints, spec } of REFUSED) {
    test(
      `${what} is left alone, and the status and an Event say why`,
      async () => {
        await using sandbox = await Sandbox.open(session())
        const { api } = session()
        const [host] = session().world.hosts
        const { port } = await sandbox.start('tcp', host)
        const place = { plural: 'namespaces', name: sandbox.namespace } as const
        const namespace = await api.get(place)
        if (!namespace) throw new Error('Cannot find the namespace')
        if (service) await api.create(sandbox.place('services'), service(namespace))
        if (endpoints) await api.create(sandbox.place('endpoints'), endpoints(namespace))
        const before = await standing(sandbox)

        await sandbox.create('db', { ...spec, ports: [tcpPort('keep', port, [host])] })
        await sandbox.eventually(SOON_MS, () => {
          expect(sandbox.condition('db', 'SyncServiceReady')).toMatchObject({
            status: 'False',
            reason,
            message: expect.stringContaining('Cannot '),
          })
          expect(sandbox.condition('db', 'Ready')?.status).toBe('False')
          expect(sandbox.events('db', reason)).toHaveLength(1)
        })
        // Probing goes on; publishing does not.
        await Bun.sleep(500)
        expect(await standing(sandbox)).toEqual(before)
      },
      TEST_MAX_MS,
    )
  }

  test(
    'what was refused is taken over as soon as nothing speaks against it',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const [host] = session().world.hosts
      const { port } = await sandbox.start('tcp', host)
      const keep = { name: 'keep', protocol: 'TCP', port: 80, targetPort: 80 }
      await session().api.create(
        sandbox.place('services'),
        serviceOf([keep], { selector: { app: 'db' } }),
      )
      await sandbox.create('db', { ports: [tcpPort('keep', port, [host])] })
      await sandbox.eventually(SOON_MS, () =>
        expect(sandbox.condition('db', 'SyncServiceReady')?.reason).toBe('ServiceHasSelector'),
      )
      await sandbox.patch('services', 'db', { spec: { selector: null } })
      // It is looked at again each half minute; touching the resource makes it sooner.
      await sandbox.patch('clusterendpoints', 'db', { metadata: { annotations: { go: 'on' } } })
      await sandbox.eventually(SOON_MS, () => {
        expect(sandbox.published('db')).toEqual([`keep TCP ${host}:${port}`])
        expect(sandbox.condition('db', 'SyncServiceReady')?.status).toBe('True')
      })
    },
    TEST_MAX_MS,
  )
}

type Refusal = {
  readonly what: string
  readonly reason: string
  readonly service?: (owner: KubeObject) => Made
  readonly endpoints?: (owner: KubeObject) => Made
  readonly spec?: Readonly<{ [field: string]: unknown }>
}

const PORTS = [{ name: 'theirs', protocol: 'TCP', port: 99, targetPort: 99 }]

const REFUSED: readonly Refusal[] = [
  {
    what: 'a Service with a selector',
    reason: 'ServiceHasSelector',
    service: () => serviceOf(PORTS, { selector: { app: 'db' } }),
    endpoints: () => endpointsOf(['10.9.8.7'], 99),
  },
  {
    what: 'a Service of type ExternalName',
    reason: 'ServiceTypeNotSupported',
    service: () => serviceOf(PORTS, { type: 'ExternalName', externalName: 'db.example.com' }),
  },
  {
    what: 'a Service of type LoadBalancer',
    reason: 'ServiceTypeNotSupported',
    service: () => serviceOf(PORTS, { type: 'LoadBalancer' }),
  },
  {
    what: 'a Service that another controller owns',
    reason: 'ControlledByOther',
    service: (owner) => ownedBy(owner, serviceOf(PORTS)),
  },
  {
    what: 'a pair of which another controller owns the Endpoints',
    reason: 'ControlledByOther',
    endpoints: (owner) => ownedBy(owner, endpointsOf(['10.9.8.7'], 99)),
  },
  {
    what: 'a Service with another clusterIP',
    reason: 'ClusterIPDiffers',
    service: () => serviceOf(PORTS),
    spec: { clusterIP: '10.96.201.202' },
  },
]

/** The Service and the Endpoints as the API server has them now. */
async function standing({ session, place }: Sandbox): Promise<unknown> {
  const get = (plural: Place['plural']) => session.api.get(place(plural, 'db'))
  return await Promise.all([get('services'), get('endpoints')])
}
