// Standard error is a pipe that nobody reads: lines are lost, and nothing else.

import { expect, test } from 'bun:test'
import { eventually, throughout } from '../integration/eventually.ts'
import { Heartbeat } from './arrivals.ts'
import { startFleet } from './fleet.ts'
import { openPipe } from './pipe.ts'
import { report } from './report.ts'
import { Scene } from './scene.ts'
import { startVictims } from './victims.ts'
import { memoryOf } from './vitals.ts'

const FLEET = 800
const PERIOD_MS = 1_000
/** Milliseconds. A line of each attempt fills the pipe and all that may wait in about three seconds. */
const STALLED_MS = 7_000
const LATE_MAX_MS = 200
/** Megabytes. A line of 150 bytes for each attempt would be a tenth of a megabyte a second. */
const GROWTH_MAX_MB = 24
const TEST_MAX_MS = 60_000

test.skipIf(process.platform !== 'linux')(
  'a reader of standard error that stalls costs lines, and neither attempts nor memory',
  async () => {
    using pipe = openPipe()
    await using scene = await Scene.open({ stderr: pipe.writer, args: ['--v=4'] })
    const { operator, published } = scene
    const fleet = await startFleet(scene, { count: FLEET, periodSeconds: PERIOD_MS / 1000 })
    const victims = await startVictims(scene)
    await eventually(20_000, () => {
      pipe.read()
      expect(published.size).toBe(FLEET + 1)
    })

    using heartbeat = new Heartbeat()
    const stalledMs = performance.now()
    const attemptsBefore = fleet.arrivals.count()
    const before = memoryOf(operator.pid)
    // Settled first: the memory of the first seconds of a process says nothing.
    await throughout(STALLED_MS, () => expect(published.losses).toEqual([]))
    await victims.swap()
    const { outMs, inMs } = await victims.seen()
    const growthMb = memoryOf(operator.pid).anonymousMb - before.anonymousMb
    const lateMs = fleet.arrivals.worstLatenessMs(PERIOD_MS, stalledMs, performance.now())
    const attempts = fleet.arrivals.count() - attemptsBefore

    // The lines that waited come first, then one that says how many did not.
    let text = ''
    await eventually(10_000, () => {
      text += pipe.read()
      expect(text).toContain('dropped=')
    })
    const dropped = Number(/dropped=(\d+)/.exec(text)?.[1])
    const kept = text.split('\n').length
    report('a stalled reader', {
      ...{ dropped, kept, attempts, lateMs, machineMs: heartbeat.worstMs },
      ...{ growthMb, outMs, inMs },
    })
    expect(dropped).toBeGreaterThan(100)
    expect(dropped + kept).toBeGreaterThanOrEqual(attempts)
    expect(lateMs).toBeLessThan(LATE_MAX_MS + heartbeat.forgivenMs)
    expect(growthMb).toBeLessThan(GROWTH_MAX_MB)
    expect(published.losses.map(({ address }) => address)).toEqual([victims.doomed])
    expect(Math.max(outMs, inMs)).toBeLessThan(3 * PERIOD_MS)

    // Stalled again, until nothing fits any more: that keeps nobody from ending.
    const fullMs = performance.now()
    await eventually(20_000, () => expect(performance.now() - fullMs).toBeGreaterThan(3_500))
    const { code, ms } = await operator.stop()
    report('told to stop behind a stalled reader', { code, ms })
    expect(code).toBe(0)
    expect(ms).toBeLessThan(2_000 + heartbeat.forgivenMs)
  },
  TEST_MAX_MS,
)
