// The tick scheduler: one timer for all targets. It decides when to attempt, bounds how many attempts
// run at once, ends those that are late, and distrusts what happened while the process stood still.

import { type Placed, putIn, takeOut } from './bag.ts'
import { Fifo } from './fifo.ts'
import { type Health, isInDoubt, observe, seed } from './health.ts'
import { dueAfterStallMs, nextDueMs, phaseOf } from './schedule.ts'
import {
  type Asker,
  failed,
  type Outcome,
  type Prefetched,
  type Question,
  type Target,
  type Underway,
  unknown,
} from './target.ts'
import { type Slotted, Wheel } from './wheel.ts'

/** One target under watch. Read it freely; only the scheduler writes it. */
export type Check = Slotted & {
  readonly id: string
  readonly phase: number
  target: Target
  /** What `target` is asked; undefined until it is for the first time. */
  question: Question | undefined
  health: Health
  /** Set while an attempt runs or waits for its turn: never two at once on one target. */
  isBusy: boolean
  /** Since it was enqueued last: whether it waits among those that are failing, and takes one of their places. */
  isFailing: boolean
  isStopped: boolean
  /** Set while it is hurried, until it is settled again. */
  hurry: Hurry | undefined
  readonly listener: Listener
}

/** Who wants to know of a target. An object for which nothing more is to be fetched from memory than itself. */
export type Listener = Prefetched & {
  /** Told after each attempt; `before` is the health that the outcome met. */
  onOutcome(check: Check, attempt: Attempt, before: Health): void
}

/** Checks that are hurried together. Read it freely; only the scheduler writes it. */
export type Hurry = {
  readonly sinceMs: number
  /** Those that have not had their portion yet. */
  queued: number
  /** When the last of them had its portion; undefined while there are any. */
  askedMs: number | undefined
  /** How many attempts more may be made again in the next portion, because they said nothing about the host. */
  again: number
}

/** One attempt as it ended. Durations in milliseconds. */
export type Attempt = { readonly outcome: Outcome; readonly durationMs: number }

export type SchedulerOptions = {
  /** What a target is asked. What it throws, or what that throws, is the prober's fault and not the host's. */
  readonly questionOf: (target: Target) => Question
  /** Takes in what has arrived by now: before attempts are ended because their time is up, and between crowds. */
  readonly takeIn?: () => void
  /** Most attempts at once; each holds a file descriptor. */
  readonly inFlightMax: number
  /** A clock that never goes back, milliseconds. */
  readonly monotonicMs?: () => number
  /** The time of day, milliseconds since the epoch. */
  readonly wallMs?: () => number
  /** Calls `run` once, `delayMs` from now; what it returns takes that back. For tests, which own the time. */
  readonly setTimer?: (run: () => void, delayMs: number) => () => void
}

/** An attempt under way: it is who asks. */
class Running implements Placed, Asker {
  place = -1
  readonly check: Check
  readonly startMs: number
  readonly timeoutMs: number
  /** Undefined while it is being begun. */
  underway: Underway | undefined = undefined
  /** Its outcome is on the way: nothing is left to be cancelled. */
  isOver = false
  /** The process stood still while this ran: a failure says nothing about the host. */
  isTainted = false
  /** Its time was up when its outcome seemed to be on the way: it has until the next tick. */
  isSpared = false
  /** When its time was up and it was cancelled. */
  cancelledMs: number | undefined = undefined
  readonly #hear: Hear

  constructor(check: Check, startMs: number, hear: Hear) {
    this.check = check
    this.startMs = startMs
    this.timeoutMs = check.target.timeoutMs
    this.#hear = hear
  }

  hear(said: Outcome | Promise<Outcome>): void {
    this.#hear(this, said)
  }
}

type Hear = (running: Running, said: Outcome | Promise<Outcome>) => void

/** Milliseconds. Coarse enough to cost nothing at rest, fine enough for a timeout of one second. */
export const TICK_MS = 50
/** A quiet scheduler still wakes this often, so that a stall is told from sleep. Milliseconds. */
const SLEEP_MAX_MS = 1000
/** Late by more than this, the process stood still. A quarter of the shortest timeout there is. Milliseconds. */
export const STALL_MS = 250
/** Share of the places in flight that hosts which are failing may hold, so that the others find some free. */
const FAILING_SHARE = 0.75
/**
 * While others wait, too, failing and new ones have one attempt of so many, and hold one place of so many at most,
 * for one that is silent holds its own until its timeout: neither kind starves.
 */
const FAILING_EVERY = 4
/**
 * Attempts that are brought forward in one tick: 30 ms of CPU if half of them fail. Without a bound, 10,000
 * at once made the process stand still, and what failed meanwhile did not count.
 */
const HURRY_PORTION = 256
/**
 * Attempts that are begun before those that are over are let go: their sockets, of which the kernel keeps
 * kilobytes each, are then still at hand in the processor's caches.
 */
const BEGUN_AT_ONCE = 32
/** How long attempts are begun before all else has its turn. Milliseconds. */
const DRAIN_MAX_MS = 10
/** Its multiples, taken modulo 1, are spread as evenly as numbers can be. */
const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2
/** An attempt that has not ended this long after it was cancelled is given up. Milliseconds. */
const CANCEL_GRACE_MS = 2000
/** How long close() waits for attempts to end: well within a pod's grace, with time left to release the lease. Milliseconds. */
const CLOSE_MAX_MS = 1000

export class Scheduler {
  readonly #options: Required<SchedulerOptions>
  readonly #wheel = new Wheel<Check>(TICK_MS)
  readonly #running: Running[] = []
  #failingRunning = 0
  /** Checks that are due and wait for a place, first come first served: the well ones and the failing. */
  readonly #waiting = { well: new Fifo<Check>(), failing: new Fifo<Check>() }
  /** Attempts that were begun while both kinds could be. */
  #turns = 0
  #isDraining = false
  #isDrainDue = false
  /** What is prefetched goes here, for the engine leaves out what nobody keeps. It means nothing. */
  readonly #sink = { sum: 0 }
  /** Takes the pending tick back; undefined when none is pending. */
  #cancelTick: (() => void) | undefined
  /** When the pending tick should fire. */
  #expectedMs = Number.POSITIVE_INFINITY
  #lastTickMs: number
  #latenessMs = 0
  #stalls = 0
  /** Checks that are hurried and not yet waiting, and how many more may be before the next tick. */
  readonly #hurried = new Fifo<Check>()
  #hurryLeft = HURRY_PORTION
  #isClosed = false

  constructor(options: SchedulerOptions) {
    this.#options = {
      takeIn: () => {},
      monotonicMs: () => performance.now(),
      wallMs: Date.now,
      setTimer: setRealTimer,
      ...options,
    }
    this.#lastTickMs = this.#options.monotonicMs()
  }

  /** Starts to watch `target` from `health` on; the first attempt comes with the next tick. */
  start(id: string, target: Target, health: Health, listener: Listener): Check {
    const check: Check = {
      id,
      phase: phaseOf(id),
      target,
      question: undefined,
      health: this.#believed(target, health),
      isBusy: false,
      isFailing: false,
      isStopped: false,
      slot: undefined,
      place: -1,
      hurry: undefined,
      listener,
    }
    if (target.probe && !this.#isClosed) {
      this.#wheel.insert(check, this.#options.monotonicMs())
      this.#arm()
    }
    return check
  }

  /**
   * Gives a check another form of the same target (probe, thresholds, timeouts); health is kept,
   * unless there is nothing left to probe, and the next attempt comes at once. An attempt that runs
   * counts by the new thresholds.
   */
  update(check: Check, target: Target): void {
    check.target = target
    check.question = undefined
    check.health = this.#believed(target, check.health)
    this.#wheel.remove(check)
    if (check.isBusy || check.isStopped || this.#isClosed || !target.probe) return
    this.#wheel.insert(check, this.#options.monotonicMs())
    this.#arm()
  }

  /**
   * Attempts `checks` now instead of when they are due, but of all that are hurried only a portion in
   * each tick, those that were hurried first before others; their phases stay. Those that run or wait
   * already are left alone. An attempt that says nothing, as after a stall, is made once more.
   */
  hurry(checks: Iterable<Check>): Hurry {
    const nowMs = this.#options.monotonicMs()
    const hurry: Hurry = { sinceMs: nowMs, queued: 0, askedMs: nowMs, again: 0 }
    for (const check of checks) {
      if (check.isBusy || check.slot === undefined) continue
      this.#wheel.remove(check)
      check.hurry = hurry
      hurry.again++
      this.#queueHurried(check, hurry)
    }
    this.#admitHurried()
    this.#drainSoon()
    this.#arm()
    return hurry
  }

  /** Ends a check: nothing is reported of it any more, an attempt that runs is cancelled. */
  stop(check: Check): void {
    check.isStopped = true
    this.#wheel.remove(check)
    this.#running.find((running) => running.check === check)?.underway?.cancel()
  }

  /** Ends all: cancels what runs; returns when every socket is free, or after a second. No outcome is reported any more. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#disarm()
    for (const { underway } of [...this.#running]) underway?.cancel()
    for (let waited = 0; this.#running.length > 0 && waited < CLOSE_MAX_MS; waited++) {
      await Bun.sleep(1)
    }
  }

  /** How the scheduler fares: for metrics and /healthz. `overdueMs` is how late the pending tick is by now. */
  stats(): {
    readonly inFlight: number
    readonly waiting: number
    readonly latenessMs: number
    readonly overdueMs: number
    readonly stalls: number
  } {
    return {
      inFlight: this.#running.length,
      waiting: this.#waiting.well.size + this.#waiting.failing.size + this.#hurried.size,
      latenessMs: this.#latenessMs,
      overdueMs: Math.max(0, this.#options.monotonicMs() - this.#expectedMs),
      stalls: this.#stalls,
    }
  }

  /** One tick at the present moment. The timer calls it; tests may. */
  tick(): void {
    if (this.#isClosed) return
    const nowMs = this.#options.monotonicMs()
    this.#latenessMs = Math.max(0, nowMs - this.#expectedMs)
    const hasStalled = Number.isFinite(this.#expectedMs) && this.#latenessMs > STALL_MS
    this.#disarm()
    this.#lastTickMs = nowMs
    if (hasStalled) this.#recover(nowMs)
    this.#expire(nowMs)
    for (const check of this.#wheel.take(nowMs)) this.#enqueue(check)
    this.#hurryLeft = HURRY_PORTION
    this.#admitHurried()
    this.#drain()
    this.#arm()
  }

  /**
   * Distrusts what ran while the process stood still, and puts off what was missed: each time to
   * another place in the period, but what is hurried only to its next portion. What is only late is not
   * put off. Where every tick is late, a target would otherwise never be attempted.
   */
  #recover(nowMs: number): void {
    this.#stalls++
    for (const running of this.#running) running.isTainted = true
    const turn = this.#stalls * GOLDEN_RATIO
    for (const check of this.#wheel.take(nowMs - STALL_MS)) {
      const { target, phase, health, hurry } = check
      if (hurry) this.#queueHurried(check, hurry)
      else this.#wheel.insert(check, dueAfterStallMs(target, (phase + turn) % 1, health, nowMs))
    }
  }

  /** Cancels the attempts whose time is up, and gives up those that do not end even so. */
  #expire(nowMs: number): void {
    if (this.#running.length > 0) this.#options.takeIn()
    const late = this.#running.filter(({ startMs, timeoutMs }) => nowMs >= startMs + timeoutMs)
    for (const running of late) {
      if (running.cancelledMs === undefined) {
        if (!running.isSpared && running.isOver) {
          running.isSpared = true
          continue
        }
        running.cancelledMs = nowMs
        running.underway?.cancel()
      } else if (nowMs > running.cancelledMs + CANCEL_GRACE_MS) {
        this.#end(running, unknown('the prober did not end'))
      }
    }
  }

  #enqueue(check: Check): void {
    const { last, verdict } = check.health
    check.isBusy = true
    check.isFailing = last === 'failed' || verdict === 'unhealthy'
    this.#waiting[check.isFailing ? 'failing' : 'well'].push(check)
  }

  #queueHurried(check: Check, hurry: Hurry): void {
    check.isBusy = true
    hurry.queued++
    hurry.askedMs = undefined
    this.#hurried.push(check)
  }

  #admitHurried(): void {
    for (; this.#hurryLeft > 0 && this.#hurried.size > 0; this.#hurryLeft--) {
      const check = this.#hurried.shift()
      if (!check) continue
      this.#enqueue(check)
      const { hurry } = check
      if (hurry && --hurry.queued === 0) hurry.askedMs = this.#options.monotonicMs()
    }
  }

  /**
   * Starts what waits, as far as there are places, and takes in what has come of the first meanwhile. Goes on
   * after all else when its time is up.
   */
  #drain(): void {
    const { takeIn, monotonicMs } = this.#options
    const endMs = monotonicMs() + DRAIN_MAX_MS
    this.#isDraining = true
    try {
      for (let crowd = this.#nextCrowd(); crowd.length > 0; crowd = this.#nextCrowd()) {
        this.#prefetch(crowd)
        for (const check of crowd) this.#begin(check)
        if (crowd.length < BEGUN_AT_ONCE) continue
        if (monotonicMs() > endMs) {
          this.#drainAfter(setImmediate)
          break
        }
        takeIn()
      }
    } finally {
      this.#isDraining = false
    }
  }

  /** After all that has ended just now: each on its own would begin another, and no crowd would be small. */
  #drainSoon(): void {
    if (!this.#isDraining) this.#drainAfter(queueMicrotask)
  }

  /** Nobody drains before, except a tick: what ends meanwhile would keep all else from its turn. */
  #drainAfter(enqueue: (run: () => void) => unknown): void {
    const { well, failing } = this.#waiting
    if (this.#isDrainDue || well.size + failing.size === 0) return
    this.#isDrainDue = true
    enqueue(() => {
      this.#isDrainDue = false
      if (this.#isClosed) return
      this.#drain()
      this.#arm()
    })
  }

  /** Those who come next, as far as there are places; each has its own from now on. */
  #nextCrowd(): Check[] {
    const crowd: Check[] = []
    const free = this.#options.inFlightMax - this.#running.length
    while (crowd.length < Math.min(free, BEGUN_AT_ONCE)) {
      const check = this.#nextWaiting()
      if (!check) break
      crowd.push(check)
    }
    return crowd
  }

  /** Those that are well come first, but not always; those that are failing never take the places of others. */
  #nextWaiting(): Check | undefined {
    const { well, failing } = this.#waiting
    const share = well.size > 0 ? 1 / FAILING_EVERY : FAILING_SHARE
    const failingMax = Math.max(1, Math.floor(this.#options.inFlightMax * share))
    const mayFail = failing.size > 0 && this.#failingRunning < failingMax
    if (!mayFail) return well.shift()
    if (well.size > 0 && ++this.#turns % FAILING_EVERY !== 0) return well.shift()
    this.#failingRunning++
    return failing.shift()
  }

  /**
   * What is known of many targets leaves the caches between two attempts. The processor waits for many pieces of
   * memory as long as for one, if nothing but reading them is done: no clock, no system call.
   */
  #prefetch(crowd: readonly Check[]): void {
    let sum = 0
    for (const { target, health, question, listener } of crowd) {
      sum += target.timeoutMs + target.failureThreshold + health.run
      sum += (question?.prefetch?.() ?? 0) + (listener.prefetch?.() ?? 0)
    }
    this.#sink.sum = sum
  }

  #begin(check: Check): void {
    if (check.isStopped || !check.target.probe) {
      this.#free(check)
      return
    }
    const running = new Running(check, this.#options.monotonicMs(), this.#hear)
    putIn(this.#running, running)
    try {
      check.question ??= this.#options.questionOf(check.target)
      running.underway = check.question.ask(running)
    } catch (error) {
      running.hear(Promise.reject(error))
    }
  }

  #free(check: Check): void {
    if (check.isFailing) this.#failingRunning--
    check.isBusy = false
  }

  readonly #hear: Hear = (running, said) => {
    if (!(said instanceof Promise)) {
      this.#end(running, said)
      return
    }
    running.isOver = true
    said.then(
      (outcome) => this.#end(running, outcome),
      (error: unknown) => this.#end(running, broken(error)),
    )
  }

  /** Frees the place of an attempt and counts what it said, unless it was given up before. */
  #end(running: Running, said: Outcome): void {
    if (!takeOut(this.#running, running)) return
    this.#free(running.check)
    if (this.#isClosed) return
    try {
      this.#report(running, said)
    } catch (error) {
      // Even if the listener throws, the others go on, and so does the prober, whose fault it is not. A rejection
      // that nobody handles ends the process, and has the stack of what was thrown; to throw it anew would not.
      void Promise.reject(error)
    }
    this.#drainSoon()
    this.#arm()
  }

  #report(running: Running, said: Outcome): void {
    const { check, startMs } = running
    if (check.isStopped || !check.target.probe) return
    const nowMs = this.#options.monotonicMs()
    const outcome = this.#judge(running, said, nowMs)
    const before = check.health
    const health = observe(before, outcome, check.target, this.#options.wallMs())
    // What is written is looked through by the next collection of the young.
    if (health !== before) check.health = health
    const { hurry } = check
    if (hurry && outcome.result === 'unknown' && hurry.again > 0) {
      hurry.again--
      this.#queueHurried(check, hurry)
    } else {
      if (!isInDoubt(check.health)) check.hurry = undefined
      this.#wheel.insert(check, nextDueMs(check.target, check.phase, check.health, startMs, nowMs))
    }
    check.listener.onOutcome(check, { outcome, durationMs: nowMs - startMs }, before)
  }

  /** What an attempt is taken to have said, given how it ended and how we were doing meanwhile. */
  #judge(running: Running, said: Outcome, nowMs: number): Outcome {
    const isTimedOut = running.cancelledMs !== undefined
    if (said.result === 'ok' && !isTimedOut) return said
    // A tick that is overdue now has not had its chance to taint this attempt.
    const isStalled = running.isTainted || nowMs - this.#expectedMs > STALL_MS
    if (isStalled) return unknown('the prober itself stood still')
    if (isTimedOut) return failed(`timeout after ${running.timeoutMs / 1000}s`)
    return said
  }

  /** Sets the one timer to the next moment at which there is something to do. */
  #arm(): void {
    // Sooner than the tick after this one there is nothing to do.
    if (this.#isClosed || this.#expectedMs <= this.#lastTickMs + TICK_MS) return
    const isAtWork = this.#running.length > 0 || this.#hurried.size > 0
    if (this.#wheel.isEmpty && !isAtWork) return
    const nowMs = this.#options.monotonicMs()
    const wantedMs = isAtWork ? this.#lastTickMs + TICK_MS : this.#wheel.nextMs(nowMs, SLEEP_MAX_MS)
    const dueMs = Math.max(wantedMs, nowMs)
    if (dueMs >= this.#expectedMs) return
    this.#disarm()
    this.#expectedMs = dueMs
    this.#cancelTick = this.#options.setTimer(() => this.tick(), Math.ceil(dueMs - nowMs))
  }

  #disarm(): void {
    this.#cancelTick?.()
    this.#cancelTick = undefined
    this.#expectedMs = Number.POSITIVE_INFINITY
  }

  /** A target without a probe is healthy, whatever was known of it. */
  #believed(target: Target, health: Health): Health {
    if (target.probe || health.verdict === 'healthy') return health
    return seed('healthy', this.#options.wallMs(), '')
  }
}

function setRealTimer(run: () => void, delayMs: number): () => void {
  const timer = setTimeout(run, delayMs)
  return () => clearTimeout(timer)
}

/** A prober that throws or rejects is broken: that says nothing about the host. */
function broken(error: unknown): Outcome {
  return unknown(`the prober broke (${error instanceof Error ? error.name : typeof error})`)
}
