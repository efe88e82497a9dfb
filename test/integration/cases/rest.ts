// Silence: a world in which nothing changes is not written to.

import { expect, test } from 'bun:test'
import { eventually } from '../eventually.ts'
import { tcpPort } from '../manifests.ts'
import { Sandbox } from '../sandbox.ts'
import type { Session } from '../session.ts'

const RESOURCES = 20
const PERIOD = 2
/** Every so many resources have a host that is down. */
const DOWN_EVERY = 4
/** Labels are sorted, so the resource comes before the verb. */
const COUNTER_OF_WRITES =
  /^apiserver_request_total\{.*resource="(?:clusterendpoints|services|endpoints|events)".*verb="(?:POST|CREATE|PUT|UPDATE|PATCH|APPLY|DELETE)"/
const TEST_MAX_MS = 60_000

export function restCases(session: () => Session): void {
  test(
    'at rest, with 20 resources of which some have hosts down, nothing is written for 3 periods',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const { hosts } = session().world
      const [up, down] = hosts
      const http = await sandbox.start('http', up)
      const tcp = await sandbox.start('tcp', up)
      const udp = await sandbox.start('udp', up)
      const names = Array.from({ length: RESOURCES }, (_, index) => `rest-${index}`)
      for (const [index, name] of names.entries()) {
        const web = index % DOWN_EVERY === 0 ? [up, down] : [up]
        await sandbox.create(name, {
          periodSeconds: PERIOD,
          ports: [
            { name: 'web', port: 80, targetPort: http.port, hosts: web, httpGet: { path: '/' } },
            tcpPort('tcp', tcp.port, [up], { port: 81 }),
            {
              ...{ name: 'udp', protocol: 'UDP', port: 82, targetPort: udp.port, hosts: [up] },
              udpSocket: { data: 'ping' },
            },
          ],
        })
      }
      await sandbox.eventually(20_000, () => {
        for (const [index, name] of names.entries()) {
          const ready = index % DOWN_EVERY === 0 ? '3/4' : '3/3'
          expect(sandbox.status(name)).toMatchObject({ ready, conditions: readyConditions() })
          if (index % DOWN_EVERY !== 0) continue
          // The third failure has its reason told; from here on nothing is news.
          expect(sandbox.status(name)?.hosts[0]?.reason).toBe('connect ECONNREFUSED')
        }
      })
      await untilQuiet(session(), PERIOD * 1000)

      const before = session().world.writes().length
      const countedBefore = await countedWrites(session())
      const hitsBefore = http.hits()
      await Bun.sleep(3 * PERIOD * 1000)
      expect(session().world.writes().slice(before)).toEqual([])
      expect(await countedWrites(session())).toBe(countedBefore)
      // Silent, not dead: each resource was probed each period.
      expect(http.hits() - hitsBefore).toBeGreaterThanOrEqual(RESOURCES * 2)
    },
    TEST_MAX_MS,
  )
}

function readyConditions(): unknown {
  return expect.arrayContaining([expect.objectContaining({ type: 'Ready', status: 'True' })])
}

/** All writes to what the operator writes to, whoever wrote, by the counters of the API server. */
async function countedWrites({ world }: Session): Promise<number> {
  const text = await (await world.request('/metrics')).text()
  const counters = text.split('\n').filter((line) => COUNTER_OF_WRITES.test(line))
  expect(counters).not.toBeEmpty()
  return counters.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}

/** Resolves when the operator has written nothing for `ms`. */
async function untilQuiet({ world }: Session, ms: number): Promise<void> {
  let count = world.writes().length
  let sinceMs = performance.now()
  await eventually(20_000, () => {
    const now = world.writes().length
    if (now !== count) sinceMs = performance.now()
    count = now
    expect(performance.now() - sinceMs).toBeGreaterThan(ms)
  })
}
