// Settings of the JavaScript engine that can only be given by environment, before it starts.

/**
 * How often a function runs before the third of JavaScriptCore's four tiers compiles it, times 15 and more for
 * a large one; its own default is about 1,000. At 1,000 attempts a second it comes after a few seconds and takes
 * 10 us off each by HTTP, at 100 a second after half a minute. With 200,000 much of an attempt was still with
 * the second tier after half a minute at 1,000 a second.
 */
const OPTIMIZE_AFTER = '20000'

/**
 * Size of a function, in the engine's own count, above which the third tier leaves it alone; by itself 100,000.
 * All that an attempt runs is below; with 300 a third of it was not. With 3,000 it costs the same.
 */
const OPTIMIZE_MAX = '1000'

/** As OPTIMIZE_AFTER, for the second tier; its own default is 500. */
const COMPILE_AFTER = '20000'

/**
 * Bytes of memory that the engine takes the machine to have. It decides how far the heap may grow before all of
 * it is collected and not only what is new: to a quarter of this, at most to 32 MiB, and a larger one the less
 * the nearer it comes. On a large node that is 32 MiB of garbage, which no cgroup limit tells an idle process
 * to give back.
 *
 * Source: WebKit, JavaScriptCore/heap/Heap.cpp (minHeapSize, proportionalHeapSize). Measured with 100
 * resources under churn (bun run soak, Bun 1.4.5): 66 MB resident instead of 77 after six minutes and 87 at
 * the end, 19 anonymous instead of 29 and 39.
 */
const RAM_BYTES = 48 * 1024 * 1024

/**
 * Bytes that are allocated between two collections of what is new; by itself 7 MB here and more. With 1,000
 * targets it is 2 to 3 MB resident less, which pays for the third tier, and an attempt costs the same or less:
 * what is used again is still in the processor's caches.
 */
const GARBAGE_BYTES = 4 * 1024 * 1024

/**
 * How much of the heap must be free after a collection of the young, or else the next one is of all that lives;
 * the engine's own is a third. What is free is about 10 MB with RAM_BYTES: with some thousand hosts, every other
 * collection was of all, for nothing. Now few are, and those of COLLECT_MS.
 *
 * Source: WebKit, JavaScriptCore/heap/Heap.cpp (updateAllocationLimits). Measured at a start with 10,000 hosts
 * (Bun 1.4.5), one run each: 60 collections of the young and 6 of all in 470 ms instead of 35 and 31 in 1,320 ms;
 * 57-62 MB anonymous instead of 51. With 200 and 1,000 hosts both are as before.
 */
const FREE_SHARE_MIN = '0.15'

/**
 * Milliseconds between two collections that Bun asks for while memory is in use, each of all that lives.
 * By itself it asks every second, at rest, too: with 1,000 targets at a period of 10 s that was a fifth of all
 * CPU. What is allocated has the engine collect without being asked.
 */
const COLLECT_MS = 10_000

/**
 * Milliseconds between two sweeps in which the allocator looks for free memory inside of what is in use, on a
 * thread of its own while ours waits. By itself it looks every 100, which is 2 us of each attempt at 1,000 a
 * second. Memory is the same: what a collection frees stays free for longer than that.
 *
 * Source: oven-sh/mimalloc, purge_holes_min_interval.
 */
const SWEEP_MS = 10_000

/**
 * The fourth tier pays for hot numeric loops, of which there are none here: off. So is the thread that touches
 * memory before it is allocated: up to 1 us of each attempt at 1,000 a second, for a haste that nobody here is
 * in. The second tier waits for 1,300 calls in place of 33: what only a start calls stays with the first. All of
 * it measured with Bun 1.4.5 (test/bench/RESULTS.md).
 */
export const SETTINGS = {
  BUN_GC_TIMER_INTERVAL: String(COLLECT_MS),
  MIMALLOC_PURGE_HOLES_MIN_INTERVAL: String(SWEEP_MS),
  BUN_JSC_forceRAMSize: String(RAM_BYTES),
  BUN_JSC_gcMaxHeapSize: String(GARBAGE_BYTES),
  BUN_JSC_minEdenToOldGenerationRatio: FREE_SHARE_MIN,
  BUN_JSC_useFTLJIT: '0',
  BUN_JSC_useWarmUpMarkedBlocks: '0',
  BUN_JSC_thresholdForJITAfterWarmUp: COMPILE_AFTER,
  BUN_JSC_thresholdForJITSoon: COMPILE_AFTER,
  BUN_JSC_thresholdForOptimizeAfterWarmUp: OPTIMIZE_AFTER,
  BUN_JSC_thresholdForOptimizeAfterLongWarmUp: OPTIMIZE_AFTER,
  BUN_JSC_thresholdForOptimizeSoon: OPTIMIZE_AFTER,
  BUN_JSC_maximumOptimizationCandidateBytecodeCost: OPTIMIZE_MAX,
} as const

/**
 * Starts this program anew in this very process (same id, same descriptors) with the settings, unless
 * they are given already; one that is given stays as it is. Does nothing where that cannot be done, and when run from sources.
 */
export function tuneEngine(args: readonly string[]): void {
  const isCompiled = import.meta.path.startsWith('/$bunfs/')
  const isTuned = Object.keys(SETTINGS).every((name) => process.env[name] !== undefined)
  if (!isCompiled || isTuned || process.platform !== 'linux' || !process.execve) return
  const { execPath, argv0, env } = process
  const kept = Object.entries(env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  )
  process.execve(execPath, [argv0, ...args], { ...SETTINGS, ...Object.fromEntries(kept) })
}
