// `endpoints-operator version`

import { version } from '../package.json'
import { type Flag, flagHelp, parseFlags, UsageError } from './flags.ts'

const FLAGS: readonly Flag[] = [
  { name: 'output', short: 'o', value: 'json', fallback: '', help: 'for programs' },
  { name: 'help', short: 'h', fallback: '', help: 'show this' },
]

const HELP = `Prints the version.

Usage:
  endpoints-operator version [-o json]

Flags:
${flagHelp(FLAGS)}
`

/** Prints the version, and with `-o json` what it was built with. */
export async function printVersion(args: readonly string[]): Promise<number> {
  const flags = parseFlags(args, FLAGS)
  if (flags.isOn('help')) {
    process.stdout.write(HELP)
    return 0
  }
  const output = flags.get('output')
  if (output !== '' && output !== 'json') throw new UsageError(`-o must be json, not "${output}"`)
  const { platform, arch } = process
  const text = output
    ? JSON.stringify({ version, bun: Bun.version, platform, arch })
    : `endpoints-operator ${version} (bun ${Bun.version}, ${platform}/${arch})`
  process.stdout.write(`${text}\n`)
  return 0
}
