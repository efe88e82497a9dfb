// Settings of the JavaScript engine that can only be given by environment, before it starts.

/** How often a function runs before the third of JavaScriptCore's four tiers compiles it; its own default is about 1,000. */
const OPTIMIZE_AFTER = '1000000'

/**
 * The fourth tier pays for hot numeric loops, of which there are none here: off. The third waits until
 * the load is worth it. With 20 resources 59.5 MB are resident instead of 64; an attempt costs
 * about as much (Bun 1.4.5, TCP: 26-51 us of CPU by default, 39-43 us so).
 */
const SETTINGS = {
  BUN_JSC_useFTLJIT: '0',
  BUN_JSC_thresholdForOptimizeAfterWarmUp: OPTIMIZE_AFTER,
  BUN_JSC_thresholdForOptimizeAfterLongWarmUp: OPTIMIZE_AFTER,
  BUN_JSC_thresholdForOptimizeSoon: OPTIMIZE_AFTER,
} as const

/**
 * Starts this program anew in this very process (same id, same descriptors) with the settings, unless
 * they are given already. Does nothing where that cannot be done, and when run from sources.
 */
export function tuneEngine(args: readonly string[]): void {
  const isCompiled = import.meta.path.startsWith('/$bunfs/')
  const isTuned = Object.keys(SETTINGS).every((name) => process.env[name] !== undefined)
  if (!isCompiled || isTuned || process.platform !== 'linux' || !process.execve) return
  const { execPath, env } = process
  const kept = Object.entries(env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  )
  process.execve(execPath, [execPath, ...args], { ...Object.fromEntries(kept), ...SETTINGS })
}
