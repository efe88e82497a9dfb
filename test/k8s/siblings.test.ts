// Who is waited for when a host of a resource has turned.

import { describe, expect, test } from 'bun:test'
import { contradicts, siblingsInMs } from '../../k8s/siblings.ts'
import { type Health, seed } from '../../probes/health.ts'
import { type Hurry, TICK_MS } from '../../probes/scheduler.ts'
import { target } from '../probes/simulation.ts'

const NOW_MS = 100_000
const well: Health = { ...seed('healthy', 0, ''), last: 'ok', run: 3 }
const out: Health = { ...seed('unhealthy', 0, 'down'), last: 'failed', run: 3 }
const doubted = (run: number): Health => ({ ...well, last: 'failed', run })

type Case = {
  readonly health: Health
  readonly threshold: number
  /** How long the host that turned has been turned. */
  readonly agoMs?: number
  readonly isBusy?: boolean
  readonly dueInMs?: number
  /** How long ago all were hurried, and for how long their portions were waited for: undefined for until now. */
  readonly hurry?: { readonly agoMs: number; readonly queuedMs?: number }
}

function waits({ health, threshold, agoMs = 0, isBusy = false, dueInMs, hurry }: Case): boolean {
  const check = {
    ...{ id: 'a', phase: 0, target: target('a', { failureThreshold: threshold }), health, isBusy },
    ...{
      question: undefined,
      isFailing: false,
      isStopped: false,
      hurry: undefined,
      listener: { onOutcome() {} },
      place: -1,
    },
    slot: dueInMs === undefined ? undefined : (NOW_MS + dueInMs) / TICK_MS,
  }
  const turned = { atMs: NOW_MS - agoMs, from: 'healthy' } as const
  return siblingsInMs([check], turned, hurry && hurried(hurry), NOW_MS) > 0
}

function hurried({ agoMs, queuedMs }: NonNullable<Case['hurry']>): Hurry {
  const sinceMs = NOW_MS - agoMs
  const askedMs = queuedMs === undefined ? undefined : sinceMs + queuedMs
  return { sinceMs, askedMs, queued: askedMs === undefined ? 1 : 0, again: 0 }
}

describe('a change', () => {
  test.each<[sentence: string, expected: boolean, given: Case]>([
    [
      'waits for a well sibling that is being asked',
      true,
      { health: well, threshold: 1, agoMs: 499, isBusy: true },
    ],
    [
      'but no longer than half a second',
      false,
      { health: well, threshold: 1, agoMs: 500, isBusy: true },
    ],
    ['not if one failure is not enough', false, { health: well, threshold: 2, isBusy: true }],
    ['not for one that is not being asked', false, { health: well, threshold: 1, dueInMs: 50 }],
    [
      'waits for one in doubt that the next failure turns',
      true,
      { health: doubted(2), threshold: 3, dueInMs: 950 },
    ],
    [
      'but not for two failures, a fast period apart',
      false,
      { health: doubted(1), threshold: 3, dueInMs: 50 },
    ],
    [
      'nor for an answer that comes too late',
      false,
      { health: doubted(2), threshold: 3, dueInMs: 1_000 },
    ],
    [
      'nor for longer than a second',
      false,
      { health: doubted(2), threshold: 3, agoMs: 1_000, isBusy: true },
    ],
    ['nor for one that is out already', false, { health: out, threshold: 1, isBusy: true }],
  ])('%s', (_sentence, expected, given) => {
    expect(waits(given)).toBe(expected)
  })

  const busy = { health: well, threshold: 1, isBusy: true }
  test.each<[sentence: string, expected: boolean, given: Case]>([
    [
      'waits for siblings that wait for their portion',
      true,
      { ...busy, agoMs: 1_999, hurry: { agoMs: 1_999 } },
    ],
    [
      'but never longer than two seconds',
      false,
      { ...busy, agoMs: 2_000, hurry: { agoMs: 2_000 } },
    ],
    [
      'and for half a second after their portion',
      true,
      { ...busy, agoMs: 1_399, hurry: { agoMs: 1_399, queuedMs: 900 } },
    ],
    ['but no longer', false, { ...busy, agoMs: 1_400, hurry: { agoMs: 1_400, queuedMs: 900 } }],
    [
      'waits for two failures where the portion was late by one',
      true,
      {
        ...{ health: doubted(1), threshold: 3, dueInMs: 800 },
        hurry: { agoMs: 2_000, queuedMs: 850 },
      },
    ],
    [
      'waits for one in doubt a second and as long as its portion was waited for',
      true,
      {
        health: doubted(2),
        threshold: 3,
        agoMs: 1_199,
        isBusy: true,
        hurry: { agoMs: 3_199, queuedMs: 200 },
      },
    ],
    [
      'but no longer than that',
      false,
      {
        health: doubted(2),
        threshold: 3,
        agoMs: 1_200,
        isBusy: true,
        hurry: { agoMs: 3_200, queuedMs: 200 },
      },
    ],
    [
      'nor ever longer than two seconds',
      false,
      {
        health: doubted(2),
        threshold: 3,
        agoMs: 2_000,
        isBusy: true,
        hurry: { agoMs: 4_000, queuedMs: 1_900 },
      },
    ],
  ])('of which the siblings are hurried %s', (_sentence, expected, given) => {
    expect(waits(given)).toBe(expected)
  })
})

test.each<[sentence: string, before: Health, after: Health, expected: boolean]>([
  ['a well host that fails', well, doubted(1), true],
  ['a well host that fails and is out at once', well, out, true],
  ['a host in doubt that fails again', doubted(1), doubted(2), false],
  ['a well host that answers', well, well, false],
  ['a dead host that answers', out, well, true],
  ['a dead host that fails', out, out, false],
  ['a host of which nothing was known', seed('healthy', 0, ''), doubted(1), false],
])('%s: a contradiction or not', (_sentence, before, after, expected) => {
  expect(contradicts(before, after)).toBe(expected)
})
