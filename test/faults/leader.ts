// Two replicas and one lease: whatever happens to the leader, one at a time writes, and a takeover is
// no event for anybody who uses what is published.

import { expect } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { eventually, throughout } from '../integration/eventually.ts'
import { type Operator, operatorCommand } from '../integration/operator.ts'
import { samples } from '../integration/prometheus.ts'
import { report } from '../process/report.ts'
import { newKubeconfig } from './kubeconfigs.ts'
import { startProxy, type TcpProxy } from './proxy.ts'
import { Trial } from './trial.ts'

type Named = { readonly name: string; readonly run: (name: string) => Promise<void> }

/** Times of client-go, and short ones. */
const usual = { args: ['--leader-elect'], leaseMs: 15_000, retryMs: 2_000 }
const short = {
  args: [
    '--leader-elect',
    '--leader-elect-lease-duration=5s',
    '--leader-elect-renew-deadline=3s',
    '--leader-elect-retry-period=1s',
  ],
  leaseMs: 5_000,
  retryMs: 1_000,
}
/** Milliseconds in which a released lease is taken, and that an expired one may take longer. */
const TAKEOVER_MAX_MS = 3_000
const EXIT_MAX_MS = 2_000

type Replicas = {
  readonly trial: Trial
  readonly leader: Operator
  readonly standby: Operator
  /** Between one of them and the API server. */
  readonly proxy: TcpProxy
}

/** Two replicas with one host down, the first of which leads. */
async function startReplicas(
  { args }: Pick<typeof usual, 'args'>,
  behindProxy: 'leader' | 'standby' = 'leader',
): Promise<Replicas> {
  const trial = await Trial.prepare({})
  try {
    const proxy = await startProxy(trial.server.port)
    trial.defer(() => proxy[Symbol.dispose]())
    const kubeconfigOf = (who: typeof behindProxy) => () =>
      newKubeconfig(who === behindProxy ? `http://127.0.0.1:${proxy.port}` : trial.server.url)
    const leader = await trial.start({ args, kubeconfig: kubeconfigOf('leader') })
    await eventually(10_000, async () => expect(await leads(leader)).toBe(true))
    const standby = await trial.start({ args, kubeconfig: kubeconfigOf('standby') })
    await trial.settle()
    await trial.kill(0)
    await trial.settle()
    await eventually(10_000, async () =>
      expect((await fetch(`${standby.healthUrl}/readyz`)).status).toBe(200),
    )
    expect(await leads(standby)).toBe(false)
    return { trial, leader, standby, proxy }
  } catch (error) {
    await trial[Symbol.asyncDispose]()
    throw error
  }
}

async function leads({ metricsUrl }: Operator): Promise<boolean> {
  return (await samples(metricsUrl)).some(({ name, value }) => name === 'cep_leader' && value === 1)
}

/** Writes that were answered with a success, by its own count. */
async function writesOf({ metricsUrl }: Operator): Promise<number> {
  return (await samples(metricsUrl))
    .filter(({ name, labels }) => name === 'cep_api_requests_total' && labels.get('verb') !== 'GET')
    .filter(({ labels }) => labels.get('code')?.startsWith('2'))
    .reduce((sum, { value }) => sum + value, 0)
}

function holder({ server }: Trial): string {
  const lease = server.store.get('leases', 'default', 'endpoints-operator')
  const { holderIdentity } = JSON.parse(JSON.stringify(lease?.spec ?? {}))
  return holderIdentity ?? ''
}

/** Does `end` to the leader, and returns the milliseconds until the standby led. */
async function takeover(
  { standby }: Pick<Replicas, 'standby'>,
  end: () => unknown,
  maxMs: number,
): Promise<number> {
  const startMs = performance.now()
  await end()
  const lead = async () => expect(await leads(standby)).toBe(true)
  await eventually(maxMs - (performance.now() - startMs), lead)
  return performance.now() - startMs
}

/** From `sinceMs` on nobody saw anything but the truth; and the new leader does its work. */
async function expectNoEvent({ trial }: Replicas, sinceMs: number): Promise<void> {
  const [down, up, changing] = trial.hosts.map(({ host }) => host)
  await throughout(2_500, () => trial.expectNeverWith([down ?? ''], sinceMs))
  trial.expectNeverWithout([up ?? '', changing ?? ''], sinceMs)
  await trial.kill(2)
  await trial.settle()
  await trial.revive(0)
  await trial.settle()
  trial.expectNeverWithout([up ?? ''], sinceMs)
}

export const leaderFaults: readonly Named[] = [
  {
    name: 'SIGTERM: the leader releases the lease and exits 0 within 2 s, the standby leads within 3 s',
    run: async (name) => {
      const replicas = await startReplicas(usual)
      await using trial = replicas.trial
      const { leader } = replicas
      const sinceMs = Date.now()
      const startMs = performance.now()
      let exitMs = 0
      const exited = leader.exited.then((code) => {
        exitMs = performance.now() - startMs
        return code
      })
      const tookMs = await takeover(replicas, () => leader.kill('SIGTERM'), TAKEOVER_MAX_MS)
      expect(await exited).toBe(0)
      expect(exitMs).toBeLessThan(EXIT_MAX_MS)
      expect(leader.logs()).toContain('released the lease')
      await expectNoEvent(replicas, sinceMs)
      report(name, { exitMs, tookMs })
      expect(trial.operators).toHaveLength(2)
    },
  },
  {
    name: 'kill -9 with the usual times: the standby leads within lease + 3 s',
    run: async (name) => await killed(name, usual),
  },
  {
    name: 'kill -9 with short times: the standby leads within lease + 3 s',
    run: async (name) => await killed(name, short),
  },
  {
    name: 'SIGSTOP past the lease, then SIGCONT: the old leader writes nothing more and stands by',
    run: async (name) => {
      const replicas = await startReplicas(short)
      await using trial = replicas.trial
      const { leader, standby } = replicas
      const sinceMs = Date.now()
      const before = await writesOf(leader)
      const stop = () => leader.kill('SIGSTOP')
      const tookMs = await takeover(replicas, stop, short.leaseMs + TAKEOVER_MAX_MS)
      // It will wake up believing that all of its hosts are well.
      await trial.kill(1)
      await trial.settle()
      leader.kill('SIGCONT')
      const standsBy = async () => expect(await leads(leader)).toBe(false)
      await eventually(5_000, standsBy)
      await throughout(3 * short.retryMs, async () => {
        await standsBy()
        expect(await leads(standby)).toBe(true)
      })
      // The renewal that was under way when it was counted, at most.
      const writes = (await writesOf(leader)) - before
      expect(writes).toBeLessThanOrEqual(1)
      trial.expectNeverWith([trial.host(0).host], sinceMs)
      trial.expectNeverWithout([trial.host(2).host], sinceMs)
      expect((await fetch(`${leader.healthUrl}/readyz`)).status).toBe(200)
      expect((await fetch(`${leader.healthUrl}/healthz`)).status).toBe(200)
      // It is as good a standby as any.
      await takeover({ standby: leader }, () => standby.kill('SIGTERM'), 4_000)
      await trial.settle()
      report(name, { tookMs, writes })
    },
  },
  {
    name: 'SIGSTOP with a write under way, whose connection is reset meanwhile: it is not written again',
    run: async () => {
      const replicas = await startReplicas(short)
      await using trial = replicas.trial
      const { leader, standby, proxy } = replicas
      const endpoints = { method: 'PATCH', resource: 'endpoints' }
      const hang = trial.server.fault({ ...endpoints, times: 1 }, { kind: 'hang' })
      await trial.kill(1)
      await eventually(5_000, () => expect(hang.hits).toBe(1))
      leader.kill('SIGSTOP')
      proxy.set('cut')
      const patches = () => trial.server.count({ ...endpoints })
      await eventually(short.leaseMs + 8_000, async () => expect(await leads(standby)).toBe(true))
      await trial.settle()
      // Whatever the old leader writes from now on is wrong.
      await trial.revive(1)
      await trial.settle()
      const before = patches()
      proxy.set('pass')
      leader.kill('SIGCONT')
      await eventually(5_000, () => expect(leader.logs()).toContain('lost the lease; standing by'))
      await throughout(2_000, () => {
        expect(patches()).toBe(before)
        trial.expectTruth()
      })
    },
  },
  ...(['silent', 'cut'] as const).map(
    (mode): Named => ({
      name: `the leader alone loses the API server (${mode}): it has stopped before another leads`,
      run: async (name) => {
        const replicas = await startReplicas(short)
        await using _ = replicas.trial
        const { leader, standby, proxy } = replicas
        const sinceMs = Date.now()
        const startMs = performance.now()
        let stoppedMs = 0
        let leadBoth = 0
        proxy.set(mode)
        await eventually(short.leaseMs + TAKEOVER_MAX_MS + 1_000, async () => {
          // In this order: whoever led before the other was asked may lead no more.
          const next = await leads(standby)
          const old = await leads(leader)
          if (!old && stoppedMs === 0) stoppedMs = performance.now() - startMs
          if (old && next) leadBoth++
          expect(next).toBe(true)
        })
        const tookMs = performance.now() - startMs
        expect(leadBoth).toBe(0)
        expect(stoppedMs).toBeGreaterThan(0)
        expect(stoppedMs).toBeLessThan(tookMs)
        // It probes nobody any more either.
        expect((await samples(leader.metricsUrl)).some(({ name }) => name === 'cep_targets')).toBe(
          false,
        )
        await expectNoEvent(replicas, sinceMs)
        proxy.set('pass')
        await throughout(2_000, async () => expect(await leads(leader)).toBe(false))
        report(name, { stoppedMs, tookMs })
      },
    }),
  ),
  {
    name: 'a standby whose watches are half-open takes over: it begins with what is so, not with what was',
    run: async (name) => {
      const replicas = await startReplicas(short, 'standby')
      await using trial = replicas.trial
      // Host 0 is down. From now on the standby hears of nothing, and does not know it.
      replicas.proxy.set('halfOpen')
      await trial.kill(1)
      await trial.settle()
      await trial.revive(0)
      await trial.settle()
      trial.server.store.patch('clusterendpoints', 'default', 'web', {
        metadata: { labels: { edited: 'yes' } },
      })
      await eventually(5_000, () => expect(trial.labelsOf('web').edited).toBe('yes'))
      const sinceMs = Date.now()
      const kill = () => replicas.leader.kill('SIGKILL')
      const tookMs = await takeover(replicas, kill, short.leaseMs + TAKEOVER_MAX_MS)
      const [back, dead, up] = trial.hosts.map(({ host }) => host)
      await throughout(4_000, () => {
        trial.expectNeverWith([dead ?? ''], sinceMs)
        trial.expectNeverWithout([back ?? '', up ?? ''], sinceMs)
        expect(trial.labelsOf('web').edited).toBe('yes')
      })
      await trial.revive(1)
      await trial.settle()
      report(name, { tookMs })
    },
  },
  {
    name: 'a standby is ready, says that it does not lead, probes nobody and writes nothing',
    run: async () => {
      const replicas = await startReplicas(short)
      await using _ = replicas.trial
      const { standby } = replicas
      const found = await samples(standby.metricsUrl)
      expect(found.find(({ name }) => name === 'cep_leader')?.value).toBe(0)
      expect(found.filter(({ name }) => /^cep_(num_check|targets|healthy)/.test(name))).toEqual([])
      for (const path of ['readyz', 'healthz'])
        expect((await fetch(`${standby.healthUrl}/${path}`)).status).toBe(200)
      expect(await writesOf(standby)).toBe(0)
      expect(await standby.stop()).toBe(0)
      expect(holder(replicas.trial)).not.toBe('')
    },
  },
  {
    name: 'SIGTERM while the API server answers nothing: exits 0 within 2 s',
    run: async (name) => {
      const trial = await Trial.open({ args: short.args })
      await using _ = trial
      trial.server.fault({}, { kind: 'hang' })
      const startMs = performance.now()
      expect(await trial.operator.stop()).toBe(0)
      const exitMs = performance.now() - startMs
      expect(exitMs).toBeLessThan(EXIT_MAX_MS + 200)
      expect(trial.operator.logs()).toContain('cannot release the lease; it will expire')
      report(name, { exitMs })
    },
  },
]

async function killed(name: string, times: typeof usual): Promise<void> {
  const replicas = await startReplicas(times)
  await using _ = replicas.trial
  const sinceMs = Date.now()
  const kill = () => replicas.leader.kill('SIGKILL')
  const tookMs = await takeover(replicas, kill, times.leaseMs + TAKEOVER_MAX_MS)
  // The last renewal was up to one retry period before.
  expect(tookMs).toBeGreaterThan(times.leaseMs - times.retryMs - 500)
  await expectNoEvent(replicas, sinceMs)
  report(name, { tookMs })
}

/** Why a process cannot be the first of a process namespace here; undefined when it can. */
export function pidNamespaceProblem(): string | undefined {
  if (process.platform !== 'linux') return 'only Linux has process namespaces'
  const { exitCode, stderr } = Bun.spawnSync(['unshare', '-p', '-f', '--mount-proc', 'true'])
  return exitCode === 0 ? undefined : stderr.toString().trim() || 'no unshare'
}

export const asPid1: Named = {
  name: 'SIGTERM as PID 1: releases the lease and exits 0 within 2 s',
  run: async (name) => {
    await using trial = await Trial.prepare({})
    const child = Bun.spawn(
      [
        ...['unshare', '-p', '-f', '--mount-proc', ...operatorCommand(), ...short.args],
        ...['--allow-loopback', `--kubeconfig=${trial.server.kubeconfig()}`],
        ...['--metricsaddr=127.0.0.1:0', '--health-probe-bind-address=127.0.0.1:0'],
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    trial.defer(() => child.kill('SIGKILL'))
    await trial.settle()
    expect(holder(trial)).not.toBe('')
    const pid = childOf(child.pid)
    expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(/^NSpid:\s+\d+\s+1$/m)
    const startMs = performance.now()
    process.kill(pid, 'SIGTERM')
    expect(await child.exited).toBe(0)
    const exitMs = performance.now() - startMs
    expect(exitMs).toBeLessThan(EXIT_MAX_MS)
    expect(holder(trial)).toBe('')
    report(name, { exitMs })
  },
}

function childOf(pid: number): number {
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const [first] = readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(' ')
    if (first) return Number(first)
  }
  throw new Error('unshare has no child')
}
