// Clocks that jump and an event loop that stalls: nobody is removed, and the rhythm is kept.
// With the sources, even if there is a binary, because a binary lets nobody get at its clock.

import { describe, expect, test } from 'bun:test'
import { eventually, throughout } from '../integration/eventually.ts'
import { Heartbeat } from './arrivals.ts'
import { startFleet } from './fleet.ts'
import { report } from './report.ts'
import { Scene } from './scene.ts'
import { startSlowHosts } from './slow-hosts.ts'
import { startVictims } from './victims.ts'

const MAIN = `${import.meta.dir}/../../main.ts`
const FLEET = 100
const SLOW = 20
const PERIOD_MS = 1_000
const WINDOW_MS = 5_000
/** Without an arrival for so long, of a hundred a second, the operator stands still. Milliseconds. */
const AWAY_MS = 400
const TEST_MAX_MS = 60_000

describe.skipIf(process.platform !== 'linux')('without any effect on who is published,', () => {
  test.concurrent(
    'a time of day that jumps by an hour leaves the rhythm as it is',
    async () => {
      await using scene = await open('clock-jumps')
      const fleet = await startFleet(scene, { count: FLEET, periodSeconds: PERIOD_MS / 1000 })
      const victims = await startVictims(scene)
      await eventually(20_000, () => expect(scene.published.size).toBe(FLEET + 1))
      const fromMs = performance.now()
      using heartbeat = new Heartbeat()
      await throughout(WINDOW_MS, () => expect(scene.published.losses).toEqual([]))
      const lateMs = fleet.arrivals.worstLatenessMs(PERIOD_MS, fromMs, performance.now())
      await victims.swap()
      const { outMs, inMs } = await victims.seen()
      const stalls = await scene.metric('cep_stalls_total')
      report('clock jumps', { lateMs, machineMs: heartbeat.worstMs, stalls, outMs, inMs })
      expect(scene.published.losses.map(({ address }) => address)).toEqual([victims.doomed])
      expect(lateMs).toBeLessThan(200 + heartbeat.forgivenMs)
      expect(Math.max(outMs, inMs)).toBeLessThan(3 * PERIOD_MS)
    },
    TEST_MAX_MS,
  )

  test.concurrent(
    'a time of day that jumps by an hour makes a leader stand down and come back',
    async () => {
      await using scene = await open('clock-jumps', ['--leader-elect'])
      await startFleet(scene, { count: FLEET, periodSeconds: PERIOD_MS / 1000 })
      await eventually(20_000, () => expect(scene.published.size).toBe(FLEET))
      await eventually(20_000, () => expect(scene.operator.logs()).toContain('lost the lease'))
      await throughout(WINDOW_MS, () => expect(scene.published.losses).toEqual([]))
      const times = (what: string) => scene.operator.logs().split(what).length - 1
      const lost = times('lost the lease')
      const backMs = await eventually(5_000, () =>
        expect(times(' leading identity=')).toBeGreaterThan(lost),
      )
      report('clock jumps under a lease', { lost, backMs })
      expect(scene.published.losses).toEqual([])
    },
    TEST_MAX_MS,
  )

  test.concurrent(
    'an event loop stalls for 1.5 s again and again',
    async () => {
      await using scene = await open('stalls')
      const fleet = await startFleet(scene, { count: FLEET, periodSeconds: PERIOD_MS / 1000 })
      // In flight whenever it stalls, and reset meanwhile: what it finds then says nothing about them.
      const slow = await startSlowHosts(scene, { count: SLOW, answerMs: 600, timeoutSeconds: 1 })
      const victims = await startVictims(scene)
      await eventually(20_000, () => expect(scene.published.size).toBe(FLEET + SLOW + 1))
      const fromMs = performance.now()
      let resets = 0
      let resetMs = 0
      await throughout(9_000, async () => {
        expect(scene.published.losses).toEqual([])
        const isAway = () => performance.now() - fleet.arrivals.lastMs > AWAY_MS
        if (!isAway() || performance.now() - resetMs < 2_000) return
        // Not because arrivals wait here to be noted?
        await Bun.sleep(20)
        if (!isAway()) return
        resetMs = performance.now()
        resets++
        await slow.reset()
      })
      await victims.swap()
      const { outMs, inMs } = await victims.seen()
      const stalls = await scene.metric('cep_stalls_total')
      const unknown = await scene.metric('cep_num_check_unknown')
      const densest = fleet.arrivals.densest(fromMs, performance.now())
      report('event loop stalls', { stalls, resets, unknown, densest, outMs, inMs })
      expect(stalls).toBeGreaterThanOrEqual(3)
      expect(resets).toBeGreaterThanOrEqual(2)
      expect(unknown).toBeGreaterThan(0)
      expect(scene.published.losses.map(({ address }) => address)).toEqual([victims.doomed])
      // In two periods and a stall; and never the whole fleet at once.
      expect(Math.max(outMs, inMs)).toBeLessThan(2 * PERIOD_MS + 2_500)
      expect(densest).toBeLessThan(FLEET)
    },
    TEST_MAX_MS,
  )
})

/** A scene whose operator has something loaded before it. */
async function open(preload: string, args: readonly string[] = []): Promise<Scene> {
  return await Scene.open({
    args,
    command: [process.execPath, '--preload', `${import.meta.dir}/${preload}.preload.ts`, MAIN],
  })
}
