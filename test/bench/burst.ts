// Half of all hosts fail at the same moment, in every object some, and come back: when all of it is
// published, and in how many writes.

import { clusterEndpoint, tcpPort } from '../integration/manifests.ts'
import type { Figure } from './figure.ts'
import { type BenchOptions, Stage } from './stage.ts'

const HOSTS_EACH = 100

export async function burst(options: BenchOptions): Promise<Figure[]> {
  const [resources, periodSeconds] = options.isQuick ? [10, 1] : [100, 10]
  const total = resources * HOSTS_EACH
  await using stage = await Stage.open(options)
  await stage.startOperator()
  const steady = await stage.hosts.start('tcp')
  const doomed = await stage.hosts.start('tcp')
  await stage.send(
    Array.from({ length: resources }, (_, n) => {
      const hosts = stage.addresses(n * HOSTS_EACH, HOSTS_EACH)
      const half = HOSTS_EACH / 2
      // One Service port of which half of the hosts listen elsewhere.
      const ports = [
        tcpPort('web', steady.port, hosts.slice(0, half)),
        tcpPort('web', doomed.port, hosts.slice(half)),
      ]
      return clusterEndpoint(`burst-${n}`, { periodSeconds, ports })
    }),
  )
  await stage.untilPublished(total)
  // All have settled into their own phase.
  await Bun.sleep(periodSeconds * 1000)
  const out = await turn(stage, doomed.kill, total / 2)
  await Bun.sleep(periodSeconds * 1000)
  const back = await turn(stage, doomed.restart, total)
  const what = `${total / 2} of ${total} targets, period ${periodSeconds} s`
  return [
    ...figuresOf(`fail at once, ${what}`, out, periodSeconds),
    ...figuresOf(`return at once, ${what}`, back, periodSeconds),
  ]
}

type Turn = { readonly seconds: number; readonly writesWorst: number; readonly writesMean: number }

async function turn(stage: Stage, act: () => Promise<number>, published: number): Promise<Turn> {
  const before = stage.watch.writes()
  const atMs = await act()
  const seenMs = await stage.untilPublished(published)
  const after = stage.watch.writes()
  const writes = [...after].map(([name, count]) => count - (before.get(name) ?? 0))
  const sum = writes.reduce((total, count) => total + count, 0)
  return {
    seconds: (seenMs - atMs) / 1000,
    writesWorst: Math.max(...writes),
    writesMean: sum / writes.length,
  }
}

function figuresOf(name: string, turn: Turn, periodSeconds: number): Figure[] {
  return [
    { name, value: turn.seconds, unit: 's', aim: { most: 2 * periodSeconds } },
    {
      name: `${name}: writes an object, mean`,
      value: turn.writesMean,
      unit: 'writes',
      aim: { most: 1 },
    },
    {
      name: `${name}: writes an object, worst`,
      value: turn.writesWorst,
      unit: 'writes',
      aim: { most: 1 },
    },
  ]
}
