// Two hundred hosts that misbehave among a thousand: what they cost the others, and what they leave.

import { expect, test } from 'bun:test'
import { eventually } from '../integration/eventually.ts'
import { cepStatus, readObject } from '../integration/objects.ts'
import { Heartbeat } from '../process/arrivals.ts'
import { STRICT } from '../process/fleet.ts'
import { report } from '../process/report.ts'
import { Scene } from '../process/scene.ts'
import { cpuSecondsOf, descriptorsBut, type Memory, memoryOf } from '../process/vitals.ts'
import { type BadTarget, startBadHosts } from './bad-hosts.ts'
import { startGoodHosts } from './good-hosts.ts'

const GOOD = 800
const BAD = 200
/** Targets of one ClusterEndpoint. */
const EACH = 20
const PERIOD_SECONDS = 2
const ATTEMPTS_MIN = 10_000
/** Milliseconds that an attempt on a good host may come late. */
const LATE_MAX_MS = 200
/** A chain of redirects and a retry hold one descriptor at a time, a TCP close lingers for a moment. */
const DESCRIPTORS_PER_BAD = 2
const DESCRIPTORS_KEPT_MAX = 5
/** Megabytes of private memory that attempts may take while they run, and keep as free heap afterwards. */
const GROWTH_MAX_MB = 64
const KEPT_MAX_MB = 28
/** Milliseconds from one look at the process to the next, and until all attempts must have been made. */
const LOOK_MS = 50
const RUN_MAX_MS = 60_000
const TEST_MAX_MS = 120_000

test.skipIf(process.platform !== 'linux')(
  `${BAD} hosts that misbehave delay none of ${GOOD} good ones, and leave nothing behind`,
  async () => {
    await using scene = await Scene.open()
    const good = scene.keep(await startGoodHosts(GOOD))
    inGroups(good.entries).forEach((ports, n) => {
      scene.create(`good-${n}`, specOf(ports))
    })
    await eventually(30_000, () => expect(scene.published.size).toBe(GOOD))
    // Every descriptor and buffer that the good ones take has been taken once.
    await eventually(30_000, () => expect(good.arrivals.count()).toBeGreaterThan(3 * GOOD))
    const base = costOf(scene)

    const bad = scene.keep(await startBadHosts(BAD))
    using heartbeat = new Heartbeat()
    const fromMs = performance.now()
    inGroups(bad.targets.map(entryOf)).forEach((ports, n) => {
      scene.create(`bad-${n}`, specOf(ports))
    })
    const { attempts, peak, cpu } = await untilAttempted(scene, ATTEMPTS_MIN)
    const toMs = performance.now()
    const lateMs = good.arrivals.worstLatenessMs(PERIOD_SECONDS * 1000, fromMs, toMs)
    expect(wrongVerdicts(scene, bad.targets)).toEqual([])
    expect(scene.published.losses).toEqual([])

    inGroups(bad.targets).forEach((_, n) => {
      scene.remove(`bad-${n}`)
    })
    // A heap that is collected goes up and down: what it comes down to counts.
    let after = costOf(scene)
    const freedMs = await eventually(30_000, () => {
      after = costOf(scene)
      expect(after.descriptors).toBeLessThanOrEqual(base.descriptors + DESCRIPTORS_KEPT_MAX)
      expect(after.anonymousMb).toBeLessThan(base.anonymousMb + KEPT_MAX_MB)
    })
    report('misbehaving hosts', { attempts, lateMs, machineMs: heartbeat.worstMs, cpu, freedMs })
    report('before them', base)
    report('at worst', peak)
    report('after them', after)
    expect(lateMs).toBeLessThan(LATE_MAX_MS + heartbeat.forgivenMs)
    expect(peak.descriptors).toBeLessThanOrEqual(base.descriptors + DESCRIPTORS_PER_BAD * BAD)
    expect(peak.anonymousMb).toBeLessThan(base.anonymousMb + GROWTH_MAX_MB)
    expect(scene.published.losses).toEqual([])
    expect(await scene.operator.stop()).toMatchObject({ code: 0 })
  },
  TEST_MAX_MS,
)

type Cost = Memory & { readonly descriptors: number }

/** What the operator takes now. Connections that it keeps to the API server are another matter. */
function costOf({ operator, server }: Scene): Cost {
  return { ...memoryOf(operator.pid), descriptors: descriptorsBut(operator.pid, server.port) }
}

/** Waits for `count` attempts; returns the most that they took meanwhile, and the share of a core. */
async function untilAttempted(
  scene: Scene,
  count: number,
): Promise<{ readonly attempts: number; readonly peak: Cost; readonly cpu: number }> {
  const before = await attemptsOf(scene)
  const cpuBefore = cpuSecondsOf(scene.operator.pid)
  const fromMs = performance.now()
  let peak = costOf(scene)
  let attempts = 0
  for (let looks = 1; attempts < count; looks++) {
    expect(performance.now() - fromMs).toBeLessThan(RUN_MAX_MS)
    await Bun.sleep(LOOK_MS)
    const now = costOf(scene)
    peak = {
      descriptors: Math.max(peak.descriptors, now.descriptors),
      rssMb: Math.max(peak.rssMb, now.rssMb),
      anonymousMb: Math.max(peak.anonymousMb, now.anonymousMb),
    }
    // Not each time: a thousand targets make a long page.
    if (looks % 10 === 0) attempts = (await attemptsOf(scene)) - before
  }
  const seconds = (performance.now() - fromMs) / 1000
  return { attempts, peak, cpu: (cpuSecondsOf(scene.operator.pid) - cpuBefore) / seconds }
}

async function attemptsOf(scene: Scene): Promise<number> {
  const all = await scene.metrics()
  return all.reduce(
    (sum, { name, value }) => (/^cep_num_check(?:ed|_unknown)$/.test(name) ? sum + value : sum),
    0,
  )
}

function entryOf({ kind, host, targetPort }: BadTarget): Readonly<Record<string, unknown>> {
  return { ...kind.probe, hosts: [host], targetPort, timeoutSeconds: 1, failureThreshold: 3 }
}

/** Entries get a name and a port of their own; good ones are unpublished at one false failure. */
function specOf(entries: readonly Readonly<Record<string, unknown>>[]): unknown {
  return {
    periodSeconds: PERIOD_SECONDS,
    ports: entries.map((entry, n) => ({ ...STRICT, name: `p${n}`, port: 1_000 + n, ...entry })),
  }
}

function inGroups<T>(all: readonly T[]): T[][] {
  const groups = Math.ceil(all.length / EACH)
  return Array.from({ length: groups }, (_, n) => all.slice(n * EACH, (n + 1) * EACH))
}

/** Hosts whose verdict, or the reason given for it, is not the one that their kind earns. */
function wrongVerdicts(scene: Scene, targets: readonly BadTarget[]): string[] {
  const rows = scene.server.store
    .list('clusterendpoints')
    .flatMap((object) => cepStatus(readObject(object))?.hosts ?? [])
  return targets.flatMap(({ kind, host }) => {
    const row = rows.find((each) => each.host === host)
    const isRight =
      kind.verdict === 'healthy'
        ? row?.healthy
        : !row?.healthy && kind.verdict.test(row?.reason ?? '')
    return isRight ? [] : [`${kind.name} (${host}): ${row?.healthy ? 'healthy' : row?.reason}`]
  })
}
