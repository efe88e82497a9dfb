// Waiting for what shall come true, and making sure of what shall stay true.

const POLL_MS = 20

/**
 * Repeats `check` until it no longer throws; resolves with the milliseconds that took. Rejects with
 * what it threw last when `maxMs` are over.
 */
export async function eventually(
  maxMs: number,
  check: () => unknown | Promise<unknown>,
): Promise<number> {
  const startMs = performance.now()
  for (;;) {
    try {
      await check()
      return performance.now() - startMs
    } catch (error) {
      if (performance.now() - startMs > maxMs) throw error
    }
    await Bun.sleep(POLL_MS)
  }
}

/** Repeats `check` for `ms`; rejects with what it throws. */
export async function throughout(
  ms: number,
  check: () => unknown | Promise<unknown>,
): Promise<void> {
  const endMs = performance.now() + ms
  while (performance.now() < endMs) {
    await check()
    await Bun.sleep(POLL_MS)
  }
}
