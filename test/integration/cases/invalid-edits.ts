// A spec that becomes invalid costs nothing that works: what was published last stays under watch.

import { expect, test } from 'bun:test'
import { tcpPort } from '../manifests.ts'
import { Sandbox } from '../sandbox.ts'
import type { Session } from '../session.ts'

const SOON_MS = 5_000
const TEST_MAX_MS = 30_000

export function invalidEditCases(session: () => Session): void {
  test(
    'an invalid edit keeps the last published hosts under watch and says so; fixing it goes on',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const { hosts } = session().world
      const [staying, dying] = await sandbox.startOnEach('tcp', hosts)
      const port = staying?.port ?? 0
      const all = hosts.map((host) => `web TCP ${host}:${port}`)
      const valid = tcpPort('web', port, hosts)
      const invalid = { ...valid, httpGet: { path: '/' } }
      await sandbox.create('web', { periodSeconds: 1, ports: [valid] })
      await sandbox.eventually(SOON_MS, () =>
        expect(sandbox.status('web')).toMatchObject({ phase: 'Healthy', observedGeneration: 1 }),
      )

      await sandbox.patch('clusterendpoints', 'web', { spec: { ports: [invalid] } })
      await sandbox.eventually(SOON_MS, () => {
        expect(sandbox.condition('web', 'Initialized')).toMatchObject({
          status: 'False',
          reason: 'InvalidSpec',
          message:
            'spec.ports[0]: Invalid probe: an entry has at most one, this has tcpSocket and httpGet; the last valid spec stays in force',
          observedGeneration: 2,
        })
        expect(sandbox.status('web')).toMatchObject({ phase: 'UnHealthy', ready: '2/2' })
      })
      expect(sandbox.published('web')).toEqual(all)
      expect(sandbox.events('web', 'InvalidSpec')).toHaveLength(1)

      await dying?.kill()
      await sandbox.eventually(SOON_MS, () =>
        expect(sandbox.published('web')).toEqual([...all.slice(0, 1)]),
      )
      await dying?.restart()
      await sandbox.eventually(SOON_MS, () => expect(sandbox.published('web')).toEqual(all))

      const other = await sandbox.start('http', hosts[0])
      const fixed = {
        name: 'web',
        port: 80,
        targetPort: other.port,
        hosts: [hosts[0]],
        httpGet: {},
      }
      await sandbox.patch('clusterendpoints', 'web', { spec: { ports: [fixed] } })
      await sandbox.eventually(SOON_MS, () => {
        expect(sandbox.published('web')).toEqual([`web TCP ${hosts[0]}:${other.port}`])
        expect(sandbox.condition('web', 'Initialized')?.status).toBe('True')
        expect(sandbox.status('web')).toMatchObject({ phase: 'Healthy', observedGeneration: 3 })
      })
    },
    TEST_MAX_MS,
  )

  test(
    'a restart while the spec is invalid leaves what is published as it is',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const { hosts } = session().world
      const [{ port } = { port: 0 }] = await sandbox.startOnEach('tcp', hosts)
      const valid = tcpPort('web', port, hosts)
      await sandbox.create('web', { periodSeconds: 1, ports: [valid] })
      await sandbox.eventually(SOON_MS, () => expect(sandbox.status('web')?.phase).toBe('Healthy'))
      const invalid = { ...valid, httpGet: { path: '/' } }
      await sandbox.patch('clusterendpoints', 'web', { spec: { ports: [invalid] } })
      await sandbox.eventually(SOON_MS, () =>
        expect(sandbox.condition('web', 'Initialized')?.status).toBe('False'),
      )
      const before = sandbox.resourceVersions('web').slice(1)
      await session().restart()
      await sandbox.create('neighbour', { ports: [valid] })
      await sandbox.eventually(SOON_MS, () =>
        expect(sandbox.status('neighbour')?.phase).toBe('Healthy'),
      )
      expect(sandbox.resourceVersions('web').slice(1)).toEqual(before)
      expect(sandbox.condition('web', 'Initialized')?.reason).toBe('InvalidSpec')

      await sandbox.patch('clusterendpoints', 'web', { spec: { ports: [valid] } })
      await sandbox.eventually(SOON_MS, () => expect(sandbox.status('web')?.phase).toBe('Healthy'))
      expect(sandbox.resourceVersions('web').slice(1)).toEqual(before)
    },
    TEST_MAX_MS,
  )
}
