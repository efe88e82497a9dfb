// A world for the Scheduler in which time is a number: it moves when a test says so, and timers and
// answers come in the order of their times. Nothing here waits for real time.

import { type Health, seed } from '../../probes/health.ts'
import { type Attempt, type Check, type Listener, Scheduler } from '../../probes/scheduler.ts'
import {
  type Asker,
  failed,
  type Outcome,
  ok,
  type Target,
  type Underway,
  unknown,
} from '../../probes/target.ts'

/** How a simulated host behaves at one attempt. */
export type Answer =
  | { readonly afterMs: number; readonly outcome: Outcome }
  /** Never answers; the prober ends when it is aborted. */
  | 'silent'
  /** Never answers, and the prober does not even end when it is aborted. */
  | 'hung'
  /** The prober itself fails. */
  | 'rejects'
  | 'throws'

/** One attempt as the prober saw it. */
export type Seen = {
  readonly target: Target
  readonly startMs: number
  /** When the prober ended; undefined while it runs. */
  endMs: number | undefined
}

export type Report = {
  readonly id: string
  readonly atMs: number
  readonly attempt: Attempt
  readonly health: Health
  readonly before: Health
}

type Event = { readonly atMs: number; readonly run: () => void }

/** Not a multiple of anything, so that nothing works by luck of alignment. */
export const ORIGIN_MS = 1_000_003
const WALL_ORIGIN_MS = Date.UTC(2026, 10, 22)

export class Simulation {
  nowMs = ORIGIN_MS
  readonly seen: Seen[] = []
  readonly reports: Report[] = []
  readonly scheduler: Scheduler
  /** How often the timer fired. */
  ticks = 0
  inFlight = 0
  inFlightPeak = 0
  /** Targets that were attempted while an attempt on them was running: must stay empty. */
  readonly overlaps: string[] = []
  readonly #runningKeys = new Set<string>()
  readonly #answers: Event[] = []
  #timer: Event | undefined
  readonly #behave: (target: Target, nowMs: number) => Answer

  constructor(inFlightMax: number, behave: (target: Target, nowMs: number) => Answer) {
    this.#behave = behave
    this.scheduler = new Scheduler({
      questionOf: (target) => ({ ask: (asker) => this.#begin(target, asker) }),
      inFlightMax,
      monotonicMs: () => this.nowMs,
      wallMs: () => this.wallMs(),
      setTimer: (run, delayMs) => this.#setTimer(run, delayMs),
    })
  }

  wallMs(): number {
    return WALL_ORIGIN_MS + this.nowMs
  }

  /** When the pending tick will fire; undefined when none is pending. */
  get timerMs(): number | undefined {
    return this.#timer?.atMs
  }

  start(target: Target, health: Health = seed('unhealthy', 0, '')): Check {
    return this.scheduler.start(target.key, target, health, this)
  }

  readonly onOutcome: Listener['onOutcome'] = (check, attempt, before) => {
    const { id, health } = check
    this.reports.push({ id, atMs: this.nowMs, attempt, health, before })
  }

  /** Lets `ms` pass; whatever falls due happens at its own time. */
  async advance(ms: number): Promise<void> {
    const endMs = this.nowMs + ms
    for (let event = this.#next(endMs); event; event = this.#next(endMs)) {
      this.nowMs = Math.max(this.nowMs, event.atMs)
      event.run()
      await settled()
    }
    this.nowMs = endMs
  }

  /** Lets `ms` pass as they pass for a stopped process: nothing happens until it goes on, and then `first` does. */
  async stall(ms: number, first: 'the tick' | 'the answers'): Promise<void> {
    this.nowMs += ms
    const steps = [() => this.#fireIfDue(), () => this.#answerAllDue()]
    for (const step of first === 'the tick' ? steps : steps.reverse()) {
      step()
      await settled()
    }
  }

  startsOf(key: string): number[] {
    return this.seen.filter(({ target }) => target.key === key).map(({ startMs }) => startMs)
  }

  reportsOf(id: string): Report[] {
    return this.reports.filter((report) => report.id === id)
  }

  #fireIfDue(): void {
    const timer = this.#timer
    if (!timer || timer.atMs > this.nowMs) return
    this.#timer = undefined
    timer.run()
  }

  #answerAllDue(): void {
    while ((this.#answers[0]?.atMs ?? Number.POSITIVE_INFINITY) <= this.nowMs) {
      this.#answers.shift()?.run()
    }
  }

  #next(endMs: number): Event | undefined {
    const [answer] = this.#answers
    const timer = this.#timer
    const isAnswer = answer && answer.atMs <= (timer?.atMs ?? Number.POSITIVE_INFINITY)
    const event = isAnswer ? answer : timer
    if (!event || event.atMs > endMs) return undefined
    if (isAnswer) this.#answers.shift()
    else this.#timer = undefined
    return event
  }

  #setTimer(run: () => void, delayMs: number): () => void {
    if (this.#timer) throw new Error('two timers at once')
    const count = () => {
      this.ticks++
      run()
    }
    const timer = { run: count, atMs: this.nowMs + delayMs }
    this.#timer = timer
    return () => {
      if (this.#timer === timer) this.#timer = undefined
    }
  }

  #begin(target: Target, asker: Asker): Underway {
    const answer = this.#behave(target, this.nowMs)
    const seen: Seen = { target, startMs: this.nowMs, endMs: undefined }
    this.seen.push(seen)
    if (answer === 'throws') throw new TypeError('the prober threw')
    if (answer === 'rejects') {
      asker.hear(Promise.reject(new TypeError('the prober rejected')))
      return { cancel() {} }
    }
    if (this.#runningKeys.has(target.key)) this.overlaps.push(target.key)
    this.#runningKeys.add(target.key)
    this.inFlight++
    this.inFlightPeak = Math.max(this.inFlightPeak, this.inFlight)
    const end = (outcome: Outcome) => {
      if (seen.endMs !== undefined) return
      seen.endMs = this.nowMs
      this.inFlight--
      this.#runningKeys.delete(target.key)
      asker.hear(outcome)
    }
    if (typeof answer === 'object') {
      this.#insert({ atMs: this.nowMs + answer.afterMs, run: () => end(answer.outcome) })
    }
    return { cancel: () => answer !== 'hung' && end(unknown('aborted')) }
  }

  #insert(event: Event): void {
    const index = this.#answers.findLastIndex(({ atMs }) => atMs <= event.atMs)
    this.#answers.splice(index + 1, 0, event)
  }
}

/** Lets every promise that can go on go on. Waits for no time. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

export const answersAtOnce: Answer = { afterMs: 2, outcome: ok }
export const refusesAtOnce: Answer = { afterMs: 2, outcome: failed('connect ECONNREFUSED') }

/** A TCP target with the defaults of a spec. Its host stands in its key. */
export function target(key: string, over: Partial<Target> = {}): Target {
  return {
    key,
    host: '10.33.40.151',
    port: 443,
    probe: { kind: 'tcp' },
    timeoutMs: 1000,
    periodMs: 10_000,
    fastPeriodMs: 1000,
    successThreshold: 1,
    failureThreshold: 3,
    ...over,
  }
}
