#!/usr/bin/env bun
// endpoints-operator: the table of contents of the program. Each command is a file in cli/.

import { UsageError } from './cli/flags.ts'
import { run } from './cli/run.ts'
import { printVersion } from './cli/version.ts'

/** Resolves with the exit code. */
type Command = (args: readonly string[]) => Promise<number>

const commands: Readonly<Record<string, Command>> = {
  run,
  version: printVersion,
}

async function main([word = '', ...rest]: readonly string[]): Promise<number> {
  if (word === '--version') return await printVersion(rest)
  const command = Object.hasOwn(commands, word) ? commands[word] : undefined
  if (command) return await command(rest)
  if (word === '' || word.startsWith('-')) return await run(word === '' ? [] : [word, ...rest])
  throw new UsageError(`unknown command "${word}"; see endpoints-operator --help`)
}

/** What a person did or what the world refused is one line; a bug is a stack. */
function fail(error: unknown): never {
  const isBug =
    error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError
  if (isBug) throw error
  process.stderr.write(
    `endpoints-operator: ${error instanceof Error ? error.message : String(error)}\n`,
  )
  process.exit(error instanceof UsageError ? 2 : 1)
}

// No top-level await: bytecode needs a module without it.
void main(process.argv.slice(2)).then((code) => process.exit(code), fail)
