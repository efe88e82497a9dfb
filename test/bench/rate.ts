// How many TCP attempts a second one core carries: as many targets as keep the operator busy, and more than it
// can attend to. In turn with bare loops on the same hosts, each stopped while another runs: a machine changes its
// pace from second to second.

import type { Spawned } from '../process/spawn.ts'
import { cpuSecondsOf } from '../process/vitals.ts'
import type { Figure } from './figure.ts'
import { spawnFloor } from './floor.ts'
import type { Listener } from './hosts.ts'
import { type BenchOptions, Stage } from './stage.ts'

const HOSTS_EACH = 100
/** Of the floor: from the issue that asked for this benchmark. */
const SHARE = 0.8
/** Longer than any run, and no longer than a loop may be left behind. Seconds. */
const FOREVER_S = 600

export async function rate(options: BenchOptions): Promise<Figure[]> {
  const [busy, tooMany] = options.isQuick ? [20, 40] : [150, 600]
  return [...(await cpuAt(options, busy)), ...(await sustained(options, tooMany))]
}

/**
 * Attempts that a second of CPU is enough for, and what bare loops on the same hosts make of it: one at the same
 * pace, which begins all of a tick at once, and one that never rests.
 */
async function cpuAt(options: BenchOptions, resources: number): Promise<Figure[]> {
  const asked = resources * HOSTS_EACH
  const runs = await inTurn(options, resources, [asked, 0])
  const [value = 0, ticks = 0, lanes = 0] = runs.map(({ cpuUs }) => 1e6 / cpuUs)
  const name = `attempts a second of CPU, ${asked} asked for`
  return [
    { name, value, unit: '/s', floor: lanes, aim: { least: SHARE * lanes } },
    { name: `${name}, beside a bare loop in ticks`, value, unit: '/s', floor: ticks },
  ]
}

async function sustained(options: BenchOptions, resources: number): Promise<Figure[]> {
  const runs = await inTurn(options, resources, [0])
  const [value = 0, floor = 0] = runs.map(({ perSecond }) => perSecond)
  const name = `attempts a second, ${resources * HOSTS_EACH} asked for`
  return [{ name, value, unit: '/s', floor, aim: { least: SHARE * floor } }]
}

type Run = { readonly cpuUs: number; readonly perSecond: number }

/** Means of the operator, and of a bare loop for each of `rates` (0: as many as it can). */
async function inTurn(
  options: BenchOptions,
  resources: number,
  rates: readonly number[],
): Promise<Run[]> {
  await using stage = await Stage.open(options)
  using loops = new DisposableStack()
  const listener = await stage.hosts.start('tcp')
  const hosts = stage.addresses(0, resources * HOSTS_EACH)
  const operator = await startOperator(options, stage, listener, resources)
  const bare = rates.map((rate) => {
    const loop = { mode: 'tcp', port: listener.port, hosts, rate } as const
    const times = { warmSeconds: 0, seconds: FOREVER_S }
    const child = spawnFloor(options.floor, { ...loop, ...times })
    loops.defer(() => child.kill('SIGKILL'))
    return child
  })
  const all = [operator, ...bare].map((spawned) => ({ spawned, runs: [] as Run[] }))
  for (const { spawned } of all) spawned.kill('SIGSTOP')
  const [turns, warmMs, measuredMs] = options.isQuick ? [1, 300, 700] : [20, 1_000, 1_500]
  // Twice without being measured: a bare loop has only just begun.
  for (let turn = options.isQuick ? 0 : -2; turn < turns; turn++) {
    for (const { spawned, runs } of turn % 2 === 0 ? all : all.toReversed()) {
      spawned.kill('SIGCONT')
      await Bun.sleep(warmMs)
      const run = await watch(listener, spawned.pid, measuredMs)
      spawned.kill('SIGSTOP')
      if (turn >= 0) runs.push(run)
    }
  }
  return all.map(({ runs }) => ({
    cpuUs: mean(runs.map(({ cpuUs }) => cpuUs)),
    perSecond: mean(runs.map(({ perSecond }) => perSecond)),
  }))
}

async function startOperator(
  { isQuick }: BenchOptions,
  stage: Stage,
  { port }: Listener,
  resources: number,
): Promise<Spawned> {
  const spawned = await stage.startOperator()
  const shape = { resources, hostsEach: HOSTS_EACH, from: 0, periodSeconds: 1 }
  await stage.create({ name: 'rate', kind: 'tcp', port, ...shape })
  await stage.untilPublished(resources * HOSTS_EACH)
  await Bun.sleep(isQuick ? 0 : 5_000)
  return spawned
}

/** What a process does, seen from the hosts. */
async function watch({ hits }: Listener, pid: number, forMs: number): Promise<Run> {
  const before = { hits: await hits(), cpu: cpuSecondsOf(pid), atMs: performance.now() }
  await Bun.sleep(forMs)
  const attempts = (await hits()) - before.hits
  return {
    cpuUs: ((cpuSecondsOf(pid) - before.cpu) * 1e6) / attempts,
    perSecond: (attempts * 1000) / (performance.now() - before.atMs),
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
