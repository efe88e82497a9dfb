// What the operator writes while nothing changes: nothing.

import { pause } from '../../k8s/backoff.ts'
import type { Operator } from '../integration/operator.ts'
import type { Cluster } from './cluster.ts'
import { DemoFailed } from './failure.ts'
import { PERIOD_SECONDS } from './plan.ts'

/** Milliseconds after the last change in which its Events may still be written. */
const SETTLE_MS = 2_000
/** Seconds: every host is probed three times. */
export const REST_SECONDS = 3 * PERIOD_SECONDS

export type Rest = {
  readonly writes: number
  /** Where the number was read. */
  readonly source: string
}

/** Counts writes to the API server over REST_SECONDS. */
export async function observeRest(
  cluster: Cluster,
  operator: Operator,
  signal: AbortSignal,
): Promise<Rest> {
  const count = cluster.writes ?? (() => writesOf(operator.metricsUrl))
  const source = cluster.writes ? 'its own log' : "the operator's metrics"
  await pause(SETTLE_MS, signal)
  const before = await count()
  // All that stands there was written: who counts nothing would count nothing at rest, too.
  if (before === 0) throw new DemoFailed(`Cannot count writes in ${source}`)
  await pause(REST_SECONDS * 1000, signal)
  signal.throwIfAborted()
  return { writes: (await count()) - before, source }
}

/** Writes of the operator so far, by its metrics. */
async function writesOf(metricsUrl: string): Promise<number> {
  const answer = await fetch(metricsUrl, { proxy: false, keepalive: false })
  return countWrites(await answer.text())
}

/** The writes in the operator's metrics. Pure. */
export function countWrites(metrics: string): number {
  const samples = metrics.matchAll(/^cep_api_requests_total\{verb="([A-Z]+)"[^\n]*\} (\d+)$/gm)
  return [...samples].reduce((sum, [, verb, count]) => {
    return verb === 'GET' ? sum : sum + Number(count)
  }, 0)
}
