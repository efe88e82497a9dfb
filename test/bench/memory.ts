// What stays in memory: idle, and with up to 10,000 targets, with and without gRPC among them.

import { makeMemoryCgroup } from '../process/memory-cgroup.ts'
import { type Memory, memoryOf } from '../process/vitals.ts'
import { type Aim, type Figure, percentile } from './figure.ts'
import type { HostKind } from './hosts.ts'
import { type BenchOptions, Stage } from './stage.ts'

const RESOURCES_MAX = 100
const PERIOD_SECONDS = 10
const LIMIT_MB = 128
const LIMITED_TARGETS = 1_000

/** Megabytes, resident and anonymous, by number of targets. */
const AIMS: Readonly<Record<number, readonly [rss: Aim, anonymous: Aim]>> = {
  1000: [{ most: 64 }, { most: 24 }],
  10000: [{ most: 110 }, { most: 64 }],
}

export async function memory(options: BenchOptions): Promise<Figure[]> {
  const floor = await idleFloor(options)
  const figures = await idle(options, floor)
  for (const targets of options.isQuick ? [100] : [100, 1_000, 10_000]) {
    figures.push(...(await withTargets(options, targets, floor, ['tcp', 'http'])))
    figures.push(...(await withTargets(options, targets, floor, ['tcp', 'grpc'])))
  }
  if (!options.isQuick) figures.push(...(await limited(options)))
  return figures
}

/** The floor program without anything to do. */
async function idleFloor({ floor }: BenchOptions): Promise<Memory> {
  const child = Bun.spawn([floor, 'idle'], { stdio: ['ignore', 'ignore', 'inherit'] })
  await Bun.sleep(500)
  const used = memoryOf(child.pid)
  child.kill('SIGKILL')
  await child.exited
  return used
}

async function idle(options: BenchOptions, floor: Memory): Promise<Figure[]> {
  await using stage = await Stage.open(options)
  const { pid } = await stage.startOperator()
  await Bun.sleep(options.isQuick ? 500 : 10_000)
  const rss = { most: floor.rssMb + 20 }
  return figuresOf('idle', memoryOf(pid), floor, [rss, { most: 10 }])
}

async function withTargets(
  options: BenchOptions,
  targets: number,
  floor: Memory,
  kinds: readonly [HostKind, HostKind],
): Promise<Figure[]> {
  await using stage = await Stage.open(options)
  const { pid } = await stage.startOperator()
  const resources = Math.min(RESOURCES_MAX, targets / 10) / kinds.length
  const hostsEach = targets / kinds.length / resources
  for (const [n, kind] of kinds.entries()) {
    const { port } = await stage.hosts.start(kind)
    const from = (n * targets) / kinds.length
    const shape = { resources, hostsEach, from, periodSeconds: PERIOD_SECONDS }
    await stage.create({ name: kind, kind, port, ...shape })
  }
  await stage.untilPublished(targets)
  await Bun.sleep(options.isQuick ? 500 : 20_000)
  return figuresOf(
    `${targets} targets, ${kinds.join(' and ')}`,
    memoryOf(pid),
    floor,
    AIMS[targets],
  )
}

/** Under the limit of a pod, the page cache of the operator's own file included. */
async function limited(options: BenchOptions): Promise<Figure[]> {
  const made = makeMemoryCgroup(LIMIT_MB)
  if ('problem' in made) {
    console.error(`SKIPPED: the limit of ${LIMIT_MB} MiB: ${made.problem}. Remedy: run as root`)
    return []
  }
  using cgroup = made
  await using stage = await Stage.open(options)
  await stage.startOperator(cgroup.inside([]))
  const { port, deviationsMs } = await stage.hosts.start('rhythm')
  const shape = { resources: 50, hostsEach: LIMITED_TARGETS / 50, from: 0, periodSeconds: 2 }
  await stage.create({ name: 'limited', kind: 'rhythm', port, ...shape })
  await stage.untilPublished(LIMITED_TARGETS)
  await Bun.sleep(3_000)
  await deviationsMs()
  await Bun.sleep(10_000)
  const worst = percentile(await deviationsMs(), 1)
  const name = `${LIMITED_TARGETS} targets in ${LIMIT_MB} MiB`
  return [
    {
      name: `${name}: killed for want of memory`,
      value: cgroup.kills(),
      unit: 'kills',
      aim: { most: 0 },
    },
    { name: `${name}: worst lateness`, value: worst, unit: 'ms', aim: { most: 250 } },
  ]
}

function figuresOf(
  what: string,
  used: Memory,
  floor: Memory,
  [rssAim, anonymousAim]: readonly [Aim, Aim] | readonly [] = [],
): Figure[] {
  return [
    {
      name: `RSS, ${what}`,
      value: used.rssMb,
      unit: 'MB',
      floor: floor.rssMb,
      ...(rssAim ? { aim: rssAim } : {}),
    },
    {
      name: `anonymous memory, ${what}`,
      value: used.anonymousMb,
      unit: 'MB',
      floor: floor.anonymousMb,
      ...(anonymousAim ? { aim: anonymousAim } : {}),
    },
  ]
}
