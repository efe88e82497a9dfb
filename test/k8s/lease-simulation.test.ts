// Hours of random trouble for two and three replicas: never two that may write at once, and always one
// again when the trouble is over. $FUZZ_SEED replays a run; the seed of a failure is in its message.

import { describe, expect, test } from 'bun:test'
import { createRandom, type Random, SEED } from '../random.ts'
import { type Fate, prompt, type Replica, type Times, usual, World } from './lease-world.ts'

const ROUNDS = Number(process.env.FUZZ_ROUNDS ?? 60)
/** Milliseconds of trouble in each round, and of peace after it. */
const TROUBLE_MS = 10 * 60_000
const PEACE_MS = 45_000

const settings: readonly { readonly name: string; readonly times: Times; readonly rate: number }[] =
  [
    // Clocks may differ by a factor of just under lease duration / renew deadline.
    { name: 'usual times, clocks up to 1.4 apart', times: usual, rate: 1.4 },
    {
      name: 'times close together, equal clocks',
      times: { durationMs: 3_100, renewDeadlineMs: 3_000, retryMs: 2_000 },
      rate: 1,
    },
    {
      name: 'short times, clocks up to 1.9 apart',
      times: { durationMs: 4_000, renewDeadlineMs: 2_000, retryMs: 500 },
      rate: 1.9,
    },
  ]

describe('the election under random trouble', () => {
  for (const { name, times, rate } of settings) {
    test(`${name}: ${ROUNDS} rounds (FUZZ_SEED=${SEED})`, async () => {
      let transitions = 0
      for (let round = 0; round < ROUNDS; round++) {
        const seed = SEED + round
        const found = await simulate(seed, times, rate)
        if (found.broken !== undefined) throw new Error(`FUZZ_SEED=${seed}: ${found.broken}`)
        transitions += found.transitions
      }
      // The trouble was real.
      expect(transitions).toBeGreaterThan(ROUNDS)
    }, 60_000)
  }
})

async function simulate(seed: number, times: Times, rateMax: number) {
  const random = createRandom(seed)
  const world = new World()
  const replicas: Replica[] = []
  let broken: string | undefined
  let isPeace = false
  // A node that is suspended while its wall clock is turned back has no clock left that tells.
  const canSuspend = random.next() < 0.5
  world.onStep = () => {
    const writers = replicas.filter(
      (replica) => !replica.isFrozen() && replica.isLeading() && replica.election.isHeld(),
    )
    if (writers.length > 1)
      broken ??= `${writers.map(({ name }) => name).join(' and ')} may write at ${world.nowMs} ms`
  }
  world.fate = () => (isPeace ? prompt : randomFate(random, times))
  for (let n = 0; n < 2 + random.below(2); n++)
    replicas.push(world.replica(`replica-${n}`, times, rateMax ** random.next()))

  while (world.nowMs < TROUBLE_MS && broken === undefined) {
    await world.pass(random.next() * times.durationMs)
    const victim = replicas[random.below(replicas.length)]
    const kind = random.next()
    if (kind < 0.25) victim?.freeze(world.nowMs + random.next() * 2 * times.durationMs)
    else if (kind < 0.35)
      victim?.freeze(world.nowMs + random.next() * 3 * times.durationMs, canSuspend)
    else if (kind < 0.45)
      victim?.turnClock((random.next() - (canSuspend ? 0 : 0.5)) * 10 * times.durationMs)
    else if (kind < 0.55 && world.lease) world.store({ ...world.lease })
    else if (kind < 0.7 && victim) {
      victim.stop()
      const name = `${victim.name}-again`
      replicas[replicas.indexOf(victim)] = world.replica(name, times, rateMax ** random.next())
    }
  }
  isPeace = true
  // Whoever is frozen has to wake up, and the last hung requests to end.
  await world.pass(4 * times.durationMs + PEACE_MS)
  const leaders = replicas.filter((replica) => replica.isLeading())
  if (leaders.length !== 1) broken ??= `${leaders.length} lead after the trouble`
  for (const replica of replicas) replica.stop()
  await world.pass(5_000)
  await Promise.all(replicas.map(({ done }) => done))
  if (world.lease?.spec.holderIdentity !== '') broken ??= 'the last one did not release the lease'
  return { broken, transitions: world.lease?.spec.leaseTransitions ?? 0 }
}

function randomFate(random: Random, { retryMs }: Times): Fate {
  const thereMs = random.next() < 0.1 ? random.next() * 4 * retryMs : random.next() * 50
  const backMs = random.next() < 0.1 ? random.next() * 4 * retryMs : random.next() * 50
  const kind = random.next()
  if (kind < 0.1) return { thereMs, backMs, lost: 'request' }
  if (kind < 0.2) return { thereMs, backMs, lost: 'answer' }
  if (kind < 0.25) return { thereMs, backMs, reset: 'before' }
  if (kind < 0.3) return { thereMs, backMs, reset: 'after' }
  return { thereMs, backMs }
}
