// Hosts of both address families in one resource: in a cluster that has both, and in one that has not.

import { expect, test } from 'bun:test'
import * as v from 'valibot'
import { throughout } from '../eventually.ts'
import { tcpPort } from '../manifests.ts'
import { Sandbox } from '../sandbox.ts'
import type { Session } from '../session.ts'

const SOON_MS = 5_000
const TEST_MAX_MS = 30_000

const familiesSchema = v.object({
  clusterIP: v.string(),
  clusterIPs: v.optional(v.array(v.string()), []),
  ipFamilies: v.optional(v.array(v.string()), []),
  ipFamilyPolicy: v.optional(v.string(), ''),
})

/** In a cluster of IPv4. */
export function singleStackCases(session: () => Session): void {
  test(
    'of hosts of both families a cluster of one gets its own, and the status says so; at rest nothing is written',
    async () => {
      const mixed = await startMixed(session())
      if (!mixed) return
      await using sandbox = mixed.sandbox
      const { port, four, six } = mixed
      await sandbox.create('mixed', {
        periodSeconds: 1,
        ports: [tcpPort('tcp', port, [six, four])],
      })
      await sandbox.eventually(SOON_MS, () => {
        expect(sandbox.status('mixed')).toMatchObject({ phase: 'Healthy', ready: '2/2' })
        expect(sandbox.published('mixed')).toEqual([`tcp TCP ${four}:${port}`])
        expect(
          sandbox.slices('mixed').map(({ addressType, told }) => [addressType, ...told]),
        ).toEqual([
          ['IPv4', `tcp TCP ${four}:${port}`],
          ['IPv6', `tcp TCP [${six}]:${port}`],
        ])
        expect(sandbox.condition('mixed', 'SyncServiceReady')?.status).toBe('True')
        const { status, message } = sandbox.condition('mixed', 'DualStack') ?? {}
        expect(status).toBe('False')
        expect(message).toContain('has IPv4 only')
        expect(sandbox.events('mixed', 'SingleStack')).toHaveLength(1)
      })
      const versions = sandbox.resourceVersions('mixed')
      await throughout(2_500, () => expect(sandbox.resourceVersions('mixed')).toEqual(versions))
    },
    TEST_MAX_MS,
  )
}

/** In a cluster of IPv4 and IPv6. */
export function dualStackCases(session: () => Session): void {
  test(
    'a name with addresses of both families is published in both',
    async () => {
      const mixed = await startMixed(session())
      if (!mixed) return
      await using sandbox = mixed.sandbox
      const { port, four, six } = mixed
      session().nameServer.zone.set('db.example.com', { a: [four], aaaa: [six] })
      await sandbox.create('db', {
        periodSeconds: 1,
        ports: [tcpPort('tcp', port, ['db.example.com'])],
      })
      await sandbox.eventually(SOON_MS, () => {
        expect(sandbox.status('db')).toMatchObject({ phase: 'Healthy', ready: '2/2' })
        expect(sandbox.condition('db', 'DualStack')?.status).toBe('True')
        expect(sandbox.slices('db').map(({ addressType }) => addressType)).toEqual(['IPv4', 'IPv6'])
      })
    },
    TEST_MAX_MS,
  )

  test(
    'hosts of both families make the Service ask for both, and it keeps them when one is left',
    async () => {
      const mixed = await startMixed(session())
      if (!mixed) return
      await using sandbox = mixed.sandbox
      const { port, four, six } = mixed
      const ports = (...hosts: string[]) => [tcpPort('tcp', port, hosts)]
      await sandbox.create('web', { periodSeconds: 1, ports: ports(four) })
      await sandbox.eventually(SOON_MS, () => {
        expect(sandbox.published('web')).toEqual([`tcp TCP ${four}:${port}`])
        expect(familiesOf(sandbox)).toMatchObject({
          ipFamilies: ['IPv4'],
          ipFamilyPolicy: 'SingleStack',
        })
      })
      const before = familiesOf(sandbox)

      await sandbox.patch('clusterendpoints', 'web', { spec: { ports: ports(four, six) } })
      const both = { ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: 'PreferDualStack' }
      await sandbox.eventually(SOON_MS, () => {
        expect(familiesOf(sandbox)).toMatchObject({ ...both, clusterIP: before.clusterIP })
        expect(sandbox.condition('web', 'DualStack')?.status).toBe('True')
        expect(sandbox.published('web')).toEqual([`tcp TCP ${four}:${port}`])
        expect(sandbox.slices('web').map(({ addressType }) => addressType)).toEqual([
          'IPv4',
          'IPv6',
        ])
      })
      const dual = familiesOf(sandbox)
      expect(dual.clusterIPs).toHaveLength(2)
      const versions = sandbox.resourceVersions('web')
      await throughout(2_000, () => expect(sandbox.resourceVersions('web')).toEqual(versions))

      await sandbox.patch('clusterendpoints', 'web', { spec: { ports: ports(four) } })
      await sandbox.eventually(SOON_MS, () => {
        expect(sandbox.slices('web')).toHaveLength(1)
        expect(sandbox.condition('web', 'DualStack')).toBeUndefined()
      })
      // Through another write of the Service too.
      const labels = { metadata: { labels: { app: 'web' } } }
      await sandbox.patch('clusterendpoints', 'web', labels)
      await sandbox.eventually(SOON_MS, () =>
        expect(sandbox.latest('services', 'web')?.metadata.labels.app).toBe('web'),
      )
      expect(familiesOf(sandbox)).toEqual(dual)
    },
    TEST_MAX_MS,
  )

  test(
    'ipFamilies and ipFamilyPolicy of the spec are passed on, and Endpoints hold the primary family',
    async () => {
      const mixed = await startMixed(session())
      if (!mixed) return
      await using sandbox = mixed.sandbox
      const { port, four, six } = mixed
      const spec = { periodSeconds: 1, ports: [tcpPort('tcp', port, [four, six])] }
      const asked = { ipFamilies: ['IPv6', 'IPv4'], ipFamilyPolicy: 'RequireDualStack' }
      await sandbox.create('web', { ...spec, ...asked })
      await sandbox.eventually(SOON_MS, () => {
        expect(familiesOf(sandbox)).toMatchObject(asked)
        expect(sandbox.published('web')).toEqual([`tcp TCP ${six}:${port}`])
      })
      const before = familiesOf(sandbox)
      expect(before.clusterIP).toContain(':')

      // What cannot be changed is told; all else goes on.
      await sandbox.patch('clusterendpoints', 'web', {
        spec: { ipFamilies: ['IPv4', 'IPv6'], ports: [tcpPort('new', port, [four, six])] },
      })
      await sandbox.eventually(SOON_MS, () => {
        expect(sandbox.condition('web', 'SyncServiceReady')).toMatchObject({
          status: 'False',
          reason: 'IPFamilyDiffers',
        })
        expect(sandbox.published('web')).toEqual([`new TCP ${six}:${port}`])
        expect(sandbox.servicePorts('web')).toEqual([`new TCP 80 -> ${port}`])
      })
      expect(familiesOf(sandbox)).toEqual(before)
    },
    TEST_MAX_MS,
  )

  test(
    'a headless Service has both families',
    async () => {
      const mixed = await startMixed(session())
      if (!mixed) return
      await using sandbox = mixed.sandbox
      const { port, four, six } = mixed
      const ports = [tcpPort('tcp', port, [four, six])]
      await sandbox.create('web', { clusterIP: 'None', periodSeconds: 1, ports })
      await sandbox.eventually(SOON_MS, () => {
        expect(familiesOf(sandbox).ipFamilies).toEqual(['IPv4', 'IPv6'])
        expect(sandbox.condition('web', 'DualStack')?.status).toBe('True')
        expect(sandbox.slices('web')).toHaveLength(2)
      })
      const versions = sandbox.resourceVersions('web')
      await throughout(2_000, () => expect(sandbox.resourceVersions('web')).toEqual(versions))
    },
    TEST_MAX_MS,
  )
}

function familiesOf(sandbox: Sandbox) {
  return v.parse(familiesSchema, sandbox.latest('services', 'web')?.spec)
}

/** A host of each family; undefined, and said so, where this machine has no IPv6. */
async function startMixed(session: Session) {
  const { hosts, hostV6, name } = session.world
  if (hostV6 === undefined) {
    console.error(`SKIPPED: two families in ${name}: this machine has no IPv6. Remedy: enable it`)
    expect(process.env.CI).not.toBe('true')
    return undefined
  }
  const sandbox = await Sandbox.open(session)
  const [backend] = await sandbox.startOnEach('tcp', [hosts[0], hostV6])
  return { sandbox, port: backend?.port ?? 0, four: hosts[0], six: hostV6 }
}
