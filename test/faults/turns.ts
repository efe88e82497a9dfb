// A few at once: tests that mostly wait run beside each other, but not all of them on two cores.

/** Hands out `places` turns; the others wait for theirs in order. */
export function createTurns(places: number): <T>(run: () => Promise<T>) => Promise<T> {
  let free = places
  const waiting: (() => void)[] = []
  return async (run) => {
    if (free > 0) free--
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await run()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else free++
    }
  }
}
