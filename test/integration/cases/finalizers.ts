// Finalizers of earlier versions are taken off; without their controller they would hold up every deletion.

import { expect, test } from 'bun:test'
import { tcpPort } from '../manifests.ts'
import { Sandbox } from '../sandbox.ts'
import type { Session } from '../session.ts'

const LEGACY = [
  'sealos.io/cluster-endpoints.finalizers',
  'sealyun.com/cluster-endpoints.finalizers',
]
const THEIRS = 'example.com/theirs'
const SOON_MS = 5_000
const TEST_MAX_MS = 30_000

export function finalizerCases(session: () => Session): void {
  test(
    'old finalizers are removed on sight, those of others stay, and none is added',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const spec = { ports: [tcpPort('web', 80, [session().world.hosts[0]])] }
      await sandbox.create('old', spec, { finalizers: [...LEGACY, THEIRS] })
      await sandbox.create('new', spec)
      await sandbox.eventually(SOON_MS, () => {
        const finalizers = ['old', 'new'].map(
          (name) => sandbox.latest('clusterendpoints', name)?.metadata.finalizers,
        )
        expect(finalizers).toEqual([[THEIRS], []])
        expect(sandbox.status('old')).toBeDefined()
      })
      await sandbox.patch('clusterendpoints', 'old', { metadata: { finalizers: null } })
    },
    TEST_MAX_MS,
  )

  test(
    'a resource that is being deleted is let go of, also one with an invalid spec',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const ports = [tcpPort('web', 80, [session().world.hosts[0]])]
      const invalid = [{ ...ports[0], httpGet: {} }]
      const names = ['valid', 'invalid']
      await session().restart(async () => {
        await sandbox.create('valid', { ports }, { finalizers: LEGACY })
        await sandbox.create('invalid', { ports: invalid }, { finalizers: LEGACY })
        for (const name of names) {
          await sandbox.remove('clusterendpoints', name)
          const left = await session().api.get(sandbox.place('clusterendpoints', name))
          expect(left?.metadata.deletionTimestamp).toBeDefined()
        }
      })
      await sandbox.eventually(SOON_MS, () => {
        for (const name of names) {
          expect(sandbox.latest('clusterendpoints', name)).toBeUndefined()
        }
      })
      for (const name of names) {
        expect(session().recordings.services.versions(sandbox.namespace, name)).toEqual([])
      }
    },
    TEST_MAX_MS,
  )
}
