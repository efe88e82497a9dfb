#!/usr/bin/env bun
// `bun run bench`: what the compiled operator costs and how fast it is, each figure with its floor.

import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Flag, flagHelp, parseFlags, UsageError } from '../../cli/flags.ts'
import {
  inNetworkNamespace,
  isInNetworkNamespace,
  namespaceProblem,
} from '../controlplane/netns.ts'
import { burst } from './burst.ts'
import { cost } from './cost.ts'
import { failover } from './failover.ts'
import { type Figure, figuresTable, isMet } from './figure.ts'
import { compileFloor } from './floor.ts'
import { describeMachine } from './machine.ts'
import { memory } from './memory.ts'
import { names } from './names.ts'
import { rate } from './rate.ts'
import { rest } from './rest.ts'
import { slices } from './slices.ts'
import type { BenchOptions } from './stage.ts'
import { start } from './start.ts'
import { LOCAL_NETWORK } from './world.ts'

const SCENARIOS: Readonly<Record<string, (options: BenchOptions) => Promise<Figure[]>>> = {
  start,
  failover,
  burst,
  cost,
  rate,
  memory,
  rest,
  slices,
  names,
}

const FLAGS: readonly Flag[] = [
  { name: 'quick', fallback: '', help: 'small and short: shows that it works, says little' },
  { name: 'real', fallback: '', help: 'against a real kube-apiserver and etcd' },
  {
    name: 'only',
    value: 'NAME',
    fallback: '',
    help: `one of the scenarios alone: ${Object.keys(SCENARIOS).join(', ')}`,
  },
  { name: 'json', value: 'FILE', fallback: '', help: 'also write the figures to a file' },
  {
    name: 'binary',
    value: 'FILE',
    fallback: 'dist/endpoints-operator',
    help: 'the compiled operator',
  },
  { name: 'help', short: 'h', fallback: '', help: 'show this' },
]

const HELP = `Measures the compiled operator: an API server, the hosts and the operator are a process each.

Usage:
  bun run bench [flags]

Flags:
${flagHelp(FLAGS)}
`

async function main(args: readonly string[]): Promise<number> {
  const flags = parseFlags(args, FLAGS)
  if (flags.isOn('help')) {
    process.stdout.write(HELP)
    return 0
  }
  const only = flags.get('only')
  if (only !== '' && !Object.hasOwn(SCENARIOS, only)) {
    throw new UsageError(
      `--only must be one of ${Object.keys(SCENARIOS).join(', ')}, not "${only}"`,
    )
  }
  if (flags.isOn('real') && !isInNetworkNamespace()) return await runAgainInside(args)
  if (flags.isOn('real')) addLocalNetwork()

  using floor = await compileFloor()
  const options = {
    isQuick: flags.isOn('quick'),
    isReal: flags.isOn('real'),
    operator: resolve(flags.get('binary')),
    floor: floor.path,
  }
  const machine = describeMachine()
  console.log(machine)
  const figures: Figure[] = []
  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    if (only !== '' && name !== only) continue
    const startMs = performance.now()
    figures.push(...(await scenario(options)))
    console.error(`bench: ${name} took ${((performance.now() - startMs) / 1000).toFixed(1)} s`)
  }
  process.stdout.write(figuresTable(figures))
  if (flags.has('json')) {
    const rows = figures.map((figure) => ({ ...figure, isMet: isMet(figure) }))
    const date = new Date().toISOString()
    const { isQuick, isReal } = options
    const text = JSON.stringify({ date, machine, isQuick, isReal, figures: rows }, undefined, 2)
    writeFileSync(flags.get('json'), `${text}\n`)
  }
  return 0
}

/** A real API server takes no loopback addresses, so that all of it runs in a network of its own. */
async function runAgainInside(args: readonly string[]): Promise<number> {
  const problem = namespaceProblem()
  if (problem !== undefined) throw new Error(`Cannot run against a real API server: ${problem}`)
  const command = inNetworkNamespace([process.execPath, import.meta.path, ...args])
  return await Bun.spawn(command, { stdio: ['ignore', 'inherit', 'inherit'] }).exited
}

function addLocalNetwork(): void {
  const argv = ['ip', 'route', 'add', 'local', LOCAL_NETWORK, 'dev', 'lo']
  const { exitCode, stderr } = Bun.spawnSync(argv)
  if (exitCode !== 0) throw new Error(`Cannot run ${argv.join(' ')}: ${stderr.toString().trim()}`)
}

function codeOf(error: unknown): number {
  const isUsage = error instanceof UsageError
  process.stderr.write(`bench: ${isUsage ? error.message : Bun.inspect(error)}\n`)
  return isUsage ? 2 : 1
}

process.exit(await main(process.argv.slice(2)).catch(codeOf))
