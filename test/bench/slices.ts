// The same hosts published as Endpoints alone, which is the floor, and with EndpointSlices of our own:
// what stays in memory, and a burst.

import { clusterEndpoint, tcpPort } from '../integration/manifests.ts'
import { memoryOf } from '../process/vitals.ts'
import type { Figure } from './figure.ts'
import { writesOf } from './rest.ts'
import { type BenchOptions, Stage } from './stage.ts'

const HOSTS_EACH = 100

export async function slices(options: BenchOptions): Promise<Figure[]> {
  const alone = await publishedAs(options, 'endpoints')
  const both = await publishedAs(options, 'both')
  const what = `${both.targets} targets, with EndpointSlices`
  const rows = [
    ['RSS', 'rssMb', 'MB'],
    ['anonymous', 'anonymousMb', 'MB'],
    ['half fail at once, all out', 'seconds', 's'],
    ['the same, writes an object', 'writes', 'writes'],
  ] as const
  return rows.map(([name, key, unit]) => ({
    name: `${name}, ${what}`,
    value: both[key],
    unit,
    floor: alone[key],
  }))
}

async function publishedAs(options: BenchOptions, publish: 'endpoints' | 'both') {
  const [resources, periodSeconds] = options.isQuick ? [5, 1] : [100, 10]
  const targets = resources * HOSTS_EACH
  await using stage = await Stage.open(options)
  const { pid, metricsUrl } = await stage.startOperator([], [`--publish=${publish}`])
  const steady = await stage.hosts.start('tcp')
  const doomed = await stage.hosts.start('tcp')
  await stage.send(
    Array.from({ length: resources }, (_, n) => {
      const hosts = stage.addresses(n * HOSTS_EACH, HOSTS_EACH)
      const ports = [
        tcpPort('web', steady.port, hosts.slice(HOSTS_EACH / 2)),
        tcpPort('web', doomed.port, hosts.slice(0, HOSTS_EACH / 2), { failureThreshold: 1 }),
      ]
      return clusterEndpoint(`carried-${n}`, { periodSeconds, ports })
    }),
  )
  await stage.untilPublished(targets)
  await Bun.sleep(periodSeconds * 1000)
  const { rssMb, anonymousMb } = memoryOf(pid)
  const before = await writesOf(metricsUrl)
  const atMs = await doomed.kill()
  const seenMs = await stage.untilPublished(targets / 2)
  // The status and the Event come last.
  await Bun.sleep(1_000)
  const writes = ((await writesOf(metricsUrl)) - before) / resources
  return { targets, rssMb, anonymousMb, seconds: (seenMs - atMs) / 1000, writes }
}
