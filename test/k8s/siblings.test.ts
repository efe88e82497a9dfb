// Who is waited for when a host of a resource has turned.

import { describe, expect, test } from 'bun:test'
import { contradicts, siblingsInMs } from '../../k8s/siblings.ts'
import { type Health, seed } from '../../probes/health.ts'
import { TICK_MS } from '../../probes/scheduler.ts'
import { target } from '../probes/simulation.ts'

const NOW_MS = 100_000
const well: Health = { ...seed('healthy', 0, ''), last: 'ok', run: 3 }
const out: Health = { ...seed('unhealthy', 0, 'down'), last: 'failed', run: 3 }
const doubted = (run: number): Health => ({ ...well, last: 'failed', run })

type Sibling = { readonly health: Health; readonly isBusy?: boolean; readonly dueInMs?: number }

function waits(sibling: Sibling, failureThreshold: number, turnedMsAgo = 0): boolean {
  const { health, isBusy = false, dueInMs } = sibling
  const check = {
    ...{ id: 'a', phase: 0, target: target('a', { failureThreshold }), health, isBusy },
    ...{ isStopped: false, onOutcome: () => {} },
    slot: dueInMs === undefined ? undefined : (NOW_MS + dueInMs) / TICK_MS,
  }
  return siblingsInMs([check], { atMs: NOW_MS - turnedMsAgo, from: 'healthy' }, NOW_MS) > 0
}

describe('a change', () => {
  test.each<
    [sentence: string, sibling: Sibling, threshold: number, ago: number, expected: boolean]
  >([
    ['waits for a well sibling that is being asked', { health: well, isBusy: true }, 1, 499, true],
    ['but no longer than half a second', { health: well, isBusy: true }, 1, 500, false],
    ['not if one failure is not enough', { health: well, isBusy: true }, 2, 0, false],
    ['not for one that is not being asked', { health: well, dueInMs: 50 }, 1, 0, false],
    [
      'waits for one in doubt that the next failure turns',
      { health: doubted(2), dueInMs: 950 },
      3,
      0,
      true,
    ],
    ['but not for two failures', { health: doubted(1), dueInMs: 50 }, 3, 0, false],
    ['nor for an answer that comes too late', { health: doubted(2), dueInMs: 1_000 }, 3, 0, false],
    ['nor for longer than a second', { health: doubted(2), isBusy: true }, 3, 1_000, false],
    ['nor for one that is out already', { health: out, isBusy: true }, 1, 0, false],
  ])('%s', (_sentence, sibling, threshold, ago, expected) => {
    expect(waits(sibling, threshold, ago)).toBe(expected)
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
