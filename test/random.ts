// Random numbers that can be had again: a run prints its seed, and the seed replays the run.

/** The seed of this run: $FUZZ_SEED, or a fixed one, so that a plain run is the same each time. */
export const SEED = Number(process.env.FUZZ_SEED ?? 20_261_122)

export type Random = {
  /** From 0 up to 1. */
  readonly next: () => number
  /** A whole number from 0 up to `max`, without it. */
  readonly below: (max: number) => number
  /** One of `items`. Throws RangeError when there are none. */
  readonly pick: <T>(items: readonly T[]) => T
  /** `items` in another order. */
  readonly shuffle: <T>(items: readonly T[]) => T[]
}

/** Source: mulberry32, a public-domain generator of 32 bits of state; good enough to stir a test. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (max: number) => Math.floor(next() * max)
  return {
    next,
    below,
    pick: (items) => {
      const item = items[below(items.length)]
      if (item === undefined) throw new RangeError('Cannot pick from nothing')
      return item
    },
    shuffle: (items) =>
      items
        .map((item) => ({ item, at: next() }))
        .sort((a, b) => a.at - b.at)
        .map(({ item }) => item),
  }
}
