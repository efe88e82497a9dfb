// Random outcomes against the promises of the state machine, told here in other words than in the code.

import { expect, test } from 'bun:test'
import { observe, seed } from '../../probes/health.ts'
import { failed, type Outcome, ok, unknown } from '../../probes/target.ts'
import type { Random } from '../random.ts'
import { forCases } from './cases.ts'

test('a verdict turns exactly when as many equal outcomes in a row have come as its threshold says', async () => {
  await forCases(60_000, (random) => {
    const thresholds = {
      successThreshold: 1 + random.below(4),
      failureThreshold: 1 + random.below(4),
    }
    let health = seed(random.pick(['healthy', 'unhealthy'] as const), 0, '')
    const counted: ('ok' | 'failed')[] = []
    for (let step = 1; step <= 30; step++) {
      const outcome = randomOutcome(random)
      const before = health
      health = observe(before, outcome, thresholds, step)
      if (outcome.result === 'unknown') {
        expect(health.verdict).toBe(before.verdict)
        continue
      }
      counted.push(outcome.result)
      const wanted = outcome.result === 'ok' ? 'healthy' : 'unhealthy'
      const threshold =
        outcome.result === 'ok' ? thresholds.successThreshold : thresholds.failureThreshold
      const isReached =
        counted.length >= threshold &&
        counted.slice(-threshold).every((each) => each === outcome.result)
      expect(health.verdict).toBe(isReached ? wanted : before.verdict)
      expect(health.sinceMs).toBe(health.verdict === before.verdict ? before.sinceMs : step)
      if (health.verdict === 'healthy') expect(health.reason).toBe('')
    }
  })
})

function randomOutcome(random: Random): Outcome {
  const dice = random.next()
  if (dice < 0.1) return unknown('no route to host (ENETUNREACH)')
  return dice < 0.55 ? ok : failed(random.pick(['HTTP 503', 'timeout after 1s']))
}
