// Hosts of one resource that change together: who is asked because of whom, and who is waited for. Pure.

import { type Health, isInDoubt } from '../probes/health.ts'
import { type Check, type Hurry, TICK_MS } from '../probes/scheduler.ts'

/** A change that is not published yet: when it came, and the verdict that it ended. */
export type Turn = { readonly atMs: number; readonly from: Health['verdict'] }

/**
 * Milliseconds that a change waits at most for siblings that are in doubt: the attempts of a fast period. The
 * first that fails is early by the nature of things, so that nobody is late by this.
 */
const DOUBTED_MS = 1_000
/** Milliseconds that it waits at most for siblings that have given no sign yet, once they are being asked. */
const ASKED_MS = 500
/**
 * Milliseconds that it waits at most, all in all. Where hosts of many resources fail at once, siblings are
 * not asked before their portion comes; it is waited for as much longer as that has taken.
 */
const SIBLINGS_MAX_MS = 2_000
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

/**
 * Milliseconds until it is worth a look whether all that goes with `turned` has turned; 0 when nobody is
 * waited for. `asked`: when they were hurried last, if they were.
 */
export function siblingsInMs(
  checks: Iterable<Check>,
  turned: Turn,
  asked: Hurry | undefined,
  nowMs: number,
): number {
  const until = deadlines(turned, asked, nowMs)
  for (const check of checks) {
    if (check.health.verdict === turned.from && isAwaited(check, until, nowMs)) {
      return SIBLINGS_STEP_MS
    }
  }
  return 0
}

type Deadlines = { readonly askedMs: number; readonly doubtedMs: number }

/** Until when siblings are waited for that have given no sign, and those that are in doubt. */
function deadlines({ atMs }: Turn, asked: Hurry | undefined, nowMs: number): Deadlines {
  const askedMs = asked ? (asked.askedMs ?? nowMs) : atMs
  const queuedMs = asked ? askedMs - asked.sinceMs : 0
  const lastMs = atMs + SIBLINGS_MAX_MS
  return {
    askedMs: Math.min(lastMs, Math.max(atMs, askedMs) + ASKED_MS),
    doubtedMs: Math.min(lastMs, atMs + DOUBTED_MS + queuedMs),
  }
}

/** Whether it can have turned in time: never one that is not asked. */
function isAwaited(check: Check, until: Deadlines, nowMs: number): boolean {
  const { health, target, isBusy, slot = 0 } = check
  if (!target.probe) return false
  const isDoubted = isInDoubt(health)
  if (!isDoubted && !isBusy) return false
  const { successThreshold, failureThreshold, fastPeriodMs } = target
  const needed = health.verdict === 'healthy' ? failureThreshold : successThreshold
  const answers = Math.max(1, needed - (isDoubted ? health.run : 0))
  const turnsMs = Math.max(nowMs, slot * TICK_MS) + (answers - 1) * fastPeriodMs
  return turnsMs < (isDoubted ? until.doubtedMs : until.askedMs)
}
