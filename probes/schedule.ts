// When a target is next due. Pure: phases, hurry, and what to do after the process itself stood still.

import { type Health, isInDoubt } from './health.ts'
import type { Target } from './target.ts'

export type Rhythm = Pick<Target, 'periodMs' | 'fastPeriodMs'>

/**
 * When the next attempt is due after one that began at `startMs` and has just ended at `nowMs`.
 *
 * A settled target keeps to its own phase of the period, so that ten thousand of them make an even
 * load; one in doubt comes again after the fast period, counted from the start of the attempt.
 * Never in the past, never later than one period from now.
 */
export function nextDueMs(
  rhythm: Rhythm,
  phase: number,
  health: Health,
  startMs: number,
  nowMs: number,
): number {
  if (isInDoubt(health)) return Math.max(nowMs, startMs + rhythm.fastPeriodMs)
  return nextInPhase(rhythm.periodMs, phase, nowMs)
}

/**
 * When an attempt is due that was missed because the process stood still (SIGSTOP, suspend): spread
 * over the period as always, so that the return is not a burst.
 */
export function dueAfterStallMs(
  rhythm: Rhythm,
  phase: number,
  health: Health,
  nowMs: number,
): number {
  return nextInPhase(isInDoubt(health) ? rhythm.fastPeriodMs : rhythm.periodMs, phase, nowMs)
}

/** A target's place in its period, from 0 up to 1: the same for the same id, even over many ids. */
export function phaseOf(id: string): number {
  return Bun.hash.xxHash32(id) / 2 ** 32
}

function nextInPhase(periodMs: number, phase: number, nowMs: number): number {
  const offset = phase * periodMs
  return Math.floor((nowMs - offset) / periodMs + 1) * periodMs + offset
}
