// What becomes of Service and Endpoints when their ClusterEndpoint is deleted.

import { expect, test } from 'bun:test'
import { throughout } from '../eventually.ts'
import { tcpPort } from '../manifests.ts'
import { type Kept, Sandbox } from '../sandbox.ts'
import type { Session } from '../session.ts'
import { startWeb } from './web.ts'

/** Milliseconds for a garbage collector that works through its queue. */
const COLLECT_MAX_MS = 10_000
const TEST_MAX_MS = 60_000
const KEPT = ['services', 'endpoints'] as const

export function deletionCases(session: () => Session): void {
  for (const policy of ['Background', 'Foreground'] as const) {
    test(
      `deleting the ClusterEndpoint (${policy}) deletes Service and Endpoints, and ends its probes`,
      async () => {
        if (!session().world.collectsGarbage) {
          console.log(`${session().world.name}: no garbage collector here, so none was tested`)
          return
        }
        await using sandbox = await Sandbox.open(session())
        const { backend } = await startWeb(sandbox)
        await sandbox.remove('clusterendpoints', 'web', policy)
        await sandbox.eventually(COLLECT_MAX_MS, () => expect(standing(sandbox)).toEqual([]))
        await throughout(1_000, () => expect(standing(sandbox)).toEqual([]))
        // Attempts under way have ended by now, and no further ones come.
        const hits = backend.hits()
        await throughout(1_000, () => expect(backend.hits()).toBe(hits))
      },
      TEST_MAX_MS,
    )
  }

  test(
    'a ClusterEndpoint deleted and made anew at once is served',
    async () => {
      if (!session().world.collectsGarbage) return
      await using sandbox = await Sandbox.open(session())
      const { backend, hosts } = await startWeb(sandbox)
      await sandbox.remove('clusterendpoints', 'web')
      const { metadata } = await sandbox.create('web', {
        ports: [tcpPort('new', backend.port, hosts)],
      })
      await sandbox.eventually(COLLECT_MAX_MS, () => {
        expect(sandbox.published('web')).toEqual(
          hosts.map((host) => `new TCP ${host}:${backend.port}`),
        )
        expect(sandbox.servicePorts('web')).toEqual([`new TCP 80 -> ${backend.port}`])
        for (const plural of ['services', 'endpoints'] as const) {
          expect(sandbox.latest(plural, 'web')?.metadata.ownerReferences).toMatchObject([
            { uid: metadata.uid },
          ])
        }
        expect(sandbox.status('web')?.phase).toBe('Healthy')
      })
    },
    TEST_MAX_MS,
  )

  test(
    'deleting the ClusterEndpoint alone (Orphan) leaves Service and Endpoints as they are',
    async () => {
      if (!session().world.collectsGarbage) return
      await using sandbox = await Sandbox.open(session())
      const { backend, hosts } = await startWeb(sandbox)
      const before = { ports: sandbox.servicePorts('web'), published: sandbox.published('web') }
      const ids = () => KEPT.map((plural) => sandbox.latest(plural, 'web')?.metadata.uid)
      const idsBefore = ids()
      await sandbox.remove('clusterendpoints', 'web', 'Orphan')
      await sandbox.eventually(COLLECT_MAX_MS, () => {
        expect(sandbox.latest('clusterendpoints', 'web')).toBeUndefined()
        for (const plural of KEPT) {
          expect(sandbox.latest(plural, 'web')?.metadata.ownerReferences).toEqual([])
        }
      })
      await backend.kill()
      await throughout(1_500, () =>
        expect({ ports: sandbox.servicePorts('web'), published: sandbox.published('web') }).toEqual(
          before,
        ),
      )
      // And it is taken up again in place.
      await sandbox.create('web', {
        periodSeconds: 1,
        ports: [tcpPort('tcp', backend.port, hosts)],
      })
      await sandbox.eventually(5_000, () => {
        expect(sandbox.published('web')).toHaveLength(hosts.length - 1)
        expect(sandbox.latest('services', 'web')?.metadata.ownerReferences).toHaveLength(1)
      })
      expect(ids()).toEqual(idsBefore)
    },
    TEST_MAX_MS,
  )
}

/** What stands of `web`. */
function standing(sandbox: Sandbox): Kept[] {
  const plurals = ['clusterendpoints', 'services', 'endpoints'] as const
  return plurals.filter((plural) => sandbox.latest(plural, 'web') !== undefined)
}
