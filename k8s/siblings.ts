// Hosts of one resource that change together: who is asked because of whom, and who is waited for. Pure.

import { type Health, isInDoubt } from '../probes/health.ts'
import { type Check, TICK_MS } from '../probes/scheduler.ts'

/** A change that is not published yet: when it came, and the verdict that it ended. */
export type Turn = { readonly atMs: number; readonly from: Health['verdict'] }

/**
 * Milliseconds that a change waits at most for siblings that turn with their next answer: the attempts of
 * a fast period. The first that fails is early by the nature of things, so that nobody is late by this.
 */
const SIBLINGS_MS = 1_000
/** Milliseconds that it waits at most for siblings that have given no sign yet, but are being asked. */
const SIBLINGS_BUSY_MS = 500
/** Milliseconds between two looks at them. */
const SIBLINGS_STEP_MS = 25

/** Whether a host of which all was clear has said the opposite. */
export function contradicts(before: Health, after: Health): boolean {
  return (
    isSettled(before, before.verdict) && (after.last === 'ok') !== (before.verdict === 'healthy')
  )
}

/** Whether it has `verdict`, and its last outcome says the same. */
export function isSettled(health: Health, verdict: Health['verdict']): boolean {
  return health.verdict === verdict && !isInDoubt(health)
}

/** Milliseconds until it is worth a look whether all that goes with `turned` has turned; 0 when nobody is waited for. */
export function siblingsInMs(checks: Iterable<Check>, turned: Turn, nowMs: number): number {
  if (nowMs >= turned.atMs + SIBLINGS_MS) return 0
  for (const check of checks) {
    if (check.health.verdict === turned.from && isAwaited(check, turned, nowMs)) {
      return SIBLINGS_STEP_MS
    }
  }
  return 0
}

/** Whether its next answer can turn it, and will be there in time: never of one that is not asked. */
function isAwaited(
  { health, target, isBusy, slot = 0 }: Check,
  turned: Turn,
  nowMs: number,
): boolean {
  if (!target.probe) return false
  const { successThreshold, failureThreshold } = target
  const needed = health.verdict === 'healthy' ? failureThreshold : successThreshold
  const isDoubted = isInDoubt(health)
  if ((isDoubted ? health.run : 0) + 1 < needed) return false
  if (isDoubted) return slot * TICK_MS < turned.atMs + SIBLINGS_MS
  return isBusy && nowMs < turned.atMs + SIBLINGS_BUSY_MS
}
