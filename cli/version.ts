// `endpoints-operator version`

import { version } from '../package.json'
import { type Flag, flagHelp, parseFlags, UsageError } from './flags.ts'
import { print } from './print.ts'
import { asCalled } from './program.ts'

export const VERSION_FLAGS: readonly Flag[] = [
  { name: 'output', short: 'o', value: 'json', fallback: '', help: 'for programs' },
  { name: 'help', short: 'h', fallback: '', help: 'show this' },
]

const HELP = `Prints the version.

Usage:
  endpoints-operator version [-o json]

Flags:
${flagHelp(VERSION_FLAGS)}
`

/** Prints the version, and with `-o json` what it was built with. */
export async function printVersion(args: readonly string[]): Promise<number> {
  const flags = parseFlags(args, VERSION_FLAGS)
  if (flags.isOn('help')) {
    await print(asCalled(HELP))
    return 0
  }
  const output = flags.get('output')
  if (output !== '' && output !== 'json') throw new UsageError(`-o must be json, not "${output}"`)
  const { platform, arch } = process
  const text = output
    ? JSON.stringify({ version, bun: Bun.version, platform, arch })
    : `endpoints-operator ${version} (bun ${Bun.version}, ${platform}/${arch})`
  await print(`${text}\n`)
  return 0
}
