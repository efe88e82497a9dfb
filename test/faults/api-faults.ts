// Everything that an API server and the network before it can do to an operator: while it lasts no
// healthy host is taken back and nothing is asked in a loop; when it is over, what is published is true
// within seconds.

import { expect } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FaultAction, FaultMatch } from '../apiserver/faults.ts'
import { eventually } from '../integration/eventually.ts'
import { report } from '../process/report.ts'
import { newFile, newKubeconfig } from './kubeconfigs.ts'
import { startProxy } from './proxy.ts'
import { type Cost, Trial, type TrialOptions } from './trial.ts'

/** One fault: how it is had, made and ended. */
export type ApiFault = {
  readonly name: string
  readonly options?: TrialOptions
  /** Makes the fault; what it returns ends it. */
  readonly inject: (trial: Trial) => (() => unknown) | Promise<() => unknown>
  /** Milliseconds that it lasts after a host has died under it. */
  readonly lastsMs?: number
  /** Requests a second that are no busy loop. */
  readonly requestsMax?: number
  /** What the log says meanwhile. */
  readonly told?: RegExp
}

const LASTS_MS = 3_000
/** In the first second of a fault each of four watches and a write may try two or three times. */
const REQUESTS_AT_ONCE = 15
/** Requests a second that are no busy loop: four watches and a write, each about once a second. */
const REQUESTS_MAX = 5
/** Seconds of CPU a second: probing three hosts each second takes about 0.01. */
const CPU_SHARE_MAX = 0.3
const RSS_MAX_MB = 140

const pem = (name: string) => readFileSync(join(import.meta.dir, '../backends', name), 'utf8')

/** A fault of the in-process server. */
function fault(
  name: string,
  action: FaultAction,
  match: FaultMatch = {},
  more: Partial<ApiFault> = {},
): ApiFault {
  return {
    name,
    ...more,
    inject: ({ server }) => {
      const handle = server.fault(match, action)
      return () => {
        expect(handle.hits).toBeGreaterThan(0)
        handle.remove()
      }
    },
  }
}

const status = (code: number, retryAfter?: string | number): FaultAction => ({
  kind: 'status',
  code,
  ...(retryAfter === undefined ? {} : { retryAfter }),
})

/** Also ends the watches, so that they have to be opened again under the fault. */
function withWatches(base: ApiFault): ApiFault {
  return {
    ...base,
    inject: async (trial) => {
      const end = await base.inject(trial)
      const cut = trial.server.fault({ watch: true, times: 3 }, { kind: 'cutWatch', how: 'end' })
      cut.remove()
      return end
    },
  }
}

export const apiFaults: readonly ApiFault[] = [
  {
    name: 'connections are refused for 20 s, while hosts fail and recover',
    lastsMs: 12_000,
    inject: async (trial) => {
      trial.server.pause()
      await trial.kill(0)
      await trial.noticed(2)
      await trial.revive(0)
      await trial.noticed(3)
      return () => trial.server.resume()
    },
    told: /cannot watch; trying again.*ECONNREFUSED/,
  },
  fault('every request is reset', { kind: 'reset' }),
  fault(
    'every write takes effect, and its answer is lost',
    { kind: 'resetAfterApply' },
    { method: 'PATCH' },
  ),
  withWatches(
    fault(
      'watches are cut in the middle of a line',
      { kind: 'cutWatch', how: 'midLine' },
      { watch: true },
    ),
  ),
  withWatches(
    fault(
      'watches are cut after 10 bytes',
      { kind: 'cutWatch', how: { afterBytes: 10 } },
      { watch: true },
    ),
  ),
  // Each try is a list and a watch, of four kinds: as with 410.
  withWatches(
    fault(
      'watches end at once',
      { kind: 'cutWatch', how: 'end' },
      { watch: true },
      { requestsMax: 8 },
    ),
  ),
  {
    name: 'TLS fails: something else answers on the port',
    options: {
      server: { tls: { key: pem('self-signed.key'), cert: pem('self-signed.crt') } },
      kubeconfig: async ({ port }) => {
        const proxy = await startProxy(port)
        proxies.set(port, proxy)
        const ca = pem('self-signed.crt')
        return newKubeconfig(`https://127.0.0.1:${proxy.port}`, { ca, name: 'test.invalid' })
      },
    },
    inject: ({ server }) => {
      const proxy = proxies.get(server.port)
      proxy?.set('garbage')
      return () => proxy?.set('pass')
    },
    told: /cannot watch; trying again/,
  },
  {
    name: '401: the token was rotated, and the file has it later',
    options: {
      server: { tokens: { old: 'operator' } },
      kubeconfig: ({ url, port }) => {
        const tokenFile = newFile('old')
        tokenFiles.set(port, tokenFile)
        return newKubeconfig(url, { tokenFile })
      },
    },
    inject: ({ server }) => {
      server.setTokens({ new: 'operator' })
      const end = server.fault({ watch: true }, { kind: 'cutWatch', how: 'end' })
      end.remove()
      const tokenFile = tokenFiles.get(server.port) ?? ''
      // Half swapped first.
      writeFileSync(tokenFile, '')
      return () => writeFileSync(tokenFile, 'new\n')
    },
    told: /Unauthorized/,
  },
  {
    name: '403: the role was taken away',
    inject: ({ server }) => {
      server.setForbid(() => true)
      const end = server.fault({ watch: true }, { kind: 'cutWatch', how: 'end' })
      end.remove()
      return () => server.setForbid(undefined)
    },
    told: /not allowed: .*forbidden/,
  },
  fault('409 to every write', status(409), { method: 'PATCH' }),
  withWatches(fault('410 to every list and watch', status(410), { method: 'GET' })),
  // Each try is a list and a watch.
  fault('410 in every stream', { kind: 'expire' }, { watch: true }, { requestsMax: 8 }),
  withWatches(fault('429 with Retry-After: 2', status(429, 2))),
  withWatches(fault('429 without Retry-After', status(429))),
  withWatches(fault('500 to everything', status(500))),
  withWatches(fault('503 with Retry-After: 1', status(503, 1))),
  withWatches(fault('504 to everything', status(504))),
  fault('500 to writes only: its storage is away', status(500), { method: 'PATCH' }),
  fault('no answer ever comes', { kind: 'hang' }, {}, { lastsMs: 7_000 }),
  {
    name: 'the network swallows everything for 8 s, and no connection ends',
    options: {
      kubeconfig: async ({ port }) => {
        const proxy = await startProxy(port)
        proxies.set(port, proxy)
        return newKubeconfig(`http://127.0.0.1:${proxy.port}`)
      },
    },
    lastsMs: 6_000,
    inject: ({ server }) => {
      const proxy = proxies.get(server.port)
      proxy?.set('silent')
      return () => proxy?.set('pass')
    },
  },
]

const proxies = new Map<number, Awaited<ReturnType<typeof startProxy>>>()
const tokenFiles = new Map<number, string>()

/** Makes the fault, lets a host die under it, ends it; checks all that is promised. */
export async function suffer(apiFault: ApiFault): Promise<void> {
  const { name, inject, lastsMs = LASTS_MS, options = {}, told } = apiFault
  await using trial = await Trial.open(options)
  trial.createPlain('doomed')
  await eventually(10_000, () => expect(trial.publishedAs('doomed')).toHaveLength(1))
  const logsBefore = trial.operator.logs().length
  let end: (() => unknown) | undefined
  const cost = await trial.costOf(async () => {
    end = await inject(trial)
    editAll(trial)
    await trial.kill(1)
    await trial.noticed(2)
    await Bun.sleep(lastsMs)
  })
  const logs = trial.operator.logs().slice(logsBefore)
  if (told) expect(logs).toMatch(told)
  edit(trial, 'late')
  const sinceMs = Date.now()
  await end?.()
  const convergedMs = await trial.converged(sinceMs, () => expectEdits(trial))
  const backMs = Date.now() - sinceMs
  checkCost(apiFault, cost)
  trial.expectNeverWithout([trial.host(2).host])
  await trial.revive(1)
  await trial.settle()
  expectEdits(trial)
  expect(await trial.operator.stop()).toBe(0)
  report(name, { ...cost, convergedMs, backMs })
}

/** What only a watch or a list can tell: one comes, one goes, one is changed. */
function editAll(trial: Trial): void {
  const { server } = trial
  trial.createPlain('late')
  server.store.delete('clusterendpoints', 'default', 'doomed')
  edit(trial, 'early')
}

function edit({ server }: Trial, edited: string): void {
  server.store.patch('clusterendpoints', 'default', 'web', { metadata: { labels: { edited } } })
}

function expectEdits(trial: Trial): void {
  expect({
    late: trial.publishedAs('late'),
    doomed: trial.publishedAs('doomed'),
    edited: trial.labelsOf('web').edited,
  }).toEqual({ late: ['127.0.99.1'], doomed: undefined, edited: 'late' })
}

function checkCost({ requestsMax = REQUESTS_MAX }: ApiFault, cost: Cost): void {
  expect(cost.requests).toBeLessThanOrEqual(REQUESTS_AT_ONCE + requestsMax * cost.seconds)
  expect(cost.cpuSeconds).toBeLessThan(CPU_SHARE_MAX * cost.seconds)
  expect(cost.rssMb).toBeLessThan(RSS_MAX_MB)
}
