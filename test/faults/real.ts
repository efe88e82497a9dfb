// What can be done to a real kube-apiserver and its etcd: killed, stopped, restarted, compacted. The
// in-process server is the one with the many faults; this one keeps it honest.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import type { Backend } from '../backends/backend.ts'
import { startTcp } from '../backends/tcp.ts'
import { type ControlPlane, startControlPlane } from '../controlplane/controlplane.ts'
import { freePorts } from '../controlplane/free-ports.ts'
import { eventually } from '../integration/eventually.ts'
import { clusterEndpoint, tcpPort } from '../integration/manifests.ts'
import { published, readObject } from '../integration/objects.ts'
import { type Operator, startOperator } from '../integration/operator.ts'
import { samples } from '../integration/prometheus.ts'
import { report } from '../process/report.ts'
import { cpuSecondsOf } from '../process/vitals.ts'

const START_MAX_MS = 180_000
const TEST_MAX_MS = 90_000
const CONVERGE_MAX_MS = 5_000
/** Until the operator asks an API server again that was away; then it converges. */
const NOTICE_MAX_MS = 7_000
const HOSTS = ['10.33.40.151', '10.33.40.152', '10.33.40.153']
const CRD = join(import.meta.dir, '../../crds/clusterendpoints.yaml')

type Fault = {
  readonly name: string
  /** Makes the fault; what it returns ends it. */
  readonly inject: (plane: ControlPlane) => (() => unknown) | Promise<() => unknown>
  readonly lastsMs: number
}

const faults: readonly Fault[] = [
  {
    name: 'kill -9 of the API server, and another one',
    lastsMs: 3_000,
    inject: ({ apiserver }) => {
      apiserver.kill('SIGKILL')
      return () => apiserver.restart()
    },
  },
  {
    name: 'SIGSTOP of the API server for 9 s',
    lastsMs: 6_000,
    inject: ({ apiserver }) => {
      apiserver.kill('SIGSTOP')
      return () => apiserver.kill('SIGCONT')
    },
  },
  {
    name: 'SIGSTOP of etcd for 9 s',
    lastsMs: 6_000,
    inject: ({ etcd }) => {
      etcd.kill('SIGSTOP')
      return () => etcd.kill('SIGCONT')
    },
  },
  {
    name: 'kill -9 of etcd, and another one',
    lastsMs: 2_000,
    inject: ({ etcd }) => {
      etcd.kill('SIGKILL')
      return () => etcd.restart()
    },
  },
]

/** Describes the tests; they run in the network namespace. */
export function realFaults(): void {
  let plane: ControlPlane
  let operator: Operator
  let hosts: readonly Backend[] = []
  const up = new Set(HOSTS)
  const lost: string[] = []
  let stopLooking = () => {}

  async function publishedNow(): Promise<string[]> {
    const answer = await plane.request('/api/v1/namespaces/default/endpoints/web', {
      signal: AbortSignal.timeout(1_000),
    })
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`)
    const found = published(readObject(await answer.json()))
    return found.map((text) => /([\d.]+):\d+$/.exec(text)?.[1] ?? '').sort()
  }

  const expectTruth = async () => expect(await publishedNow()).toEqual([...up].sort())

  async function kill(n: number): Promise<void> {
    const host = hosts[n]
    if (!host) return
    up.delete(host.host)
    await host.kill()
  }

  async function revive(n: number): Promise<void> {
    const host = hosts[n]
    if (!host) return
    up.add(host.host)
    await host.restart()
  }

  async function noticed(count: number): Promise<void> {
    await eventually(20_000, async () => {
      const found = await samples(operator.metricsUrl)
      expect(found.find(({ name }) => name === 'cep_healthy_hosts')?.value).toBe(count)
    })
  }

  beforeAll(async () => {
    plane = await startControlPlane()
    const applied = await plane.kubectl(['apply', '-f', CRD])
    expect(applied).toMatchObject({ code: 0 })
    const [port = 0] = freePorts(1)
    hosts = await Promise.all(HOSTS.map((host) => startTcp({ host, port })))
    const ports = [tcpPort('web', port, HOSTS, { failureThreshold: 2 })]
    const cep = clusterEndpoint('web', { periodSeconds: 1, ports }, { namespace: 'default' })
    operator = await startOperator(plane.kubeconfig)
    await eventually(20_000, async () => {
      const path = '/apis/sealos.io/v1beta1/namespaces/default/clusterendpoints'
      const headers = { 'Content-Type': 'application/json' }
      const answer = await plane.request(path, {
        method: 'POST',
        headers,
        body: JSON.stringify(cep),
      })
      expect(answer.status).toBeOneOf([201, 409])
    })
    await eventually(20_000, expectTruth)
    // Host 0 never dies: whenever it can be asked, it is published.
    const looking = setInterval(async () => {
      const found = await publishedNow().catch(() => undefined)
      if (found && !found.includes(HOSTS[0] ?? '')) lost.push(new Date().toISOString())
    }, 100)
    stopLooking = () => clearInterval(looking)
  }, START_MAX_MS)

  afterAll(async () => {
    stopLooking()
    operator?.kill('SIGKILL')
    for (const host of hosts) await host.kill()
    await plane?.stop()
  }, START_MAX_MS)

  for (const { name, inject, lastsMs } of faults) {
    test(
      `${name}, while a host dies: the truth is published within 5 s of the first answer`,
      async () => {
        await revive(1)
        await eventually(10_000, expectTruth)
        const logsBefore = operator.logs().length
        const cpuBefore = cpuSecondsOf(operator.pid)
        const startMs = performance.now()
        const end = await inject(plane)
        await kill(1)
        await noticed(2)
        await Bun.sleep(lastsMs)
        const share =
          (cpuSecondsOf(operator.pid) - cpuBefore) / ((performance.now() - startMs) / 1_000)
        await end()
        const tookMs = await eventually(NOTICE_MAX_MS + CONVERGE_MAX_MS, expectTruth)
        const logs = operator.logs().slice(logsBefore)
        expect(lost).toEqual([])
        expect(share).toBeLessThan(0.3)
        expect(await samples(operator.metricsUrl)).not.toEqual([])
        report(name, { tookMs, cpuShare: share, lines: logs.split('\n').length - 1 })
      },
      TEST_MAX_MS,
    )
  }

  test(
    'a watch from before a compaction and a restart gets 410, lists anew and misses nothing',
    async () => {
      await revive(1)
      await eventually(10_000, expectTruth)
      const listsBefore = await listsOf(operator)
      operator.kill('SIGSTOP')
      for (let n = 0; n < 30; n++) await label(plane, `${n}`)
      await compact(plane)
      await plane.apiserver.restart()
      await label(plane, 'last')
      operator.kill('SIGCONT')
      const path = '/api/v1/namespaces/default/services/web'
      const tookMs = await eventually(NOTICE_MAX_MS + CONVERGE_MAX_MS, async () => {
        const service = readObject(await (await plane.request(path)).json())
        expect(service.metadata.labels).toMatchObject({ turn: 'last' })
      })
      const lists = (await listsOf(operator)) - listsBefore
      expect(lists).toBeGreaterThan(0)
      expect(lost).toEqual([])
      report('compaction and restart', { tookMs, lists })
    },
    TEST_MAX_MS,
  )

  test(
    'two replicas: kill -9 of the leader; the other one leads in time, and no dead host returns',
    async () => {
      await operator.stop()
      const times = ['--leader-elect-lease-duration=4s', '--leader-elect-renew-deadline=3s']
      const args = ['--leader-elect', ...times, '--leader-elect-retry-period=1s']
      const leading = async (replica: Operator) => {
        const found = await samples(replica.metricsUrl)
        expect(found.find(({ name }) => name === 'cep_leader')?.value).toBe(1)
      }
      const leader = await startOperator(plane.kubeconfig, args)
      await eventually(10_000, () => leading(leader))
      operator = await startOperator(plane.kubeconfig, args)
      await kill(1)
      await eventually(10_000, expectTruth)
      leader.kill('SIGKILL')
      const tookMs = await eventually(4_000 + 3_000, async () => {
        expect(await publishedNow()).toEqual([...up].sort())
        await leading(operator)
      })
      await kill(2)
      await eventually(CONVERGE_MAX_MS + 3_000, expectTruth)
      expect(lost).toEqual([])
      expect(await operator.stop()).toBe(0)
      const lease = await plane.request(
        '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/endpoints-operator',
      )
      const { spec } = v.parse(leaseSchema, await lease.json())
      expect(spec.holderIdentity ?? '').toBe('')
      report('takeover', { tookMs })
    },
    TEST_MAX_MS,
  )
}

const leaseSchema = v.object({ spec: v.object({ holderIdentity: v.optional(v.string()) }) })

async function listsOf({ metricsUrl }: Operator): Promise<number> {
  return (await samples(metricsUrl))
    .filter(({ name }) => name === 'cep_watch_lists_total')
    .reduce((sum, { value }) => sum + value, 0)
}

async function label(plane: ControlPlane, turn: string): Promise<void> {
  const path = '/apis/sealos.io/v1beta1/namespaces/default/clusterendpoints/web'
  const headers = { 'Content-Type': 'application/merge-patch+json' }
  const body = JSON.stringify({ metadata: { labels: { turn } } })
  expect((await plane.request(path, { method: 'PATCH', headers, body })).status).toBe(200)
}

/** Compacts etcd at its present revision, by its own JSON interface. */
async function compact({ etcd }: ControlPlane): Promise<void> {
  const argv = readFileSync(`/proc/${etcd.pid}/cmdline`, 'utf8').split('\0')
  const url = argv.find((arg) => arg.startsWith('--listen-client-urls='))?.split('=')[1]
  const ask = async (path: string, body: object) => {
    const answer = await fetch(`${url}/v3/kv/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      proxy: false,
      keepalive: false,
    })
    expect(answer.status).toBe(200)
    return await answer.json()
  }
  const schema = v.object({ header: v.object({ revision: v.string() }) })
  const { header } = v.parse(schema, await ask('range', { key: 'AA==' }))
  await ask('compaction', { revision: header.revision, physical: true })
}
