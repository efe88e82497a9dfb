// All faults of the API server, a few at once: most of what they do is wait.

import { describe, test } from 'bun:test'
import { describeInNamespace } from '../controlplane/describe-in-namespace.ts'
import { apiFaults, suffer } from './api-faults.ts'
import { asPid1, leaderFaults, pidNamespaceProblem } from './leader.ts'
import { realFaults } from './real.ts'
import { oddStreams } from './streams.ts'
import { createTurns } from './turns.ts'

const turn = createTurns(6)
const TEST_MAX_MS = 170_000

// What waits longest begins first: 90 s, of which it works for two.
const [silence, ...others] = oddStreams
describe.concurrent('the API server, for long', () => {
  if (silence) test(silence.name, () => silence.run(silence.name), TEST_MAX_MS)
})

describe.concurrent('a real control plane', () => {
  const file = `${import.meta.dir}/real.inside.ts`
  describeInNamespace('killed, stopped, restarted and compacted', file, realFaults)
})

describe.concurrent('the leader', () => {
  for (const { name, run } of leaderFaults) test(name, () => turn(() => run(name)), TEST_MAX_MS)

  const problem = pidNamespaceProblem()
  if (problem !== undefined) console.error(`SKIPPED: ${asPid1.name}: ${problem}`)
  const testPid1 = problem === undefined ? test : test.skip
  testPid1(asPid1.name, () => turn(() => asPid1.run(asPid1.name)), TEST_MAX_MS)
})

describe.concurrent('the API server', () => {
  for (const apiFault of apiFaults) {
    test(apiFault.name, () => turn(() => suffer(apiFault)), TEST_MAX_MS)
  }
  for (const { name, run } of others) test(name, () => turn(() => run(name)), TEST_MAX_MS)
})
