// File descriptors run out: what an attempt meets then says nothing about the host.

import { describe, expect, test } from 'bun:test'
import { connect, type Socket } from 'node:net'
import { startSilentTcp } from '../backends/misbehaving.ts'
import { commandPath } from '../controlplane/command-path.ts'
import { eventually, throughout } from '../integration/eventually.ts'
import { startFleet } from './fleet.ts'
import { report } from './report.ts'
import { Scene } from './scene.ts'
import { statusOf } from './spawn.ts'
import { startVictims } from './victims.ts'
import { cpuSecondsOf, descriptorsOf } from './vitals.ts'

/** Descriptors that the operator may have; it needs about 25 for itself. */
const LIMIT = 64
const LIMITED = ['sh', '-c', `ulimit -n ${LIMIT}; exec "$@"`, 'sh']
/** Descriptors free when there are as good as none: one attempt takes two, its own and that of a second look. */
const FREE_MAX = 2
const FLEET = 60
/** Milliseconds for which each trouble lasts. */
const WINDOW_MS = 3_000
const TEST_MAX_MS = 60_000

describe.skipIf(process.platform !== 'linux')(`under ulimit -n ${LIMIT}`, () => {
  test(
    'the operator asks fewer hosts at once, and all is as always',
    async () => {
      await using scene = await Scene.open({ prefix: LIMITED })
      const fleet = await startFleet(scene, { count: FLEET, periodSeconds: 1 })
      const victims = await startVictims(scene)
      await silence(scene, 20)
      const startMs = performance.now()
      await eventually(20_000, () => expect(scene.published.size).toBe(FLEET + 1))
      let most = 0
      await throughout(WINDOW_MS, () => {
        most = Math.max(most, descriptorsOf(scene.operator.pid))
      })
      await victims.swap()
      const { outMs, inMs } = await victims.seen()
      const lateMs = fleet.arrivals.worstLatenessMs(1_000, startMs + 2_000, performance.now())
      report('descriptors, with its own bound', {
        most,
        outMs,
        inMs,
        lateMs,
        ...(await unknowns(scene)),
      })
      expect(scene.published.losses.map(({ address }) => address)).toEqual([victims.doomed])
    },
    TEST_MAX_MS,
  )

  test(
    'more attempts than that remove nobody, and it recovers',
    async () => {
      await using scene = await Scene.open({ prefix: LIMITED, args: ['--max-in-flight=1000'] })
      await startFleet(scene, { count: FLEET, periodSeconds: 1 })
      const victims = await startVictims(scene)
      await eventually(20_000, () => expect(scene.published.size).toBe(FLEET + 1))
      await silence(scene, 200)
      await eventually(5_000, () => expect(freeOf(scene, LIMIT)).toBeLessThanOrEqual(FREE_MAX))
      const cpuBefore = cpuSecondsOf(scene.operator.pid)
      let most = 0
      await throughout(WINDOW_MS, () => {
        expect(scene.published.losses).toEqual([])
        most = Math.max(most, descriptorsOf(scene.operator.pid))
      })
      const cpu = (cpuSecondsOf(scene.operator.pid) - cpuBefore) / (WINDOW_MS / 1000)
      scene.remove('silent')
      await victims.swap()
      const { outMs, inMs } = await victims.seen()
      const counts = await unknowns(scene)
      report('descriptors, asked for too many', { most, cpu, outMs, inMs, ...counts })
      expect(counts.unknown).toBeGreaterThan(0)
      expect(scene.published.losses.map(({ address }) => address)).toEqual([victims.doomed])
    },
    TEST_MAX_MS,
  )

  test(
    'connections to its own ports that nobody closes remove nobody, and it recovers',
    async () => {
      await using scene = await Scene.open({ prefix: LIMITED })
      await startFleet(scene, { count: FLEET, periodSeconds: 1 })
      const victims = await startVictims(scene)
      await eventually(20_000, () => expect(scene.published.size).toBe(FLEET + 1))
      const sockets = crowd(scene.operator.healthUrl, 2 * LIMIT)
      await eventually(5_000, () => expect(freeOf(scene, LIMIT)).toBeLessThanOrEqual(FREE_MAX))
      const cpuBefore = cpuSecondsOf(scene.operator.pid)
      await throughout(WINDOW_MS, () => {
        expect(scene.published.losses).toEqual([])
      })
      const cpu = (cpuSecondsOf(scene.operator.pid) - cpuBefore) / (WINDOW_MS / 1000)
      for (const socket of sockets) socket.destroy()
      await victims.swap()
      const { outMs, inMs } = await victims.seen()
      await eventually(5_000, async () =>
        expect(await statusOf(`${scene.operator.healthUrl}/healthz`)).toBe(200),
      )
      const counts = await unknowns(scene)
      // Bun asks the kernel again and again for a connection that it has no descriptor for.
      report('descriptors, a crowd at its ports', { cpu, outMs, inMs, ...counts })
      expect(counts.unknown).toBeGreaterThan(0)
      expect(scene.published.losses.map(({ address }) => address)).toEqual([victims.doomed])
    },
    TEST_MAX_MS,
  )
})

const prlimit = commandPath('prlimit')

test.skipIf(prlimit === undefined)(
  'a limit that is lowered while it runs removes nobody, and it recovers when that is lifted',
  async () => {
    await using scene = await Scene.open()
    const { pid } = scene.operator
    await startFleet(scene, { count: FLEET, periodSeconds: 1 })
    const victims = await startVictims(scene)
    await eventually(20_000, () => expect(scene.published.size).toBe(FLEET + 1))
    const [, hard] = /^Max open files\s+\d+\s+(\d+)/m.exec(await limitsOf(pid)) ?? []
    limit(pid, `${descriptorsOf(pid) + 1}:${hard}`)
    await throughout(WINDOW_MS, () => {
      expect(scene.published.losses).toEqual([])
    })
    limit(pid, `${hard}:${hard}`)
    await victims.swap()
    const { outMs, inMs } = await victims.seen()
    const counts = await unknowns(scene)
    report('descriptors, lowered while it runs', { outMs, inMs, ...counts })
    expect(counts.unknown).toBeGreaterThan(0)
    expect(scene.published.losses.map(({ address }) => address)).toEqual([victims.doomed])
  },
  TEST_MAX_MS,
)

/** Hosts that take a connection each for as long as they are asked. */
async function silence(scene: Scene, count: number): Promise<void> {
  const { port } = scene.keep(await startSilentTcp({ host: '0.0.0.0', port: 0 }))
  const hosts = Array.from({ length: count }, (_, n) => `127.0.92.${n}`)
  const entry = { name: 'silent', port: 1, targetPort: port, hosts, httpGet: {} }
  scene.create('silent', { periodSeconds: 1, ports: [entry] })
}

function freeOf(scene: Scene, limit: number): number {
  return limit - descriptorsOf(scene.operator.pid)
}

/** Connects and says nothing. */
function crowd(url: string, count: number): Socket[] {
  const { hostname, port } = new URL(url)
  return Array.from({ length: count }, () =>
    connect({ host: hostname, port: Number(port) }).on('error', () => {}),
  )
}

async function unknowns(scene: Scene): Promise<{ unknown: number; counted: number }> {
  return {
    unknown: await scene.metric('cep_num_check_unknown'),
    counted: await scene.metric('cep_num_checked'),
  }
}

async function limitsOf(pid: number): Promise<string> {
  return await Bun.file(`/proc/${pid}/limits`).text()
}

function limit(pid: number, nofile: string): void {
  const { exitCode, stderr } = Bun.spawnSync([
    prlimit ?? 'prlimit',
    `--pid=${pid}`,
    `--nofile=${nofile}`,
  ])
  if (exitCode !== 0) throw new Error(`Cannot limit the operator: ${stderr}`)
}
