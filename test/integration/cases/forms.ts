// Forms that a spec may take beside the usual one: v0.2.0's hosts, ports in several entries, headless.

import { expect, test } from 'bun:test'
import { tcpPort } from '../manifests.ts'
import { serviceSpec } from '../objects.ts'
import { Sandbox } from '../sandbox.ts'
import type { Session } from '../session.ts'

const SOON_MS = 5_000
const TEST_MAX_MS = 30_000

export function formCases(session: () => Session): void {
  test(
    'spec.hosts serves the ports that name no hosts of their own',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const { hosts } = session().world
      const [{ port } = { port: 0 }] = await sandbox.startOnEach('tcp', hosts)
      const own = await sandbox.start('tcp', hosts[1])
      await sandbox.create('legacy', {
        hosts,
        ports: [
          { name: 'shared', port: 80, targetPort: port, tcpSocket: { enable: true } },
          tcpPort('own', own.port, [hosts[1]], { port: 81 }),
        ],
      })
      await sandbox.eventually(SOON_MS, () => {
        expect(sandbox.published('legacy')).toEqual([
          `own TCP ${hosts[1]}:${own.port}`,
          `shared TCP ${hosts[0]}:${port}`,
          `shared TCP ${hosts[1]}:${port}`,
        ])
        expect(sandbox.servicePorts('legacy')).toHaveLength(2)
      })
    },
    TEST_MAX_MS,
  )

  test(
    'entries of one name with different targetPorts are one Service port',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const [first, second] = session().world.hosts
      const backends = [
        await sandbox.start('tcp', first),
        await sandbox.start('tcp', second),
        await sandbox.start('tcp', second),
      ]
      await sandbox.create('merged', {
        ports: backends.map(({ host, port }) => tcpPort('web', port, [host])),
      })
      await sandbox.eventually(SOON_MS, () => {
        expect(sandbox.published('merged')).toEqual(
          backends.map(({ host, port }) => `web TCP ${host}:${port}`).sort(),
        )
        expect(sandbox.servicePorts('merged')).toEqual([`web TCP 80 -> ${backends[0]?.port}`])
        expect(sandbox.status('merged')).toMatchObject({ phase: 'Healthy', ready: '3/3' })
      })
    },
    TEST_MAX_MS,
  )

  test(
    'a single port needs no name, and clusterIP None makes a headless Service',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const [host] = session().world.hosts
      const { port } = await sandbox.start('tcp', host)
      await sandbox.create('headless', {
        clusterIP: 'None',
        ports: [{ port, hosts: [host], tcpSocket: {} }],
      })
      await sandbox.eventually(SOON_MS, () => {
        expect(sandbox.published('headless')).toEqual([`TCP ${host}:${port}`])
        expect(serviceSpec(sandbox.latest('services', 'headless')).clusterIP).toBe('None')
        expect(sandbox.status('headless')).toMatchObject({ phase: 'Healthy', clusterIP: 'None' })
      })
    },
    TEST_MAX_MS,
  )

  test(
    'null for an optional field means that it is absent',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const [host] = session().world.hosts
      const { port } = await sandbox.start('tcp', host)
      const nulls = { httpGet: null, grpc: null, protocol: null, timeoutSeconds: null }
      await sandbox.create('nulls', {
        periodSeconds: null,
        ports: [tcpPort('web', port, [host], nulls)],
      })
      await sandbox.eventually(SOON_MS, () =>
        expect(sandbox.published('nulls')).toEqual([`web TCP ${host}:${port}`]),
      )
    },
    TEST_MAX_MS,
  )

  test(
    'a host without a probe is published at once and for good',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const [host] = session().world.hosts
      await sandbox.create('plain', {
        ports: [
          { name: 'none', port: 1, targetPort: 1, hosts: [host] },
          { name: 'off', port: 2, targetPort: 2, hosts: [host], tcpSocket: { enable: false } },
          { name: 'sctp', protocol: 'SCTP', port: 3, targetPort: 3, hosts: [host] },
        ],
      })
      await sandbox.eventually(SOON_MS, () => {
        expect(sandbox.published('plain')).toEqual([
          `none TCP ${host}:1`,
          `off TCP ${host}:2`,
          `sctp SCTP ${host}:3`,
        ])
        expect(sandbox.status('plain')).toMatchObject({ phase: 'Healthy', ready: '3/3' })
      })
    },
    TEST_MAX_MS,
  )
}
