// `endpoints-operator version`

import { version } from '../package.json'
import { type Flag, parseFlags } from './flags.ts'

const FLAGS: readonly Flag[] = [
  { name: 'output', short: 'o', value: 'json', fallback: '', help: 'form of the answer' },
]

/** Prints the version, and with `-o json` what it was built with. */
export async function printVersion(args: readonly string[]): Promise<number> {
  const json = parseFlags(args, FLAGS).get('output') === 'json'
  const { platform, arch } = process
  const text = json
    ? JSON.stringify({ version, bun: Bun.version, platform, arch })
    : `endpoints-operator ${version} (bun ${Bun.version}, ${platform}/${arch})`
  process.stdout.write(`${text}\n`)
  return 0
}
