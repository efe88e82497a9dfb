// What one attempt costs, by kind, at 1,000 attempts a second.

import { cpuSecondsOf } from '../process/vitals.ts'
import type { Figure } from './figure.ts'
import { type FloorKind, type FloorMode, type FloorOptions, floorOf } from './floor.ts'
import type { HostKind, Listener } from './hosts.ts'
import { type BenchOptions, Stage } from './stage.ts'

const TARGETS = 1_000
const HOSTS = 100
/** UDP answers from the address that was asked only if it is bound to it: a socket each, one port. */
const UDP_PORT = 28_053

/** Until the engine has compiled what runs often, in the operator and in bare loops: they run for months. */
const WARM_SECONDS = 20

/** Microseconds, from the issue that asked for this benchmark. */
const AIMS: Readonly<Record<FloorKind, number>> = { tcp: 65, http: 85, udp: 55, grpc: 300 }

/** Bare loops by other means, to compare with. */
const OTHER_WAYS: Readonly<Record<FloorKind, readonly FloorMode[]>> = {
  tcp: ['Bun tcp', 'node:net tcp'],
  http: ['Bun http'],
  udp: ['Bun udp'],
  grpc: ['Bun grpc'],
}

export async function cost(options: BenchOptions): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const kind of ['tcp', 'http', 'udp', 'grpc'] as const) {
    figures.push(...(await costOf(options, kind)))
  }
  return figures
}

async function costOf(options: BenchOptions, kind: FloorKind): Promise<Figure[]> {
  const [warmSeconds, seconds] = options.isQuick ? [0.5, 1] : [WARM_SECONDS, 10]
  await using stage = await Stage.open(options)
  const addresses = stage.addresses(0, HOSTS)
  const listeners = await listen(stage, kind, addresses)
  const hits = async () => {
    const all = await Promise.all(listeners.map((listener) => listener.hits()))
    return all.reduce((sum, count) => sum + count, 0)
  }
  const { pid } = await stage.startOperator()
  const resources = TARGETS / HOSTS
  const shape = { resources, hostsEach: HOSTS, addresses: HOSTS, from: 0, periodSeconds: 1 }
  await stage.create({ name: kind, kind, port: listeners[0]?.port ?? 0, ...shape })
  await stage.untilPublished(TARGETS)
  const measuring = bareLoops(options, stage, kind, { warmSeconds, seconds })
  await Bun.sleep(warmSeconds * 1000)
  const before = { hits: await hits(), cpu: cpuSecondsOf(pid) }
  await Bun.sleep(seconds * 1000)
  const attempts = (await hits()) - before.hits
  const value = ((cpuSecondsOf(pid) - before.cpu) * 1e6) / attempts
  const name = `CPU an attempt, ${kind}`
  const aim = { most: AIMS[kind], timesFloor: 1.3 }
  return (await measuring).map(([mode, floor]) =>
    mode === kind
      ? { name, value, unit: 'us', floor, aim }
      : { name: `${name}, beside bare ${mode}`, value, unit: 'us', floor },
  )
}

/**
 * What bare attempts cost, by each way, in microseconds, on hosts of their own and all at the time at which the
 * operator is measured: from one minute to the next the machine's own pace may change by a factor of two.
 */
async function bareLoops(
  options: BenchOptions,
  stage: Stage,
  kind: FloorKind,
  times: Pick<FloorOptions, 'warmSeconds' | 'seconds'>,
): Promise<[FloorMode, number][]> {
  const modes: readonly FloorMode[] = [kind, ...OTHER_WAYS[kind]]
  return await Promise.all(
    modes.map(async (mode, n): Promise<[FloorMode, number]> => {
      const hosts = stage.addresses((n + 1) * HOSTS, HOSTS)
      const [first] = await listen(stage, kind, hosts)
      const bare = { port: first?.port ?? 0, hosts, rate: TARGETS, ...times }
      return [mode, await floorOf(options.floor, { ...bare, mode })]
    }),
  )
}

async function listen(stage: Stage, kind: HostKind, hosts: readonly string[]): Promise<Listener[]> {
  if (kind !== 'udp') return [await stage.hosts.start(kind)]
  return await Promise.all(hosts.map((host) => stage.hosts.start('udp', host, UDP_PORT)))
}
