// From the start of the process to /readyz, and to the first correct Endpoints of 1,000 resources of
// which one host in ten drops all packets.

import { startDeafTcp } from '../backends/deaf.ts'
import { clusterEndpoint, tcpPort } from '../integration/manifests.ts'
import type { Figure } from './figure.ts'
import { type BenchOptions, Stage } from './stage.ts'

const HOSTS_EACH = 10

export async function start(options: BenchOptions): Promise<Figure[]> {
  const resources = options.isQuick ? 50 : 1_000
  const floor = await startOfFloor(options)
  const ready = await readyWithNothing(options)
  await using stage = await Stage.open(options)
  const { port } = await stage.hosts.start('tcp')
  const deaf = await startDeafTcp({ host: '0.0.0.0', port: 0 })
  try {
    await stage.send(
      Array.from({ length: resources }, (_, n) => {
        const [silent = '', ...hosts] = stage.addresses(n * HOSTS_EACH, HOSTS_EACH)
        const ports = [tcpPort('web', port, hosts), tcpPort('web', deaf.port, [silent])]
        return clusterEndpoint(`start-${n}`, { ports })
      }),
    )
    const startMs = performance.timeOrigin + performance.now()
    await stage.startOperator()
    const publishedMs = await stage.untilPublished(resources * (HOSTS_EACH - 1))
    return [
      { name: 'start to /readyz', value: ready, unit: 'ms', floor, aim: { most: 150 } },
      {
        name: `start to correct Endpoints of ${resources} resources, ${resources * HOSTS_EACH} hosts`,
        value: (publishedMs - startMs) / 1000,
        unit: 's',
        floor: floor / 1000,
        aim: { most: 5 },
      },
    ]
  } finally {
    await deaf.kill()
  }
}

async function readyWithNothing(options: BenchOptions): Promise<number> {
  await using stage = await Stage.open(options)
  const startMs = performance.now()
  await stage.startOperator()
  return performance.now() - startMs
}

/** The floor program, from its start to its end. */
async function startOfFloor({ floor }: BenchOptions): Promise<number> {
  const startMs = performance.now()
  const args = ['tcp', '1', '1', '0', '0']
  await Bun.spawn([floor, ...args], { stdin: new Blob(['127.0.0.1']), stdout: 'ignore' }).exited
  return performance.now() - startMs
}
