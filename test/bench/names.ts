// Hosts that are names, each with an address of its own, against the same hosts as addresses, which are
// the floor: until all are published, in memory, and at rest, where a name is asked again each minute.

import { startNameServer } from '../dns/name-server.ts'
import { clusterEndpoint, tcpPort } from '../integration/manifests.ts'
import { cpuSecondsOf, memoryOf } from '../process/vitals.ts'
import type { Figure } from './figure.ts'
import { type BenchOptions, Stage } from './stage.ts'

const HOSTS_EACH = 100
const PERIOD_SECONDS = 10

export async function names(options: BenchOptions): Promise<Figure[]> {
  const addressed = await measured(options, false)
  const named = await measured(options, true)
  const rows = [
    ['until published', 'seconds', 's'],
    ['RSS', 'rssMb', 'MB'],
    ['anonymous', 'anonymousMb', 'MB'],
    ['CPU at rest', 'percent', '%'],
  ] as const
  return rows.map(([name, key, unit]) => ({
    name: `${name}, ${named.count} names`,
    value: named[key],
    unit,
    floor: addressed[key],
  }))
}

async function measured(options: BenchOptions, areNames: boolean) {
  const [resources, warmSeconds, seconds] = options.isQuick ? [1, 0.5, 1] : [100, 30, 60]
  const count = resources * HOSTS_EACH
  using nameServer = await startNameServer('127.0.0.1')
  await using stage = await Stage.open(options)
  const { pid } = await stage.startOperator([], [`--dns-servers=${nameServer.address}`])
  const { port } = await stage.hosts.start('tcp')
  const addresses = stage.addresses(0, count)
  const hosts = addresses.map((address, n) => {
    const name = `host-${n}.bench.example`
    nameServer.zone.set(name, { a: [address], ttl: 60 })
    return areNames ? name : address
  })
  const startMs = performance.timeOrigin + performance.now()
  await stage.send(
    Array.from({ length: resources }, (_, n) => {
      const own = hosts.slice(n * HOSTS_EACH, (n + 1) * HOSTS_EACH)
      const ports = [tcpPort('web', port, own)]
      return clusterEndpoint(`named-${n}`, { periodSeconds: PERIOD_SECONDS, ports })
    }),
  )
  const publishedMs = await stage.untilPublished(count)
  await Bun.sleep(warmSeconds * 1000)
  const before = cpuSecondsOf(pid)
  await Bun.sleep(seconds * 1000)
  const percent = ((cpuSecondsOf(pid) - before) / seconds) * 100
  return { count, ...memoryOf(pid), seconds: (publishedMs - startMs) / 1000, percent }
}
