// How many TCP attempts a second one core carries: as many targets as keep the operator busy, and more than it
// can attend to.

import { cpuSecondsOf } from '../process/vitals.ts'
import type { Figure } from './figure.ts'
import { floorOf } from './floor.ts'
import type { Listener } from './hosts.ts'
import { type BenchOptions, Stage } from './stage.ts'

const HOSTS_EACH = 100
/** Of the floor: from the issue that asked for this benchmark. */
const SHARE = 0.8

export async function rate(options: BenchOptions): Promise<Figure[]> {
  const [busy, tooMany] = options.isQuick ? [20, 40] : [150, 400]
  return [...(await cpuAt(options, busy)), ...(await sustained(options, tooMany))]
}

/** Attempts that a second of CPU is enough for, and what bare loops on the same hosts make of it. */
async function cpuAt(options: BenchOptions, resources: number): Promise<Figure[]> {
  const asked = resources * HOSTS_EACH
  await using stage = await Stage.open(options)
  const listener = await stage.hosts.start('tcp')
  const lanes = 1e6 / (await bareLoop(options, stage, listener, asked, 0)).cpuUs
  const ticks = 1e6 / (await bareLoop(options, stage, listener, asked, asked)).cpuUs
  const { perCore: value } = await operator(options, stage, listener, resources)
  const name = 'attempts a second of CPU'
  const inTicks = `${name}, beside a bare loop in ticks at ${asked}/s`
  return [
    { name, value, unit: '/s', floor: lanes, aim: { least: SHARE * lanes } },
    { name: inTicks, value, unit: '/s', floor: ticks },
  ]
}

async function sustained(options: BenchOptions, resources: number): Promise<Figure[]> {
  const asked = resources * HOSTS_EACH
  await using stage = await Stage.open(options)
  const listener = await stage.hosts.start('tcp')
  const { perSecond: floor } = await bareLoop(options, stage, listener, asked, 0)
  const { perSecond: value } = await operator(options, stage, listener, resources)
  return [{ name: `attempts a second, ${asked} asked for`, value, unit: '/s', floor }]
}

/** As many as it can when `rate` is 0. */
async function bareLoop(
  options: BenchOptions,
  stage: Stage,
  { port }: Listener,
  count: number,
  rate: number,
) {
  const hosts = stage.addresses(0, count)
  const [warmSeconds, seconds] = options.isQuick ? [0.5, 0.5] : [5, 5]
  return await floorOf(options.floor, { mode: 'tcp', port, hosts, rate, warmSeconds, seconds })
}

async function operator(
  options: BenchOptions,
  stage: Stage,
  { port, hits }: Listener,
  resources: number,
) {
  const [warmSeconds, seconds] = options.isQuick ? [0.5, 1] : [10, 10]
  const { pid } = await stage.startOperator()
  const shape = { resources, hostsEach: HOSTS_EACH, from: 0, periodSeconds: 1 }
  await stage.create({ name: 'rate', kind: 'tcp', port, ...shape })
  await stage.untilPublished(resources * HOSTS_EACH)
  await Bun.sleep(warmSeconds * 1000)
  const before = { hits: await hits(), cpu: cpuSecondsOf(pid), atMs: performance.now() }
  await Bun.sleep(seconds * 1000)
  const attempts = (await hits()) - before.hits
  const perSecond = (attempts * 1000) / (performance.now() - before.atMs)
  const perCore = attempts / (cpuSecondsOf(pid) - before.cpu)
  return { perSecond, perCore }
}
