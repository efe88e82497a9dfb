// How scripts that people call are called, as the operator's own commands are.

import { type Flag, flagHelp, type ParsedFlags, parseFlags, UsageError } from '../cli/flags.ts'

export type Script = {
  /** As in `bun run <name>`. */
  readonly name: string
  /** What it does, in one sentence. */
  readonly purpose: string
  readonly flags: readonly Flag[]
  readonly work: (flags: ParsedFlags) => Promise<void>
}

/** Does the work and ends the process: with 0, 2 after a wrong flag, or 1 when the world refused. */
export async function runScript({ name, purpose, flags, work }: Script): Promise<never> {
  const all = [...flags, { name: 'help', short: 'h', fallback: '', help: 'show this' }]
  try {
    const parsed = parseFlags(process.argv.slice(2), all)
    if (parsed.isOn('help')) console.log(`${purpose}\n\nFlags:\n${flagHelp(all)}`)
    else await work(parsed)
    process.exit(0)
  } catch (error) {
    console.error(`${name}: ${error instanceof Error ? error.message : error}`)
    process.exit(error instanceof UsageError ? 2 : 1)
  }
}

/** The members of `all` that a flag's list like `amd64,arm64` names, in the order of `all`. Throws UsageError. */
export function chosen<T extends string>(flags: ParsedFlags, name: string, all: readonly T[]): T[] {
  const names = flags.get(name).split(',')
  const unknown = names.find((each) => !all.some((known) => known === each))
  if (unknown === undefined) return all.filter((each) => names.includes(each))
  throw new UsageError(`--${name} must name some of ${all.join(', ')}, not "${unknown}"`)
}
