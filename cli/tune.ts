// Settings of the JavaScript engine that can only be given by environment, before it starts.

/**
 * The last of JavaScriptCore's four tiers pays for hot numeric loops, of which there are none here: off,
 * attempts cost the same and resident memory is 3 to 4 MB less (measured with Bun 1.4.5: TCP 54 and 50 us
 * of CPU, 56 and 52 MB).
 */
const SETTINGS = { BUN_JSC_useFTLJIT: '0' } as const

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
