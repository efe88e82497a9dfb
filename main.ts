#!/usr/bin/env bun
// endpoints-operator: the table of contents of the program. Each command is a file in cli/.

import { check } from './cli/check.ts'
import { completion } from './cli/completion.ts'
import { UsageError } from './cli/flags.ts'
import { importServices } from './cli/import.ts'
import { printManifests } from './cli/manifests.ts'
import { migrate } from './cli/migrate.ts'
import { ClosedPipe, print } from './cli/print.ts'
import { program } from './cli/program.ts'
import { run } from './cli/run.ts'
import { pluginHelp } from './cli/usage.ts'
import { printVersion } from './cli/version.ts'
import { printable } from './crds/printable.ts'
import { ApiError, CannotStart, messageOf, NetworkError } from './k8s/errors.ts'

/** Characters of a message at the end. */
const MESSAGE_MAX = 2_000
/** What a shell says of a program that wrote to a closed pipe: 128 + SIGPIPE. */
const CLOSED_PIPE = 141

/** Resolves with the exit code. */
type Command = (args: readonly string[]) => Promise<number>

const commands: Readonly<Record<string, Command>> = {
  run,
  check,
  import: importServices,
  migrate,
  completion,
  manifests: printManifests,
  version: printVersion,
}

async function main([word = '', ...rest]: readonly string[]): Promise<number> {
  if (word === '--version') return await printVersion(rest)
  if (word === 'help') return await unnamed(['--help'])
  const command = Object.hasOwn(commands, word) ? commands[word] : undefined
  if (command) return await command(rest)
  if (word === '') return await unnamed([])
  if (word.startsWith('-') || program === 'cepctl') return await unnamed([word, ...rest])
  throw new UsageError(`unknown command "${word}"; see ${program} --help`)
}

/** What a call without a command means depends on the name of the program. */
const unnamed: Command = async (args) => {
  if (program === 'endpoints-operator') return await run(args)
  if (program === 'cepctl') return await importServices(args)
  const [flag = '--help'] = args
  if (flag !== '--help' && flag !== '-h') {
    throw new UsageError(`unknown command "${flag}"; see ${program} --help`)
  }
  await print(pluginHelp(program))
  return 0
}

/** What a person did or what the world refused is one line; a bug is a stack. */
function fail(error: unknown): never {
  if (error instanceof ClosedPipe) process.exit(CLOSED_PIPE)
  const isUsage = error instanceof UsageError
  const isWorld = [CannotStart, ApiError, NetworkError].some((sort) => error instanceof sort)
  if (!isUsage && !isWorld) throw error
  process.stderr.write(`${program}: ${printable(oneLine(messageOf(error)), MESSAGE_MAX)}\n`)
  process.exit(isUsage ? 2 : 1)
}

function oneLine(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, ' ')
}

// No top-level await: bytecode needs a module without it.
void main(process.argv.slice(2)).then((code) => process.exit(code), fail)
