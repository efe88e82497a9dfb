// How many TCP attempts a second one core carries: as many targets as keep the operator busy, and more than it
// can attend to. In turn with bare loops on the same hosts, for a machine changes its pace.

import type { Spawned } from '../process/spawn.ts'
import { cpuSecondsOf } from '../process/vitals.ts'
import type { Figure } from './figure.ts'
import { floorOf } from './floor.ts'
import type { Listener } from './hosts.ts'
import { type BenchOptions, Stage } from './stage.ts'

const HOSTS_EACH = 100
/** Of the floor: from the issue that asked for this benchmark. */
const SHARE = 0.8

export async function rate(options: BenchOptions): Promise<Figure[]> {
  const [busy, tooMany] = options.isQuick ? [20, 40] : [150, 600]
  return [...(await cpuAt(options, busy)), ...(await sustained(options, tooMany))]
}

/** Attempts that a second of CPU is enough for, and what bare loops on the same hosts make of it. */
async function cpuAt(options: BenchOptions, resources: number): Promise<Figure[]> {
  const asked = resources * HOSTS_EACH
  const { operator, bare } = await inTurn(options, resources, [0, asked])
  const [lanes = 0, ticks = 0] = bare.map((runs) => 1e6 / mean(runs.map(({ cpuUs }) => cpuUs)))
  const value = 1e6 / mean(operator.map(({ cpuUs }) => cpuUs))
  const name = 'attempts a second of CPU'
  const inTicks = `${name}, beside a bare loop in ticks at ${asked}/s`
  return [
    { name, value, unit: '/s', floor: lanes, aim: { least: SHARE * lanes } },
    { name: inTicks, value, unit: '/s', floor: ticks },
  ]
}

async function sustained(options: BenchOptions, resources: number): Promise<Figure[]> {
  const { operator, bare } = await inTurn(options, resources, [0])
  const floor = mean(bare.flat().map(({ perSecond }) => perSecond))
  const value = mean(operator.map(({ perSecond }) => perSecond))
  const name = `attempts a second, ${resources * HOSTS_EACH} asked for`
  return [{ name, value, unit: '/s', floor, aim: { least: SHARE * floor } }]
}

type Run = { readonly cpuUs: number; readonly perSecond: number }

/** Runs of the operator, and of a bare loop for each of `rates` (0: as many as it can) while that is stopped. */
async function inTurn(options: BenchOptions, resources: number, rates: readonly number[]) {
  const turns = options.isQuick ? 1 : 4
  await using stage = await Stage.open(options)
  const listener = await stage.hosts.start('tcp')
  const spawned = await startOperator(options, stage, listener, resources)
  const hosts = stage.addresses(0, resources * HOSTS_EACH)
  const operator: Run[] = []
  const bare: Run[][] = rates.map(() => [])
  for (let turn = 0; turn < turns; turn++) {
    spawned.kill('SIGSTOP')
    for (const [index, rate] of rates.entries()) {
      bare[index]?.push(await bareLoop(options, listener, hosts, rate))
    }
    spawned.kill('SIGCONT')
    operator.push(await watch(options, listener, spawned))
  }
  return { operator, bare }
}

async function bareLoop(
  { floor, isQuick }: BenchOptions,
  { port }: Listener,
  hosts: readonly string[],
  rate: number,
): Promise<Run> {
  const [warmSeconds, seconds] = isQuick ? [0.5, 0.5] : [3, 3]
  return await floorOf(floor, { mode: 'tcp', port, hosts, rate, warmSeconds, seconds })
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

/** What the operator does, once it has come back to itself after it was stopped. */
async function watch(
  { isQuick }: BenchOptions,
  { hits }: Listener,
  { pid }: Spawned,
): Promise<Run> {
  const [warmSeconds, seconds] = isQuick ? [0.5, 1] : [4, 5]
  await Bun.sleep(warmSeconds * 1000)
  const before = { hits: await hits(), cpu: cpuSecondsOf(pid), atMs: performance.now() }
  await Bun.sleep(seconds * 1000)
  const attempts = (await hits()) - before.hits
  return {
    cpuUs: ((cpuSecondsOf(pid) - before.cpu) * 1e6) / attempts,
    perSecond: (attempts * 1000) / (performance.now() - before.atMs),
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
