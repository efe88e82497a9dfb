// The rules of health: what outcomes make of a verdict. Pure; knows no clock and no network.

import type { Outcome, Target } from './target.ts'

export type Verdict = 'healthy' | 'unhealthy'

/** What is remembered of one target. A value: `observe` returns a new one, or the same if nothing moved. */
export type Health = {
  readonly verdict: Verdict
  /** When the verdict last changed, wall clock, milliseconds since the epoch. */
  readonly sinceMs: number
  /** Why it is unhealthy; empty while healthy. */
  readonly reason: string
  /** The last outcome that counted; undefined until there was one. */
  readonly last: 'ok' | 'failed' | undefined
  /** How many outcomes in a row equalled `last`, counted up to the larger threshold. */
  readonly run: number
  /** A reason other than `reason` that a host which stays unhealthy has begun to give, and its run. */
  readonly rival: { readonly reason: string; readonly run: number } | undefined
}

export type Thresholds = Pick<Target, 'successThreshold' | 'failureThreshold'>

/** The health to begin with: a host that is published is believed, any other must show itself first. */
export function seed(verdict: Verdict, sinceMs: number, reason: string): Health {
  return { verdict, sinceMs, reason, last: undefined, run: 0, rival: undefined }
}

/**
 * What `outcome` makes of `health`, counted as the kubelet counts: an outcome equal to the last one
 * adds to the run, another starts it at 1, and the verdict moves only when a run reaches its
 * threshold. Unknown counts neither way.
 *
 * The reason of a host that stays unhealthy moves only after `failureThreshold` equal reasons in a
 * row, so that a host which alternates between two failures does not write its status each period.
 *
 * Source: kubernetes pkg/kubelet/prober/worker.go (doProbe).
 */
export function observe(
  health: Health,
  outcome: Outcome,
  thresholds: Thresholds,
  nowMs: number,
): Health {
  if (outcome.result === 'unknown') {
    const neverHeard = health.last === undefined && health.verdict === 'unhealthy'
    if (!neverHeard || health.reason !== '') return health
    return { ...health, reason: outcome.reason }
  }

  const { successThreshold, failureThreshold } = thresholds
  const runMax = Math.max(successThreshold, failureThreshold)
  const run = outcome.result === health.last ? Math.min(health.run + 1, runMax) : 1

  if (outcome.result === 'ok') {
    if (health.verdict === 'healthy' || run < successThreshold) return counted(health, 'ok', run)
    return { verdict: 'healthy', sinceMs: nowMs, reason: '', last: 'ok', run, rival: undefined }
  }

  const { reason } = outcome
  if (health.verdict === 'healthy') {
    if (run < failureThreshold) return counted(health, 'failed', run)
    return { verdict: 'unhealthy', sinceMs: nowMs, reason, last: 'failed', run, rival: undefined }
  }
  if (health.last === undefined) return { ...counted(health, 'failed', run), reason }
  return withRival(counted(health, 'failed', run), reason, failureThreshold)
}

/** Whether the next attempt is worth hurrying: nothing is known yet, or the last outcome contradicts the verdict. */
export function isInDoubt(health: Health): boolean {
  if (health.last === undefined) return true
  return (health.last === 'ok') !== (health.verdict === 'healthy')
}

function counted(health: Health, last: 'ok' | 'failed', run: number): Health {
  const rival = last === 'ok' ? undefined : health.rival
  if (health.last === last && health.run === run && health.rival === rival) return health
  return { ...health, last, run, rival }
}

function withRival(health: Health, reason: string, failureThreshold: number): Health {
  if (reason === health.reason) {
    return health.rival === undefined ? health : { ...health, rival: undefined }
  }
  const run = health.rival?.reason === reason ? health.rival.run + 1 : 1
  if (run < failureThreshold) return { ...health, rival: { reason, run } }
  return { ...health, reason, rival: undefined }
}
