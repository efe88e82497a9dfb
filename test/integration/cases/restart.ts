// A restart of the operator is no event: nothing is drained, nothing is written.

import { expect, test } from 'bun:test'
import { throughout } from '../eventually.ts'
import { tcpPort } from '../manifests.ts'
import { published } from '../objects.ts'
import { samples } from '../prometheus.ts'
import { Sandbox } from '../sandbox.ts'
import type { Session } from '../session.ts'

const TEST_MAX_MS = 60_000

export function restartCases(session: () => Session): void {
  test(
    'a restart changes no resourceVersion and writes no Event, with a host down too',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const { hosts } = session().world
      const [up, down] = hosts
      const http = await sandbox.start('http', up)
      const grpc = await sandbox.start('grpc', up)
      const udp = await sandbox.start('udp', up)
      const hostsOf = { healthy: [up], partly: [up, down] }
      for (const [name, hosts] of Object.entries(hostsOf)) {
        await sandbox.create(name, {
          periodSeconds: 1,
          ports: [
            { name: 'http', port: 1, targetPort: http.port, hosts, httpGet: { path: '/' } },
            { name: 'grpc', port: 2, targetPort: grpc.port, hosts: [up], grpc: {} },
            {
              ...{ name: 'udp', protocol: 'UDP', port: 3, targetPort: udp.port, hosts: [up] },
              udpSocket: { data: 'ping' },
            },
          ],
        })
      }
      await sandbox.eventually(10_000, () => {
        expect(sandbox.status('healthy')).toMatchObject({ phase: 'Healthy', ready: '3/3' })
        expect(sandbox.status('partly')).toMatchObject({ phase: 'UnHealthy', ready: '3/4' })
        expect(sandbox.status('partly')?.hosts[0]?.reason).toBe('connect ECONNREFUSED')
      })
      await probed(sandbox, 7, 4)
      const before = standing(sandbox)

      let writes = 0
      await session().restart(async () => {
        writes = session().world.writes().length
      })
      // Past the first verdict on the host that is down, which comes with its third failure.
      await probed(sandbox, 7, 5)
      expect(standing(sandbox)).toEqual(before)
      expect(session().world.writes().slice(writes)).toEqual([])
    },
    TEST_MAX_MS,
  )

  test(
    'a host that died while the operator was away is out soon, and no other leaves for a moment',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const { hosts } = session().world
      const backends = await sandbox.startOnEach('tcp', hosts)
      const [staying, dying] = backends
      const port = staying?.port ?? 0
      await sandbox.create('web', { periodSeconds: 1, ports: [tcpPort('web', port, hosts)] })
      await sandbox.eventually(5_000, () => expect(sandbox.published('web')).toHaveLength(2))
      const fromMs = performance.now()
      await session().restart(async () => await dying?.kill())
      const left = `web TCP ${staying?.host}:${port}`
      await sandbox.eventually(8_000, () => expect(sandbox.published('web')).toEqual([left]))
      const versions = session().recordings.endpoints.versions(sandbox.namespace, 'web')
      for (const { object } of versions.filter(({ atMs }) => atMs > fromMs)) {
        expect(published(object)).toContain(left)
      }
      await throughout(1_000, () => expect(sandbox.published('web')).toEqual([left]))
    },
    TEST_MAX_MS,
  )
}

/** All that must not move. */
function standing(sandbox: Sandbox) {
  const names = ['healthy', 'partly']
  return {
    versions: names.map((name) => sandbox.resourceVersions(name)),
    events: names.map((name) => sandbox.events(name)),
  }
}

/** Resolves when each of `targets` hosts was probed `times` times by the operator that runs now. */
async function probed(sandbox: Sandbox, targets: number, times: number): Promise<void> {
  await sandbox.eventually(20_000, async () => {
    const all = await samples(sandbox.session.operator().metricsUrl)
    const counts = all.filter(
      ({ name, labels }) =>
        name === 'cep_num_checked' && labels.get('namespaces') === sandbox.namespace,
    )
    expect(counts).toHaveLength(targets)
    for (const { value } of counts) expect(value).toBeGreaterThanOrEqual(times)
  })
}
