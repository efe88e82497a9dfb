// Random numbers that can be had again: tests print the seed, and take one from $FUZZ_SEED.

/** The seed of this run: $FUZZ_SEED, or a fixed one, so that a plain run is the same each time. */
export const SEED = Number(process.env.FUZZ_SEED ?? 20_261_122)

/** Numbers from 0 up to 1, the same for the same seed. Source: mulberry32, public domain. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A whole number from 0 up to `max`, without it. */
export function below(random: () => number, max: number): number {
  return Math.floor(random() * max)
}
