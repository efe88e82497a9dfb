import { describe, expect, test } from 'bun:test'
import { type Health, seed } from '../../probes/health.ts'
import { Scheduler, STALL_MS, TICK_MS } from '../../probes/scheduler.ts'
import {
  type Asker,
  answered,
  failed,
  type Outcome,
  ok,
  type Target,
  unknown,
} from '../../probes/target.ts'
import {
  type Answer,
  answersAtOnce,
  ORIGIN_MS,
  refusesAtOnce,
  Simulation,
  target,
} from './simulation.ts'

const STOOD_STILL = unknown('the prober itself stood still')
const settledWell: Health = { ...seed('healthy', 0, ''), last: 'ok', run: 3 }
const settledOut: Health = { ...seed('unhealthy', 0, 'down'), last: 'failed', run: 3 }

function keys(count: number, prefix = 'host'): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${index}`)
}

describe('the rhythm', () => {
  test('a new target is attempted within one tick', async () => {
    const world = new Simulation(10, () => answersAtOnce)
    world.start(target('a'))
    expect(world.seen).toEqual([])
    await world.advance(TICK_MS)
    expect(world.startsOf('a')).toHaveLength(1)
  })

  test('a settled target is attempted once in each period, never earlier than a period after the last', async () => {
    const world = new Simulation(10, () => answersAtOnce)
    world.start(target('a'), settledWell)
    await world.advance(101_000)
    const [, ...starts] = world.startsOf('a')
    expect(starts.length).toBeGreaterThanOrEqual(10)
    for (const [index, startMs] of starts.slice(1).entries()) {
      const gapMs = startMs - (starts[index] ?? Number.NaN)
      expect(gapMs).toBeGreaterThanOrEqual(10_000 - TICK_MS)
      expect(gapMs).toBeLessThanOrEqual(10_000 + 2 * TICK_MS)
    }
  })

  test('a target in doubt is attempted after the fast period, counted from the start of the attempt', async () => {
    const world = new Simulation(10, () => ({ afterMs: 400, outcome: failed('down') }))
    world.start(target('a', { failureThreshold: 3 }), settledWell)
    await world.advance(2_000 + 4 * TICK_MS)
    const [first = 0, second = 0, third = 0] = world.startsOf('a')
    for (const gapMs of [second - first, third - second]) {
      expect(gapMs).toBeGreaterThanOrEqual(1000)
      expect(gapMs).toBeLessThanOrEqual(1000 + 2 * TICK_MS)
    }
  })

  const shapes = [
    { name: 'that refuses', answer: refusesAtOnce, timeouts: 0 },
    { name: 'that is silent', answer: 'silent', timeouts: 3 },
    { name: 'whose prober hangs', answer: 'hung', timeouts: 3 * 3 },
  ] as const
  for (const { name, answer, timeouts } of shapes) {
    test(`a host ${name} is out after one period, two fast periods and its timeouts at most`, async () => {
      let diedMs = Number.POSITIVE_INFINITY
      const world = new Simulation(10, (_, nowMs) => (nowMs < diedMs ? answersAtOnce : answer))
      world.start(target('a'), settledWell)
      await world.advance(25_000)
      // Just after an attempt: the worst moment to die.
      diedMs = (world.startsOf('a').at(-1) ?? Number.NaN) + 1
      await world.advance(60_000)
      const out = world.reports.find(({ health }) => health.verdict === 'unhealthy')
      const tookMs = (out?.atMs ?? Number.NaN) - diedMs
      expect(tookMs).toBeGreaterThan(2_000)
      expect(tookMs).toBeLessThanOrEqual(12_000 + timeouts * 1000 + 12 * TICK_MS)
    })
  }

  test('a blip shorter than failureThreshold attempts removes nobody', async () => {
    const bad = { fromMs: ORIGIN_MS + 30_000, toMs: ORIGIN_MS + 41_500 }
    const world = new Simulation(10, (_, nowMs) =>
      nowMs >= bad.fromMs && nowMs < bad.toMs ? refusesAtOnce : answersAtOnce,
    )
    world.start(target('a', { failureThreshold: 20 }), settledWell)
    await world.advance(60_000)
    const results = world.reports.map(({ attempt }) => attempt.outcome.result)
    expect(results).toContain('failed')
    expect(world.reports.map(({ health }) => health.verdict)).not.toContain('unhealthy')
  })

  test('ten thousand settled targets make an even load', async () => {
    const world = new Simulation(10_000, () => answersAtOnce)
    for (const key of keys(10_000)) world.start(target(key), settledWell)
    await world.advance(20_000)
    const fromMs = world.nowMs
    await world.advance(10_000)
    const perSecond = new Map<number, number>()
    for (const { startMs } of world.seen) {
      const second = Math.floor((startMs - fromMs) / 1000)
      if (second >= 0) perSecond.set(second, (perSecond.get(second) ?? 0) + 1)
    }
    const loads = [...perSecond.values()]
    expect(loads).toHaveLength(10)
    expect(loads.reduce((sum, load) => sum + load)).toBe(10_000)
    // 1,000 a second is even; the standard deviation of chance is 30.
    for (const load of loads) expect(Math.abs(load - 1000)).toBeLessThan(150)
  })

  test('a target without a probe is never attempted and always healthy', async () => {
    const world = new Simulation(10, () => answersAtOnce)
    const check = world.start(target('a', { probe: undefined }), seed('unhealthy', 7, 'down'))
    expect(check.health).toEqual(seed('healthy', world.wallMs(), ''))
    await world.advance(30_000)
    expect(world.seen).toEqual([])
    expect(world.timerMs).toBeUndefined()
  })

  test('a target without a probe that is healthy already keeps its time', () => {
    const world = new Simulation(10, () => answersAtOnce)
    const known = seed('healthy', 7, '')
    expect(world.start(target('a', { probe: undefined }), known).health).toBe(known)
  })

  test('an idle scheduler with work far ahead wakes about once a second', async () => {
    const world = new Simulation(10, () => answersAtOnce)
    world.start(target('a', { periodMs: 86_400_000 }), settledWell)
    await world.advance(5_000)
    const before = world.ticks
    await world.advance(30_000)
    expect(world.ticks - before).toBeGreaterThanOrEqual(28)
    expect(world.ticks - before).toBeLessThanOrEqual(32)
  })
})

describe('what is reported', () => {
  const rows = [
    { name: 'ok', answer: { afterMs: 30, outcome: ok }, told: ok, durationMs: 30 },
    {
      name: 'a failure with its reason',
      answer: { afterMs: 30, outcome: failed('HTTP 503') },
      told: failed('HTTP 503'),
      durationMs: 30,
    },
    {
      name: 'unknown with its reason',
      answer: { afterMs: 30, outcome: unknown('no route to host') },
      told: unknown('no route to host'),
      durationMs: 30,
    },
    {
      name: 'a prober that rejects',
      answer: 'rejects',
      told: unknown('the prober broke (TypeError)'),
    },
    {
      name: 'a prober that throws',
      answer: 'throws',
      told: unknown('the prober broke (TypeError)'),
    },
    { name: 'silence', answer: 'silent', told: failed('timeout after 1s') },
    { name: 'a prober that hangs', answer: 'hung', told: failed('timeout after 1s') },
    {
      name: 'an answer long after the timeout',
      answer: { afterMs: 1500, outcome: ok },
      told: failed('timeout after 1s'),
    },
    {
      name: 'an answer just before the timeout',
      answer: { afterMs: 999, outcome: ok },
      told: ok,
      durationMs: 999,
    },
  ] as const
  for (const { name, answer, told, ...more } of rows) {
    test(`the outcome of ${name} is ${told.result}${'reason' in told ? ` (${told.reason})` : ''}`, async () => {
      const world = new Simulation(10, () => answer)
      world.start(target('a'), settledWell)
      await world.advance(4_000)
      const [report] = world.reports
      expect(report?.attempt.outcome).toEqual(told)
      if ('durationMs' in more) expect(report?.attempt.durationMs).toBe(more.durationMs)
    })
  }

  test('a timeout is told with the seconds that it had, even if the target was given others meanwhile', async () => {
    const world = new Simulation(10, () => 'silent')
    const check = world.start(target('a', { timeoutMs: 2_000 }), settledWell)
    await world.advance(1_000)
    world.scheduler.update(check, target('a', { timeoutMs: 5_000 }))
    await world.advance(1_500)
    expect(world.reports.map(({ attempt }) => attempt.outcome)).toEqual([
      failed('timeout after 2s'),
    ])
  })

  test('a timeout ends between the timeout and two ticks later', async () => {
    const world = new Simulation(10, () => 'silent')
    world.start(target('a', { timeoutMs: 3_000 }), settledWell)
    await world.advance(4_000)
    const durationMs = world.reports[0]?.attempt.durationMs
    expect(durationMs).toBeGreaterThanOrEqual(3_000)
    expect(durationMs).toBeLessThanOrEqual(3_000 + 2 * TICK_MS)
  })

  test('the health before and the health after are both told, and the time is that of the day', async () => {
    const world = new Simulation(10, () => refusesAtOnce)
    world.start(target('a', { failureThreshold: 1 }), settledWell)
    await world.advance(200)
    const [report] = world.reports
    expect(report?.before).toEqual(settledWell)
    expect(report?.health).toMatchObject({ verdict: 'unhealthy', reason: 'connect ECONNREFUSED' })
    expect(report?.health.sinceMs).toBe(world.wallMs() - (world.nowMs - (report?.atMs ?? 0)))
  })

  test('a listener that throws crashes loudly, and the others go on if the process does', async () => {
    // A process of its own: the test runner takes every unhandled rejection for its failure.
    const script = `
      import { Scheduler } from ${JSON.stringify(import.meta.resolve('../../probes/scheduler.ts'))}
      let crashes = 0
      process.on('unhandledRejection', () => { crashes++ })
      const health = { verdict: 'healthy', sinceMs: 0, reason: '', last: 'ok', run: 1, rival: undefined }
      const target = { probe: { kind: 'tcp' }, timeoutMs: 1000, periodMs: 60, fastPeriodMs: 60, successThreshold: 1, failureThreshold: 1 }
      const scheduler = new Scheduler({ questionOf: () => ({ ask(asker) { queueMicrotask(() => asker.hear({ result: 'ok' })); return { cancel() {} } } }), inFlightMax: 1 })
      scheduler.start('bad', target, health, { onOutcome() { throw new Error('the listener threw') } })
      let reports = 0
      scheduler.start('good', target, health, { async onOutcome() {
        if (++reports < 3) return
        console.log(crashes > 0)
        process.exit(0)
      } })`
    const { stdout, exited } = Bun.spawn([process.execPath, '-e', script], { stderr: 'inherit' })
    expect(await new Response(stdout).text()).toBe('true\n')
    expect(await exited).toBe(0)
  })
})

describe('bounds', () => {
  test('no more than inFlightMax attempts run at once, and all have their turn', async () => {
    const world = new Simulation(7, () => ({ afterMs: 90, outcome: ok }))
    for (const key of keys(100)) world.start(target(key), settledWell)
    await world.advance(3_000)
    expect(world.inFlightPeak).toBe(7)
    expect(new Set(world.seen.map(({ target: { key } }) => key)).size).toBe(100)
    expect(world.scheduler.stats()).toMatchObject({ inFlight: 0, waiting: 0 })
  })

  test('who waits longest goes first', async () => {
    const world = new Simulation(1, () => ({ afterMs: 10, outcome: ok }))
    for (const key of keys(20)) world.start(target(key), settledWell)
    await world.advance(1_000)
    expect(world.seen.slice(0, 20).map(({ target: { key } }) => key)).toEqual(keys(20))
  })

  const shares = [
    { inFlightMax: 1, failing: 1 },
    { inFlightMax: 2, failing: 1 },
    { inFlightMax: 3, failing: 2 },
    { inFlightMax: 4, failing: 3 },
    { inFlightMax: 100, failing: 75 },
  ]
  for (const { inFlightMax, failing } of shares) {
    test(`of ${inFlightMax} places failing hosts hold at most ${failing}`, async () => {
      const world = new Simulation(inFlightMax, () => 'silent')
      for (const key of keys(200)) world.start(target(key, { timeoutMs: 60_000 }), settledOut)
      await world.advance(5_000)
      expect(world.inFlight).toBe(failing)
      expect(world.scheduler.stats()).toMatchObject({ inFlight: failing, waiting: 200 - failing })
    })
  }

  test('a host that failed once and is still believed counts as failing', async () => {
    const world = new Simulation(4, () => 'silent')
    const doubted: Health = { ...settledWell, last: 'failed', run: 1 }
    for (const key of keys(10)) world.start(target(key, { timeoutMs: 60_000 }), doubted)
    await world.advance(1_000)
    expect(world.inFlight).toBe(3)
  })

  test('hundreds of blackholed hosts delay no well host by more than a few ticks', async () => {
    const world = new Simulation(20, ({ key }) =>
      key.startsWith('hole') ? 'silent' : answersAtOnce,
    )
    for (const key of keys(500, 'hole')) world.start(target(key), settledOut)
    for (const key of keys(50)) world.start(target(key), settledWell)
    await world.advance(60_000)
    for (const key of keys(50)) {
      const [, ...starts] = world.startsOf(key)
      expect(starts.length).toBeGreaterThanOrEqual(5)
      for (const [index, startMs] of starts.slice(1).entries()) {
        expect(startMs - (starts[index] ?? 0)).toBeLessThanOrEqual(10_000 + 3 * TICK_MS)
      }
    }
    expect(world.inFlightPeak).toBeLessThanOrEqual(20)
  })

  test('a hung prober gives its place back, and its own target goes on', async () => {
    const world = new Simulation(2, ({ key }) => (key.startsWith('hung') ? 'hung' : answersAtOnce))
    for (const key of keys(2, 'hung')) world.start(target(key), settledWell)
    world.start(target('well'), settledWell)
    await world.advance(60_000)
    expect(world.reportsOf('well').length).toBeGreaterThanOrEqual(5)
    expect(world.reportsOf('hung-0').length).toBeGreaterThanOrEqual(3)
    expect(world.reportsOf('hung-0').at(-1)?.health.verdict).toBe('unhealthy')
  })

  test('what a prober says after it was given up is not counted', async () => {
    let nowMs = ORIGIN_MS
    const askers: Asker[] = []
    const reported: string[] = []
    const scheduler = new Scheduler({
      questionOf: () => ({
        ask: (asker) => {
          askers.push(asker)
          return { cancel() {} }
        },
      }),
      inFlightMax: 1,
      monotonicMs: () => nowMs,
      setTimer: () => () => {},
    })
    scheduler.start('a', target('a'), settledWell, {
      onOutcome: (_, { outcome }) => void reported.push(outcome.result),
    })
    for (const endMs = nowMs + 3_700; nowMs < endMs; nowMs += TICK_MS) scheduler.tick()
    expect(askers).toHaveLength(2)
    expect(reported).toEqual(['failed'])
    askers[0]?.hear(ok)
    await Bun.sleep(0)
    expect(reported).toEqual(['failed'])
    askers[1]?.hear(ok)
    await Bun.sleep(0)
    expect(reported).toEqual(['failed', 'ok'])
  })

  test('there are never two attempts at once on one target, whatever is done to it', async () => {
    const world = new Simulation(5, (_, nowMs) =>
      nowMs % 3 === 0 ? 'silent' : { afterMs: 700, outcome: nowMs % 2 === 0 ? ok : failed('down') },
    )
    const checks = keys(20).map((key) => world.start(target(key)))
    for (let round = 0; round < 600; round++) {
      await world.advance(37)
      const check = checks[round % checks.length]
      if (check) world.scheduler.update(check, target(check.id, { timeoutMs: 1000 + round }))
    }
    expect(world.seen.length).toBeGreaterThan(50)
    expect(world.overlaps).toEqual([])
  })

  test('a tick costs what is due, not what is watched', async () => {
    const world = new Simulation(10, () => answersAtOnce)
    const checks = keys(2_000).map((key) =>
      world.start(target(key, { periodMs: 86_400_000 }), settledWell),
    )
    await world.advance(10_000)
    let looks = 0
    for (const check of checks) {
      let { slot } = check
      Object.defineProperty(check, 'slot', {
        get: () => {
          looks++
          return slot
        },
        set: (value) => {
          slot = value
        },
      })
    }
    // 50 s, in which about one of the 2,000 is due.
    for (let tick = 0; tick < 1_000; tick++) {
      world.nowMs += TICK_MS
      world.scheduler.tick()
    }
    expect(looks).toBeLessThan(50)
  })
})

describe('a stall', () => {
  const orders = ['the tick', 'the answers'] as const

  for (const first of orders) {
    test(`makes failures that arrive after it unknown, when ${first} come first`, async () => {
      const world = new Simulation(100, () => ({ afterMs: 500, outcome: failed('down') }))
      for (const key of keys(50)) world.start(target(key), settledWell)
      await world.advance(2 * TICK_MS)
      expect(world.inFlight).toBe(50)
      await world.stall(20_000, first)
      expect(world.reports).toHaveLength(50)
      for (const { attempt } of world.reports) expect(attempt.outcome).toEqual(STOOD_STILL)
      expect(world.scheduler.stats().stalls).toBe(1)
    })

    test(`makes timeouts unknown, when ${first} come first`, async () => {
      const world = new Simulation(100, () => 'silent')
      for (const key of keys(50)) world.start(target(key), settledWell)
      await world.advance(2 * TICK_MS)
      await world.stall(20_000, first)
      await world.advance(2 * TICK_MS)
      const first50 = world.reports.slice(0, 50)
      expect(first50).toHaveLength(50)
      for (const { attempt } of first50) expect(attempt.outcome).toEqual(STOOD_STILL)
    })

    test(`makes no burst, when ${first} come first`, async () => {
      const world = new Simulation(1_000, () => answersAtOnce)
      for (const key of keys(1_000)) world.start(target(key), settledWell)
      await world.advance(20_000)
      const attempted = world.seen.length
      await world.stall(20_000, first)
      await world.advance(TICK_MS)
      // In two ticks ten targets are due at the usual pace of a hundred a second.
      expect(world.seen.length - attempted).toBeLessThanOrEqual(30)
      await world.advance(10_000)
      expect(world.seen.length - attempted).toBeGreaterThanOrEqual(1_000)
    })
  }

  test('leaves what answered ok believed', async () => {
    for (const first of orders) {
      const world = new Simulation(10, () => ({ afterMs: 500, outcome: ok }))
      world.start(target('a'))
      await world.advance(2 * TICK_MS)
      // Less than the timeout: with the tick first, a longer stall ends the attempt unknown.
      await world.stall(800, first)
      expect(world.reports[0]?.attempt.outcome).toEqual(ok)
      expect(world.reports[0]?.health.verdict).toBe('healthy')
    }
  })

  test('changes no verdict, however often it comes', async () => {
    const world = new Simulation(100, () => 'silent')
    for (const key of keys(30))
      world.start(target(key, { failureThreshold: 1, periodMs: 2_000 }), settledWell)
    for (let round = 0; round < 40; round++) {
      await world.advance(300)
      await world.stall(2_000, round % 2 === 0 ? 'the tick' : 'the answers')
    }
    expect(world.reports.length).toBeGreaterThan(100)
    expect(new Set(world.reports.map(({ health }) => health.verdict))).toEqual(new Set(['healthy']))
  })

  const lateness = [
    { lateMs: STALL_MS, outcome: failed('timeout after 1s'), stalls: 0 },
    { lateMs: STALL_MS + 1, outcome: STOOD_STILL, stalls: 1 },
  ]
  for (const { lateMs, outcome, stalls } of lateness) {
    test(`a tick that is ${lateMs} ms late makes a timeout ${outcome.result}`, async () => {
      const world = new Simulation(10, () => 'silent')
      world.start(target('a'), settledWell)
      await world.advance(1_000)
      expect(world.reports).toEqual([])
      const dueMs = world.timerMs ?? Number.NaN
      await world.stall(dueMs - world.nowMs + lateMs, 'the tick')
      await world.advance(2 * TICK_MS)
      expect(world.reports[0]?.attempt.outcome).toEqual(outcome)
      expect(world.scheduler.stats().stalls).toBe(stalls)
    })
  }

  test('of a sleeping scheduler is told from its sleep', async () => {
    const world = new Simulation(10, () => answersAtOnce)
    world.start(target('a', { periodMs: 86_400_000 }), settledWell)
    await world.advance(60_000)
    expect(world.scheduler.stats()).toMatchObject({ stalls: 0, overdueMs: 0, latenessMs: 0 })
    await world.stall(20_000, 'the tick')
    expect(world.scheduler.stats().stalls).toBe(1)
  })

  test('shows as overdue while it lasts', async () => {
    const world = new Simulation(10, () => 'silent')
    world.start(target('a'), settledWell)
    await world.advance(200)
    world.nowMs += 5_000
    expect(world.scheduler.stats().overdueMs).toBeGreaterThan(4_900)
  })

  test('a process whose every tick is late goes on probing', async () => {
    const world = new Simulation(100, () => answersAtOnce)
    for (const key of keys(20)) world.start(target(key), settledWell)
    for (let round = 0; round < 300; round++) await world.stall(400, 'the tick')
    for (const key of keys(20)) {
      // 120 s at a period of 10 s: a third of the twelve attempts is the least.
      expect(world.startsOf(key).length).toBeGreaterThanOrEqual(4)
    }
  })
})

describe('hurry()', () => {
  test('attempts now what is due later, and leaves its phase as it was', async () => {
    const world = new Simulation(10, () => answersAtOnce)
    const check = world.start(target('a'), settledWell)
    await world.advance(20_000)
    const [last = 0] = world.startsOf('a').slice(-1)
    await world.advance(last + 5_000 - world.nowMs)
    world.scheduler.hurry([check])
    await world.advance(0)
    await world.advance(10_000)
    const [hurried = 0, next = 0] = world.startsOf('a').slice(-2)
    expect(hurried).toBe(last + 5_000)
    expect(Math.abs(next - (last + 10_000))).toBeLessThanOrEqual(TICK_MS)
  })

  test('takes a portion in each tick', async () => {
    const world = new Simulation(10_000, () => answersAtOnce)
    const checks = keys(600).map((key) => world.start(target(key), settledWell))
    await world.advance(20_000)
    const before = world.seen.length
    // Nobody's phase is near: what comes within three ticks was hurried, but for a few.
    world.scheduler.hurry(checks)
    await world.advance(0)
    const atOnce = world.seen.length - before
    expect(atOnce).toBeGreaterThan(200)
    expect(atOnce).toBeLessThanOrEqual(256)
    await world.advance(3 * TICK_MS)
    expect(world.seen.length - before).toBeGreaterThan(590)
  })

  test('tells when the last of them had its portion', async () => {
    const world = new Simulation(10_000, () => answersAtOnce)
    const checks = keys(600).map((key) => world.start(target(key), settledWell))
    await world.advance(20_000)
    const first = world.scheduler.hurry(checks.slice(0, 256))
    const last = world.scheduler.hurry(checks.slice(256))
    expect(first.askedMs).toBe(world.nowMs)
    expect(last.askedMs).toBeUndefined()
    await world.advance(2 * TICK_MS)
    expect(last).toMatchObject({ sinceMs: world.nowMs - 2 * TICK_MS, queued: 0 })
    expect(last.askedMs).toBeWithin(last.sinceMs + 1, world.nowMs + 1)
  })

  test('asks again, once, those whose attempt said nothing as the process stood still', async () => {
    let answer: Answer = answersAtOnce
    const world = new Simulation(10, () => answer)
    const daily = { periodMs: 86_400_000 }
    const checks = keys(3).map((key) => world.start(target(key, daily), settledWell))
    await world.advance(1_000)
    answer = { afterMs: 30, outcome: failed('down') }
    world.scheduler.hurry(checks)
    await world.advance(0)
    await world.stall(400, 'the tick')
    expect(world.reports.slice(3).map(({ attempt }) => attempt.outcome)).toEqual(
      Array(3).fill(STOOD_STILL),
    )
    await world.advance(TICK_MS)
    expect(world.seen).toHaveLength(9)
    await world.stall(400, 'the tick')
    expect(world.reports).toHaveLength(9)
    await world.advance(1_000)
    expect(world.seen).toHaveLength(9)
  })

  test('is kept to until they are settled: what a stall made them miss comes with the next portion', async () => {
    let answer: Answer = answersAtOnce
    const world = new Simulation(1_000, () => answer)
    const daily = { periodMs: 86_400_000, failureThreshold: 3 }
    const checks = keys(300).map((key) => world.start(target(key, daily), settledWell))
    await world.advance(1_000)
    answer = refusesAtOnce
    world.scheduler.hurry(checks)
    await world.advance(100)
    const before = world.seen.length
    await world.stall(2_000, 'the tick')
    expect(world.seen.length - before).toBe(256)
    await world.advance(TICK_MS)
    expect(world.seen.length - before).toBe(300)
  })

  test('begins no second attempt, and none on a check that was stopped', async () => {
    const world = new Simulation(10, () => 'silent')
    const busy = world.start(target('busy'), settledWell)
    const stopped = world.start(target('stopped'), settledWell)
    world.scheduler.stop(stopped)
    await world.advance(TICK_MS)
    world.scheduler.hurry([busy, stopped])
    await world.advance(0)
    expect(world.startsOf('busy')).toHaveLength(1)
    expect(world.startsOf('stopped')).toEqual([])
    expect(world.overlaps).toEqual([])
  })
})

describe('stop(), update() and close()', () => {
  test('stop() aborts what runs and reports it no more', async () => {
    const world = new Simulation(10, () => 'silent')
    const check = world.start(target('a'), settledWell)
    await world.advance(200)
    expect(world.inFlight).toBe(1)
    world.scheduler.stop(check)
    expect(world.inFlight).toBe(0)
    await world.advance(60_000)
    expect(world.reports).toEqual([])
    expect(world.startsOf('a')).toHaveLength(1)
    expect(world.timerMs).toBeUndefined()
  })

  test('stop() of the last check lets the scheduler sleep for good', async () => {
    const world = new Simulation(10, () => answersAtOnce)
    const check = world.start(target('a', { periodMs: 3_600_000 }), settledWell)
    await world.advance(5_000)
    world.scheduler.stop(check)
    await world.advance(2_000)
    expect(world.timerMs).toBeUndefined()
  })

  test('stop() takes a check that waits for its turn out of the queue', async () => {
    const world = new Simulation(1, () => ({ afterMs: 500, outcome: ok }))
    world.start(target('a'), settledWell)
    const waiting = world.start(target('b'), settledWell)
    world.start(target('c'), settledWell)
    await world.advance(200)
    world.scheduler.stop(waiting)
    await world.advance(2_000)
    expect(world.startsOf('b')).toEqual([])
    expect(world.startsOf('c')).toHaveLength(1)
  })

  test('stop() in the middle of a report is kept to', async () => {
    const world = new Simulation(10, () => answersAtOnce)
    let reports = 0
    world.scheduler.start('a', target('a'), settledWell, {
      onOutcome(check) {
        reports++
        world.scheduler.stop(check)
      },
    })
    await world.advance(60_000)
    expect(reports).toBe(1)
    expect(world.startsOf('a')).toHaveLength(1)
  })

  test('a stopped check is not brought back by update()', async () => {
    const world = new Simulation(10, () => answersAtOnce)
    const check = world.start(target('a'), settledWell)
    world.scheduler.stop(check)
    world.scheduler.update(check, target('a'))
    await world.advance(30_000)
    expect(world.seen).toEqual([])
  })

  test('update() attempts at once, in the new form, and keeps the health', async () => {
    const world = new Simulation(10, () => answersAtOnce)
    const check = world.start(target('a', { periodMs: 3_600_000 }), settledWell)
    await world.advance(5_000)
    const { health } = check
    const form = target('a', { periodMs: 3_600_000, probe: { kind: 'grpc', service: '' } })
    world.scheduler.update(check, form)
    expect(check.health).toBe(health)
    await world.advance(2 * TICK_MS)
    expect(world.seen).toHaveLength(2)
    expect(world.seen[1]?.target).toBe(form)
  })

  test('update() while an attempt runs begins no second one', async () => {
    const world = new Simulation(10, () => ({ afterMs: 800, outcome: ok }))
    const check = world.start(target('a'), settledWell)
    await world.advance(200)
    world.scheduler.update(check, target('a', { periodMs: 5_000 }))
    await world.advance(300)
    expect(world.startsOf('a')).toHaveLength(1)
    await world.advance(7_000)
    expect(world.startsOf('a').length).toBeGreaterThanOrEqual(2)
    expect(world.overlaps).toEqual([])
  })

  test('update() to no probe makes the host healthy at once and ends its attempts', async () => {
    const world = new Simulation(10, () => refusesAtOnce)
    const check = world.start(target('a'), settledOut)
    await world.advance(200)
    world.scheduler.update(check, target('a', { probe: undefined }))
    expect(check.health).toEqual(seed('healthy', world.wallMs(), ''))
    const { length } = world.seen
    await world.advance(30_000)
    expect(world.seen).toHaveLength(length)
    expect(check.health.verdict).toBe('healthy')
  })

  test('an attempt that runs while its probe is taken away is not counted', async () => {
    const world = new Simulation(10, () => ({ afterMs: 800, outcome: failed('down') }))
    const check = world.start(target('a', { failureThreshold: 1 }), settledWell)
    await world.advance(200)
    world.scheduler.update(check, target('a', { probe: undefined }))
    await world.advance(5_000)
    expect(world.reports).toEqual([])
    expect(check.health.verdict).toBe('healthy')
  })

  test('a probe that comes back is attempted again', async () => {
    const world = new Simulation(10, () => answersAtOnce)
    const check = world.start(target('a', { probe: undefined }), settledWell)
    await world.advance(1_000)
    world.scheduler.update(check, target('a'))
    await world.advance(2 * TICK_MS)
    expect(world.startsOf('a')).toHaveLength(1)
  })

  test('close() aborts what runs, returns when it has ended, and reports nothing', async () => {
    const world = new Simulation(10, () => 'silent')
    for (const key of keys(5)) world.start(target(key), settledWell)
    await world.advance(200)
    expect(world.inFlight).toBe(5)
    await world.scheduler.close()
    expect(world.inFlight).toBe(0)
    expect(world.timerMs).toBeUndefined()
    expect(world.reports).toEqual([])
  })

  test('close() does not wait for ever for a prober that hangs', async () => {
    const world = new Simulation(10, () => 'hung')
    world.start(target('a'), settledWell)
    await world.advance(200)
    expect(world.inFlight).toBe(1)
    await world.scheduler.close()
    expect(world.reports).toEqual([])
  })

  test('after close() nothing begins any more', async () => {
    const world = new Simulation(10, () => answersAtOnce)
    const check = world.start(target('a'), settledWell)
    await world.scheduler.close()
    world.scheduler.tick()
    world.start(target('b'), settledWell)
    world.scheduler.update(check, target('a', { timeoutMs: 5_000 }))
    world.scheduler.tick()
    await world.advance(30_000)
    expect(world.seen).toEqual([])
    expect(world.timerMs).toBeUndefined()
  })

  test('the real timer ticks when none is given', async () => {
    const { promise, resolve } = Promise.withResolvers<string>()
    const scheduler = new Scheduler({ questionOf: () => answered(ok), inFlightMax: 1 })
    scheduler.start('a', target('a'), settledWell, { onOutcome: ({ id }) => resolve(id) })
    expect(await promise).toBe('a')
    await scheduler.close()
  })
})

test.each([
  ['counts', true, ok],
  ['that never comes does not', false, failed('timeout after 1s')],
] as const)(
  'an answer that nobody had looked for before the time was up %s',
  async (_, isThere, told) => {
    let nowMs = 0
    let arrive = () => {}
    const outcomes: Outcome[] = []
    const scheduler = new Scheduler({
      monotonicMs: () => nowMs,
      wallMs: () => nowMs,
      setTimer: () => () => {},
      takeIn: () => {
        if (isThere && nowMs >= 1_000) arrive()
      },
      inFlightMax: 1,
      questionOf: () => ({
        ask: (asker) => {
          arrive = () => asker.hear(ok)
          return { cancel: () => asker.hear(unknown('aborted')) }
        },
      }),
    })
    const target: Target = {
      ...{ key: 'k', host: '127.0.0.1', port: 1, probe: { kind: 'tcp' }, timeoutMs: 1_000 },
      ...{ periodMs: 10_000, fastPeriodMs: 1_000, successThreshold: 1, failureThreshold: 1 },
    }
    scheduler.start('x', target, seed('healthy', 0, ''), {
      onOutcome: (_, { outcome }) => void outcomes.push(outcome),
    })
    for (; nowMs <= 1_200; nowMs += TICK_MS) {
      scheduler.tick()
      await Bun.sleep(0)
    }
    expect(outcomes).toEqual([told])
  },
)

/** After a turn of the event loop. */
function afterAllElse(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

describe('a crowd', () => {
  /** 500 hosts that are due at once and answer when they are looked at; each attempt takes `eachMs` to begin. */
  function crowd(eachMs: number) {
    let nowMs = 0
    const seen = { begun: 0, atOnceMax: 0 }
    let underway: Asker[] = []
    let isLooking = false
    // As a poller does: what comes while it hands out is for the next look.
    const takeIn = () => {
      if (isLooking) return
      isLooking = true
      const over = underway
      underway = []
      for (const asker of over) asker.hear(ok)
      isLooking = false
    }
    const scheduler = new Scheduler({
      monotonicMs: () => nowMs,
      wallMs: () => nowMs,
      setTimer: () => () => {},
      takeIn,
      inFlightMax: 1_000,
      questionOf: () => ({
        ask: (asker) => {
          nowMs += eachMs
          seen.begun++
          underway.push(asker)
          seen.atOnceMax = Math.max(seen.atOnceMax, underway.length)
          return { cancel() {} }
        },
      }),
    })
    const nobody = { onOutcome() {} }
    const checks = keys(500).map((key) => scheduler.start(key, target(key), settledWell, nobody))
    nowMs = TICK_MS
    scheduler.tick()
    return { seen, takeIn, scheduler, checks }
  }

  test('is begun in portions, each when what has come of the one before was taken in', () => {
    const { seen } = crowd(0)
    expect(seen.begun).toBe(500)
    expect(seen.atOnceMax).toBeLessThanOrEqual(32)
  })

  test.each([
    [1, 32],
    [0.2, 64],
  ])(
    'of which each takes %p ms lets all else have its turn after %p of them',
    async (eachMs, portion) => {
      const { seen, takeIn } = crowd(eachMs)
      expect(seen.begun).toBe(portion)
      while (seen.begun < 500) {
        const before = seen.begun
        takeIn()
        await Promise.resolve()
        expect(seen.begun).toBe(before)
        await afterAllElse()
        expect(seen.begun).toBeGreaterThan(before)
        expect(seen.begun).toBeLessThanOrEqual(before + portion)
      }
    },
  )

  test('that takes long goes on though nobody of it is over', async () => {
    const { seen } = crowd(1)
    while (seen.begun < 500) {
      const before = seen.begun
      await afterAllElse()
      expect(seen.begun).toBeGreaterThan(before)
    }
  })

  test('of which nobody is left but those that were stopped loses no other', async () => {
    const { seen, scheduler, checks } = crowd(1)
    for (const check of checks.slice(0, -1)) scheduler.stop(check)
    const before = seen.begun
    for (let turn = 0; turn < 20; turn++) await afterAllElse()
    expect(seen.begun).toBe(before + 1)
    expect(scheduler.stats().waiting).toBe(0)
  })

  test('of failing hosts that were stopped while they waited leaves their places to others', async () => {
    const world = new Simulation(1, () => ({ afterMs: 10, outcome: failed('refused') }))
    const checks = keys(50).map((key) => world.start(target(key), settledOut))
    await world.advance(TICK_MS)
    for (const check of checks.slice(1, -1)) world.scheduler.stop(check)
    await world.advance(20)
    expect(world.startsOf('host-0')).toHaveLength(1)
    expect(world.startsOf('host-49')).toHaveLength(1)
  })

  test('is prefetched as a whole before the first of it is asked', async () => {
    let nowMs = 0
    let order: string[] = []
    const note = (what: string) => () => order.push(what)
    const scheduler = new Scheduler({
      monotonicMs: () => nowMs,
      setTimer: () => () => {},
      inFlightMax: 100,
      questionOf: () => ({
        ask: (asker) => {
          order.push('ask')
          queueMicrotask(() => asker.hear({ result: 'ok' }))
          return { cancel() {} }
        },
        prefetch: note('question'),
      }),
    })
    const listener = { onOutcome() {}, prefetch: note('listener') }
    for (const key of keys(40)) {
      scheduler.start(key, target(key, { periodMs: TICK_MS }), settledWell, listener)
    }
    const nextRound = async () => {
      order = []
      nowMs += TICK_MS
      scheduler.tick()
      await Bun.sleep(0)
      return order
    }
    const times = (count: number, ...what: readonly string[]) =>
      Array.from({ length: count }, () => what).flat()
    // A question is made when it is asked for the first time.
    expect(await nextRound()).toEqual([
      ...[...times(32, 'listener'), ...times(32, 'ask')],
      ...[...times(8, 'listener'), ...times(8, 'ask')],
    ])
    expect(await nextRound()).toEqual([
      ...[...times(32, 'question', 'listener'), ...times(32, 'ask')],
      ...[...times(8, 'question', 'listener'), ...times(8, 'ask')],
    ])
  })

  test('is begun no further once the scheduler is closed', async () => {
    const { seen, scheduler, takeIn } = crowd(1)
    const before = seen.begun
    const closed = scheduler.close()
    takeIn()
    await closed
    await afterAllElse()
    expect(seen.begun).toBe(before)
  })

  test.each([
    ['new', seed('unhealthy', 0, '')],
    ['failing', settledOut],
  ])('of well hosts that never ends leaves a turn for one that is %s', async (_, first) => {
    const world = new Simulation(1, () => ({ afterMs: 100, outcome: ok }))
    for (const key of keys(1_000)) world.start(target(key), settledWell)
    await world.advance(20_000)
    world.start(target('late'), first)
    await world.advance(1_000)
    expect(world.startsOf('late').length).toBeGreaterThan(0)
  })

  test.each([
    // The well ones need half of the places, or less.
    [20, 50, 200, 100],
    [20, 100, 100, 1_000],
    [100, 400, 100, 400],
  ])(
    'of silent hosts beside it costs a backlog none of the places it needs: %p places, %p hosts of %p ms, %p silent',
    async (places, well, latencyMs, silent) => {
      const world = new Simulation(places, ({ key }) =>
        key.startsWith('silent') ? 'silent' : { afterMs: latencyMs, outcome: ok },
      )
      const eachSecond = { periodMs: 1_000 }
      for (const key of keys(silent, 'silent')) world.start(target(key, eachSecond), settledOut)
      for (const key of keys(well)) world.start(target(key, eachSecond), settledWell)
      await world.advance(5_000)
      const counted = (name: string) =>
        world.seen.filter(({ target: { key } }) => key.startsWith(name)).length
      const before = { well: counted('host'), silent: counted('silent') }
      await world.advance(20_000)
      expect((counted('host') - before.well) / 20).toBeGreaterThan(well * 0.95)
      expect((counted('silent') - before.silent) / 20).toBeGreaterThanOrEqual(places / 4 - 1)
    },
  )

  test('of both kinds is begun three well ones to one that fails', async () => {
    const world = new Simulation(100, () => answersAtOnce)
    for (const key of keys(40, 'failing')) world.start(target(key), settledOut)
    for (const key of keys(40)) world.start(target(key), settledWell)
    await world.advance(TICK_MS)
    const kinds = world.seen.map(({ target: { key } }) => key.startsWith('failing'))
    expect(kinds).toHaveLength(80)
    for (let at = 0; at < 40; at += 4) {
      expect(kinds.slice(at, at + 4).filter((isFailing) => isFailing)).toHaveLength(1)
    }
  })
})
