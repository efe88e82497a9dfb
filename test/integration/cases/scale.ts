// Many resources at once, and one that is very large.

import { expect, test } from 'bun:test'
import { HOST_ROWS_MAX } from '../../../crds/status.ts'
import { throughout } from '../eventually.ts'
import { tcpPort } from '../manifests.ts'
import { Sandbox } from '../sandbox.ts'
import type { Session } from '../session.ts'

const MANY_HOSTS = 3_000
const MANY_RESOURCES = 300
/** Requests that the test has under way at once. */
const BATCH = 25
/** Events that one resource may cause at once, and some that it earns meanwhile. */
const EVENTS_MAX = 27
const TEST_MAX_MS = 90_000

export function scaleCases(session: () => Session): void {
  test(
    `a resource with ${MANY_HOSTS} hosts fits, and its neighbour is not disturbed`,
    async () => {
      await using sandbox = await Sandbox.open(session())
      const { world } = session()
      const everywhere = await sandbox.start('tcp', '0.0.0.0')
      const neighbour = await sandbox.start('tcp', world.hosts[0])
      const near = tcpPort('web', neighbour.port, [neighbour.host])
      await sandbox.create('near', { periodSeconds: 1, ports: [near] })
      await sandbox.eventually(5_000, () => expect(sandbox.status('near')?.phase).toBe('Healthy'))
      const versions = sandbox.resourceVersions('near')

      const hosts = world.manyHosts(MANY_HOSTS)
      // No two answer alike: one port where all are well, one where none is.
      const ports = [
        tcpPort('up', everywhere.port, hosts, { port: 1 }),
        tcpPort('down', 1, hosts, { port: 2 }),
      ]
      const startMs = performance.now()
      await sandbox.create('large', { periodSeconds: 2, ports })
      await sandbox.eventually(30_000, () => {
        const ready = `${MANY_HOSTS}/${2 * MANY_HOSTS}`
        expect(sandbox.status('large')).toMatchObject({ phase: 'UnHealthy', ready })
        expect(sandbox.published('large')).toHaveLength(MANY_HOSTS)
      })
      const seconds = ((performance.now() - startMs) / 1000).toFixed(1)
      const rssMb = Math.round((await session().operator().rssKb()) / 1024)
      console.log(
        `${world.name}: ${2 * MANY_HOSTS} targets in one resource after ${seconds} s, RSS ${rssMb} MB`,
      )
      const status = sandbox.status('large')
      expect(status?.hosts).toHaveLength(HOST_ROWS_MAX)
      expect(status?.hostsOmitted).toBe(2 * MANY_HOSTS - HOST_ROWS_MAX)
      expect(sandbox.events('large').length).toBeLessThanOrEqual(EVENTS_MAX)
      await throughout(3_000, () => expect(sandbox.resourceVersions('near')).toEqual(versions))

      // All at once, in a handful of writes.
      const before = world.writes().length
      await everywhere.kill()
      await sandbox.eventually(15_000, () => expect(sandbox.published('large')).toEqual([]))
      expect(sandbox.resourceVersions('near')).toEqual(versions)
      console.log(
        `${world.name}: ${MANY_HOSTS} hosts out in ${world.writes().length - before} writes`,
      )
    },
    TEST_MAX_MS,
  )

  test(
    `${MANY_RESOURCES} resources created at once all converge`,
    async () => {
      await using sandbox = await Sandbox.open(session())
      const { world } = session()
      const [host] = world.hosts
      const { port } = await sandbox.start('tcp', host)
      const names = Array.from({ length: MANY_RESOURCES }, (_, index) => `many-${index}`)
      const startMs = performance.now()
      for (let at = 0; at < names.length; at += BATCH) {
        await Promise.all(
          names
            .slice(at, at + BATCH)
            .map((name) => sandbox.create(name, { ports: [tcpPort('web', port, [host])] })),
        )
      }
      const createdMs = performance.now()
      const wanted = [`web TCP ${host}:${port}`]
      await sandbox.eventually(60_000, () => {
        for (const name of names) {
          expect(sandbox.published(name)).toEqual(wanted)
          expect(sandbox.status(name)).toMatchObject({ phase: 'Healthy', ready: '1/1' })
        }
      })
      const created = ((createdMs - startMs) / 1000).toFixed(1)
      const converged = ((performance.now() - startMs) / 1000).toFixed(1)
      console.log(
        `${world.name}: ${MANY_RESOURCES} resources created in ${created} s, converged after ${converged} s`,
      )
    },
    TEST_MAX_MS,
  )
}
