// Runs many random cases of one property; a failure names the seed that brings it back alone.

import { createRandom, type Random, SEED } from '../random.ts'

/**
 * Runs `property` on `count` cases, each with random numbers of its own. Throws the first failure with
 * the seed to replay it: `FUZZ_SEED=<seed> FUZZ_CASES=1 bun test test/fuzz`.
 */
export async function forCases(
  count: number,
  property: (random: Random) => void | Promise<void>,
): Promise<void> {
  const wanted = Number(process.env.FUZZ_CASES ?? count)
  for (let index = 0; index < wanted; index++) {
    const seed = SEED + index
    try {
      const done = property(createRandom(seed))
      if (done) await done
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      throw new Error(`replay with FUZZ_SEED=${seed} FUZZ_CASES=1\n${text}`)
    }
  }
  console.log(`${wanted} cases from seed ${SEED}`)
}
