// How many TCP attempts a second one core carries: as many targets as keep the operator busy.

import { cpuSecondsOf } from '../process/vitals.ts'
import type { Figure } from './figure.ts'
import { floorOf } from './floor.ts'
import { type BenchOptions, Stage } from './stage.ts'

const HOSTS_EACH = 100
/** Of the floor: from the issue that asked for this benchmark. */
const SHARE = 0.8

export async function rate(options: BenchOptions): Promise<Figure[]> {
  const [resources, warmSeconds, seconds] = options.isQuick ? [20, 0.5, 1] : [150, 10, 10]
  await using stage = await Stage.open(options)
  const { port, hits } = await stage.hosts.start('tcp')
  const hosts = stage.addresses(0, 1_000)
  const bare = { port, hosts, rate: 0, warmSeconds: warmSeconds / 2, seconds: seconds / 2 }
  const cheapest = await floorOf(options.floor, { ...bare, mode: 'tcp' })
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
  const floor = 1e6 / cheapest.cpuUs
  return [
    {
      name: `attempts a second, ${resources * HOSTS_EACH} asked for`,
      value: perSecond,
      unit: '/s',
    },
    {
      name: 'attempts a second of CPU',
      value: perCore,
      unit: '/s',
      floor,
      aim: { least: SHARE * floor },
    },
  ]
}
