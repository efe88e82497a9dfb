// Nothing changes: what 100 to 50,000 targets cost with a period of 10 s, how punctual they are asked,
// and that nothing is written.

import { samples } from '../integration/prometheus.ts'
import { cpuSecondsOf, memoryOf } from '../process/vitals.ts'
import { type Aim, type Figure, percentile } from './figure.ts'
import { floorOf } from './floor.ts'
import { type BenchOptions, Stage } from './stage.ts'

const HOUR_SECONDS = 3_600
const WRITING = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])

type Size = {
  readonly resources: number
  readonly hostsEach: number
  /** Percent of a core. */
  readonly aim?: Aim
}

const SIZES: readonly Size[] = [
  { resources: 100, hostsEach: 1 },
  { resources: 1_000, hostsEach: 1, aim: { most: 2 } },
  { resources: 1_000, hostsEach: 10, aim: { most: 10 } },
  { resources: 500, hostsEach: 100 },
]

export async function rest(options: BenchOptions): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const size of options.isQuick ? SIZES.slice(0, 1) : SIZES) {
    figures.push(...(await restOf(options, size)))
  }
  return figures
}

async function restOf(
  options: BenchOptions,
  { resources, hostsEach, aim }: Size,
): Promise<Figure[]> {
  const targets = resources * hostsEach
  const [periodSeconds, warmSeconds, seconds] = options.isQuick ? [1, 1, 2] : [10, 15, 30]
  await using stage = await Stage.open(options)
  const { pid, metricsUrl } = await stage.startOperator()
  const { port, deviationsMs } = await stage.hosts.start('rhythm')
  const shape = { resources, hostsEach, from: 0, periodSeconds }
  await stage.create({ name: 'rest', kind: 'rhythm', port, ...shape })
  await stage.untilPublished(targets)
  const { port: barePort } = await stage.hosts.start('tcp')
  const bare = { mode: 'tcp', port: barePort, hosts: stage.addresses(0, 100) } as const
  const rate = targets / periodSeconds
  const cpuUs = await floorOf(options.floor, {
    ...bare,
    rate,
    warmSeconds,
    seconds: warmSeconds,
  })
  const writesBefore = await writesOf(metricsUrl)
  await Bun.sleep(1_000)
  await deviationsMs()
  const cpuBefore = cpuSecondsOf(pid)
  await Bun.sleep(seconds * 1000)
  const percent = ((cpuSecondsOf(pid) - cpuBefore) / seconds) * 100
  const lateMs = percentile(await deviationsMs(), 0.99)
  const used = memoryOf(pid)
  const writes = ((await writesOf(metricsUrl)) - writesBefore) / (seconds / HOUR_SECONDS)
  const what = `${targets} targets in ${resources} resources at rest`
  const floor = (rate * cpuUs) / 1e4
  return [
    { name: `CPU, ${what}`, value: percent, unit: '%', floor, ...(aim ? { aim } : {}) },
    { name: `CPU an attempt, ${what}`, value: (percent * 1e4) / rate, unit: 'us', floor: cpuUs },
    { name: `lateness p99, ${what}`, value: lateMs, unit: 'ms', aim: { most: 100 } },
    { name: `RSS, ${what}`, value: used.rssMb, unit: 'MB' },
    { name: `writes an hour, ${what}`, value: writes, unit: 'writes', floor: 0, aim: { most: 0 } },
  ]
}

/** Writes of the operator so far, by its own count. */
export async function writesOf(metricsUrl: string): Promise<number> {
  const all = await samples(metricsUrl)
  const isWrite = (labels: ReadonlyMap<string, string>) => WRITING.has(labels.get('verb') ?? '')
  return all
    .filter(({ name, labels }) => name === 'cep_api_requests_total' && isWrite(labels))
    .reduce((sum, { value }) => sum + value, 0)
}
