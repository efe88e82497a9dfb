#!/usr/bin/env bun
// endpoints-operator: the table of contents of the program. Each command is a file in cli/.

import { check } from './cli/check.ts'
import { UsageError } from './cli/flags.ts'
import { printManifests } from './cli/manifests.ts'
import { run } from './cli/run.ts'
import { printVersion } from './cli/version.ts'
import { printable } from './crds/printable.ts'
import { ApiError, CannotStart, messageOf, NetworkError } from './k8s/errors.ts'

/** Characters of a message at the end. */
const MESSAGE_MAX = 2_000

/** Resolves with the exit code. */
type Command = (args: readonly string[]) => Promise<number>

const commands: Readonly<Record<string, Command>> = {
  run,
  check,
  manifests: printManifests,
  version: printVersion,
}

async function main([word = '', ...rest]: readonly string[]): Promise<number> {
  if (word === '--version') return await printVersion(rest)
  if (word === 'help') return await run(['--help'])
  const command = Object.hasOwn(commands, word) ? commands[word] : undefined
  if (command) return await command(rest)
  if (word === '' || word.startsWith('-')) return await run(word === '' ? [] : [word, ...rest])
  throw new UsageError(`unknown command "${word}"; see endpoints-operator --help`)
}

/** What a person did or what the world refused is one line; a bug is a stack. */
function fail(error: unknown): never {
  const isUsage = error instanceof UsageError
  const isWorld = [CannotStart, ApiError, NetworkError].some((sort) => error instanceof sort)
  if (!isUsage && !isWorld) throw error
  process.stderr.write(`endpoints-operator: ${printable(oneLine(messageOf(error)), MESSAGE_MAX)}\n`)
  process.exit(isUsage ? 2 : 1)
}

function oneLine(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, ' ')
}

// No top-level await: bytecode needs a module without it.
void main(process.argv.slice(2)).then((code) => process.exit(code), fail)
