// A pod's limit of 128 MiB with a thousand targets: no tick comes late, and nobody is killed.

import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { startGoodHosts } from '../hosts/good-hosts.ts'
import { eventually } from '../integration/eventually.ts'
import { operatorCommand } from '../integration/operator.ts'
import { Heartbeat } from './arrivals.ts'
import { STRICT } from './fleet.ts'
import { type MemoryCgroup, makeMemoryCgroup } from './memory-cgroup.ts'
import { report } from './report.ts'
import { Scene } from './scene.ts'
import { majorFaultsOf, memoryOf } from './vitals.ts'

const LIMIT_MB = 128
const TARGETS = 1_000
const EACH = 20
const PERIOD_SECONDS = 2
const WATCHED_MS = 9_000
/** From here on the process counts itself as having stood still: probes/scheduler.ts, STALL_MS. */
const STALL_MS = 250
const LOOK_MS = 250
const TEST_MAX_MS = 90_000
const NAME = `${TARGETS} targets in a memory cgroup of ${LIMIT_MB} MiB, the binary's pages included: no tick is late`

const problem = problemHere()

if (problem !== undefined) {
  console.error(
    `SKIPPED: ${NAME}: no memory cgroup can be made here (CI=true is no reason to fail for it): ${problem}. Remedy: run as root where /sys/fs/cgroup is writable`,
  )
  test.skip(NAME, () => {})
} else {
  test(
    NAME,
    async () => {
      using made = cgroup()
      // Copied inside, so that its page cache is charged to the cgroup, as an image's is to its first pod.
      using copy = copied(made.inside)
      await using scene = await Scene.open({ prefix: made.inside([]), command: copy.command })
      const { pid } = scene.operator
      const good = scene.keep(await startGoodHosts(TARGETS))
      for (let at = 0; at < TARGETS; at += EACH) {
        const ports = good.entries
          .slice(at, at + EACH)
          .map((entry, n) => ({ ...STRICT, name: `p${n}`, port: n + 1, ...entry }))
        scene.create(`many-${at / EACH}`, { periodSeconds: PERIOD_SECONDS, ports })
      }
      await eventually(30_000, () => expect(scene.published.size).toBe(TARGETS))

      const stallsBefore = await scene.metric('cep_stalls_total')
      const faultsBefore = majorFaultsOf(pid)
      const fromMs = performance.now()
      using heartbeat = new Heartbeat()
      let tickLateMs = 0
      while (performance.now() < fromMs + WATCHED_MS) {
        await Bun.sleep(LOOK_MS)
        const lateSeconds = await scene.metric('cep_tick_lateness_seconds')
        tickLateMs = Math.max(tickLateMs, lateSeconds * 1000)
      }
      const stalls = (await scene.metric('cep_stalls_total')) - stallsBefore
      const lateMs = good.arrivals.worstLatenessMs(PERIOD_SECONDS * 1000, fromMs, performance.now())
      report(`${TARGETS} targets in ${LIMIT_MB} MiB`, {
        ...{ stalls, tickLateMs, lateMs, machineMs: heartbeat.worstMs },
        ...{
          chargedMb: made.usageMb(),
          rssMb: memoryOf(pid).rssMb,
          majorFaults: majorFaultsOf(pid) - faultsBefore,
        },
      })
      expect(made.kills()).toBe(0)
      // A machine that holds up this test's own timers holds up the operator's, too.
      if (heartbeat.worstMs < STALL_MS / 2) expect(stalls).toBe(0)
      expect(tickLateMs).toBeLessThan(STALL_MS + heartbeat.forgivenMs)
      expect(lateMs).toBeLessThan(STALL_MS + heartbeat.forgivenMs)
      expect(scene.published.losses).toEqual([])
    },
    TEST_MAX_MS,
  )
}

function cgroup(): MemoryCgroup {
  const made = makeMemoryCgroup(LIMIT_MB)
  if ('problem' in made) throw new Error(made.problem)
  return made
}

function problemHere(): string | undefined {
  const made = makeMemoryCgroup(LIMIT_MB)
  if ('problem' in made) return made.problem
  made[Symbol.dispose]()
  return undefined
}

/** The operator's program (or Bun, when that runs the sources) as a file that nobody has read before. */
function copied(inside: (command: readonly string[]) => string[]): Disposable & {
  readonly command: readonly string[]
} {
  const [program = '', ...rest] = operatorCommand()
  const folder = mkdtempSync(join(tmpdir(), 'operator-'))
  const path = join(folder, basename(program))
  // The disk first: pages that are not written yet cannot be reclaimed.
  const { exitCode, stderr } = Bun.spawnSync(
    inside(['sh', '-ec', 'cp "$1" "$2"; sync "$2"', 'sh', program, path]),
  )
  if (exitCode !== 0) throw new Error(`Cannot copy the operator: ${stderr}`)
  return { command: [path, ...rest], [Symbol.dispose]: () => rmSync(folder, { recursive: true }) }
}
