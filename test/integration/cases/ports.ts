// The operator's own ports, and its end: metrics, health, SIGTERM.

import { expect, test } from 'bun:test'
import { tcpPort } from '../manifests.ts'
import { type Sample, samples } from '../prometheus.ts'
import { Sandbox } from '../sandbox.ts'
import type { Session } from '../session.ts'

const SOON_MS = 5_000
const STOP_MAX_MS = 2_000
const TEST_MAX_MS = 30_000

/** What dashboards were built on. */
const PROBE_LABELS = ['name', 'namespaces', 'instance', 'probe']

export function portCases(session: () => Session): void {
  test(
    'metrics have the names and labels that dashboards use, and go with their resource',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const [up, down] = session().world.hosts
      const http = await sandbox.start('http', up)
      const series = async () => {
        const all = await samples(session().operator().metricsUrl)
        return all.filter(({ labels }) => labels.get('namespaces') === sandbox.namespace)
      }
      const web = { name: 'web', port: 80, targetPort: http.port, httpGet: { path: '/' } }
      await sandbox.create('web', { periodSeconds: 1, ports: [{ ...web, hosts: [up, down] }] })
      await sandbox.eventually(SOON_MS, async () => {
        const found = await series()
        expect(
          seriesValue(found, 'cep_num_check_successful', `${up}:${http.port}`),
        ).toBeGreaterThan(0)
        expect(seriesValue(found, 'cep_num_check_failed', `${down}:${http.port}`)).toBeGreaterThan(
          0,
        )
        expect(found.find(({ name }) => name === 'cep_healthy_hosts')?.value).toBe(1)
        expect(found.find(({ name }) => name === 'cep_targets')?.value).toBe(2)
      })

      const found = await series()
      const probed = found.filter(({ labels }) => labels.has('instance'))
      for (const { labels } of probed) {
        expect([...labels.keys()]).toEqual(expect.arrayContaining(PROBE_LABELS))
        expect(Object.fromEntries(labels)).toMatchObject({ name: 'web', probe: 'http' })
      }
      for (const host of [up, down]) {
        const instance = `${host}:${http.port}`
        const count = (name: string) => seriesValue(found, name, instance)
        expect(count('cep_num_checked')).toBe(
          count('cep_num_check_failed') + count('cep_num_check_successful'),
        )
        expect(count('cep_check_duration_seconds_count')).toBe(count('cep_num_checked'))
      }

      // One host less, then none at all.
      await sandbox.patch('clusterendpoints', 'web', { spec: { ports: [{ ...web, hosts: [up] }] } })
      await sandbox.eventually(SOON_MS, async () => {
        const instances = (await series()).map(({ labels }) => labels.get('instance'))
        expect(instances).toContain(`${up}:${http.port}`)
        expect(instances).not.toContain(`${down}:${http.port}`)
      })
      await sandbox.remove('clusterendpoints', 'web')
      await sandbox.eventually(SOON_MS, async () => expect(await series()).toEqual([]))
    },
    TEST_MAX_MS,
  )

  test(
    'metrics count the writes by kind, and tell the leader, the version and the memory',
    async () => {
      const all = await samples(session().operator().metricsUrl)
      const writes = all.filter(
        ({ name, labels }) => name === 'cep_api_requests_total' && labels.get('verb') === 'PATCH',
      )
      const resources = writes.map(({ labels }) => labels.get('resource'))
      expect(resources).toEqual(expect.arrayContaining(['clusterendpoints/status']))
      const value = (wanted: string) => all.find(({ name }) => name === wanted)?.value
      expect(value('cep_leader')).toBe(1)
      expect(value('cep_build_info')).toBe(1)
      expect(value('process_resident_memory_bytes')).toBeGreaterThan(1_000_000)
    },
    TEST_MAX_MS,
  )

  test(
    '/healthz and /readyz say yes, other paths and methods no',
    async () => {
      const { healthUrl } = session().operator()
      for (const path of ['/healthz', '/readyz']) {
        const answer = await fetch(`${healthUrl}${path}`)
        expect([answer.status, await answer.text()]).toEqual([200, 'ok\n'])
      }
      expect((await fetch(`${healthUrl}/metrics`)).status).toBe(404)
      expect((await fetch(`${healthUrl}/healthz`, { method: 'POST' })).status).toBe(405)
    },
    TEST_MAX_MS,
  )

  test(
    'SIGTERM ends it with 0 within 2 s, while probes hang',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const deaf = sandbox.keep(await session().world.startDeaf())
      const port = tcpPort('tcp', deaf.port, [deaf.host], { timeoutSeconds: 60 })
      await sandbox.create('deaf', {
        ports: [
          port,
          { ...port, name: 'web', port: 81, tcpSocket: { enable: false }, httpGet: {} },
        ],
      })
      await sandbox.eventually(SOON_MS, async () => {
        const all = await samples(session().operator().metricsUrl)
        const hanging = all.find(({ name }) => name === 'cep_attempts_in_flight')?.value
        expect(hanging).toBeGreaterThanOrEqual(2)
      })
      const { code, ms } = await session().restart()
      console.log(`${session().world.name}: ended ${Math.round(ms)} ms after SIGTERM`)
      expect(code).toBe(0)
      expect(ms).toBeLessThan(STOP_MAX_MS)
    },
    TEST_MAX_MS,
  )
}

/** The value of one series; fails when it is not there. */
function seriesValue(all: readonly Sample[], name: string, instance: string): number {
  const found = all.find((each) => each.name === name && each.labels.get('instance') === instance)
  expect(found).toBeDefined()
  return found?.value ?? Number.NaN
}
