#!/usr/bin/env bun
// `bun run demo`: what this product does, in half a minute, without a cluster.

import { constants } from 'node:os'
import { resolve } from 'node:path'
import { type Flag, flagHelp, parseFlags, UsageError, wholeNumber } from '../../cli/flags.ts'
import { runDemo } from './demo.ts'
import { Interrupted } from './failure.ts'

/** As many as are still easy on one small machine. */
const RESOURCES_MAX = 1_000

const FLAGS: readonly Flag[] = [
  { name: 'keep', fallback: '', help: 'leave it running after the story, to try it out' },
  {
    name: 'kubeconfig',
    value: 'FILE',
    fallback: '',
    help: 'run against the cluster of this kubeconfig, without its own API server',
  },
  {
    name: 'binary',
    value: 'FILE',
    fallback: '',
    help: 'run this compiled operator instead of the sources',
  },
  { name: 'resources', value: 'N', fallback: '20', help: 'ClusterEndpoints in all' },
  { name: 'help', short: 'h', fallback: '', help: 'show this' },
]

const HELP = `Shows in half a minute what endpoints-operator does: hosts of every kind are killed, leave the
Endpoints, and come back.

Usage:
  bun run demo [flags]

Flags:
${flagHelp(FLAGS)}

With --kubeconfig it makes a namespace of its own, endpoints-operator-demo, and removes it at the end.
Its operator runs on this machine and looks after the whole cluster, so it refuses one that already
has ClusterEndpoints. The hosts are servers on this machine's own addresses.
`

async function main(args: readonly string[]): Promise<number> {
  const flags = parseFlags(args, FLAGS)
  if (flags.isOn('help')) {
    process.stdout.write(HELP)
    return 0
  }
  const interrupt = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    const code = 128 + constants.signals[name]
    process.on(name, () => {
      // Who asks twice does not want to wait.
      if (interrupt.signal.aborted) process.exit(code)
      interrupt.abort(new Interrupted(code))
    })
  }
  // Whoever read has gone, like `head`: there is nobody left to tell.
  process.stdout.on('error', () => interrupt.abort(new Interrupted(1)))
  const options = {
    isKept: flags.isOn('keep'),
    kubeconfig: pathOf(flags.get('kubeconfig')),
    binary: pathOf(flags.get('binary')),
    resources: wholeNumber(flags, 'resources', 1, RESOURCES_MAX),
  }
  await runDemo(options, interrupt.signal, () => interrupt.abort(new Interrupted(0)))
  return 0
}

function pathOf(value: string): string | undefined {
  return value === '' ? undefined : resolve(value)
}

/** What went wrong is one line; a bug is a stack. */
function codeOf(error: unknown): number {
  if (error instanceof Interrupted) return error.code
  const isBug =
    error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError
  const text = error instanceof Error ? (isBug ? error.stack : error.message) : String(error)
  process.stderr.write(`demo: ${text}\n`)
  return error instanceof UsageError ? 2 : 1
}

process.exit(await main(process.argv.slice(2)).catch(codeOf))
