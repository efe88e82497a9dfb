// Tests that need commands which not every machine has.

import { describe, expect, test } from 'bun:test'
import { commandPath } from '../controlplane/command-path.ts'

/**
 * Describes `tests`, which need `commands`. Where one is missing they are skipped with a line that says
 * so, or fail if CI=true.
 */
export function describeWith(commands: readonly string[], name: string, tests: () => void): void {
  const missing = commands.filter((command) => commandPath(command) === undefined)
  const problem = `there is no ${missing.join(', no ')}. Remedy: apt-get install ${missing.join(' ')}`
  if (missing.length === 0) describe(name, tests)
  else if (process.env.CI === 'true') test(name, () => expect.unreachable(problem))
  else {
    console.error(`SKIPPED: ${name}: ${problem}`)
    test.skip(name, () => {})
  }
}
