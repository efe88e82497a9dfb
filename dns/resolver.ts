// Asks for names again and again: when their TTL ends, sooner while all their addresses are out. One
// timer for all names; a bound on look-ups at once, so that no number of names delays a probe.

import { type Slotted, Wheel } from '../probes/wheel.ts'
import type { Answer, Lookup } from './lookup.ts'

/** A name under watch by one listener. */
export type Watch = {
  /** The last answer, if it is still good. */
  readonly known: Answer | undefined
  /** While urgent, it is asked as often as is decent, whatever the TTL says. */
  readonly urge: (isUrgent: boolean) => void
  readonly stop: () => void
}

export type Resolver = {
  /** Asks for `name` soon, and again as its answers run out. `onAnswer` is told each answer. */
  readonly watch: (name: string, onAnswer: (answer: Answer) => void) => Watch
  readonly stats: () => ResolverStats
  /** Ends all; no answer is told any more. */
  readonly close: () => void
}

export type ResolverStats = {
  /** Names under watch. */
  readonly names: number
  /** Of those, names whose last look-up failed for one family at least and found no address. */
  readonly failing: number
  readonly inFlight: number
  /** Look-ups that have ended, by whether a name server could tell. */
  readonly told: number
  readonly failed: number
}

/** Milliseconds between two look-ups of a name at least, and at most. */
export const TTL_MIN_MS = 5_000
export const TTL_MAX_MS = 60_000
/** Part of the time between two look-ups that is added by the name, so that names of one TTL spread. */
const SPREAD = 0.1
/** Look-ups at once; each has a socket per family. */
const IN_FLIGHT_MAX = 128
/** Of those, what names whose last look-up failed may take: a silent zone must not delay the others. */
const FAILING_MAX = 32
/** Look-ups in a second at most: what they cost is taken from the probes. Ten thousand names are through in 20 s. */
const PER_SECOND_MAX = 500
const TICK_MS = 100
const HORIZON_MS = 60_000

type Name = Slotted & {
  readonly name: string
  readonly listeners: Map<object, { onAnswer: (answer: Answer) => void; isUrgent: boolean }>
  answer: Answer | undefined
  askedMs: number
  freshUntilMs: number
  isFailing: boolean
  isBusy: boolean
}

/** Look-ups that may begin at one moment. */
const BURST = (PER_SECOND_MAX * TICK_MS) / 1_000

export function createResolver(lookup: Lookup): Resolver {
  const names = new Map<string, Name>()
  const wheel = new Wheel<Name>(TICK_MS)
  /** Names that are due and wait for a place, first come first served. */
  const waiting = { well: new Set<Name>(), failing: new Set<Name>() }
  const inFlight = { well: 0, failing: 0 }
  const counts = { told: 0, failed: 0 }
  const stop = new AbortController()
  /** Look-ups that may begin now, and as of when. */
  let budget = { left: BURST, atMs: performance.now() }
  let timer: { readonly atMs: number; readonly cancel: () => void } | undefined

  function schedule(name: Name, dueMs: number): void {
    wheel.insert(name, dueMs)
    arm()
  }

  function arm(): void {
    if (stop.signal.aborted) return
    const nowMs = performance.now()
    const isShort = budget.left < 1 && waiting.well.size + waiting.failing.size > 0
    if (wheel.isEmpty && !isShort) return
    const atMs = isShort ? nowMs + TICK_MS : wheel.nextMs(nowMs, HORIZON_MS)
    if (timer && timer.atMs <= atMs) return
    timer?.cancel()
    const timeout = setTimeout(tick, Math.ceil(atMs - nowMs))
    timer = { atMs, cancel: () => clearTimeout(timeout) }
  }

  function tick(): void {
    timer = undefined
    const nowMs = performance.now()
    const earned = ((nowMs - budget.atMs) * PER_SECOND_MAX) / 1_000
    budget = { left: Math.min(BURST, budget.left + earned), atMs: nowMs }
    for (const name of wheel.take(nowMs)) {
      name.isBusy = true
      waiting[name.isFailing ? 'failing' : 'well'].add(name)
    }
    drain()
    arm()
  }

  function drain(): void {
    for (const kind of ['well', 'failing'] as const) {
      for (const name of waiting[kind]) {
        if (inFlight.well + inFlight.failing >= IN_FLIGHT_MAX || budget.left < 1) return
        if (kind === 'failing' && inFlight.failing >= FAILING_MAX) break
        waiting[kind].delete(name)
        inFlight[kind]++
        budget.left--
        void ask(name).finally(() => {
          inFlight[kind]--
          drain()
          arm()
        })
      }
    }
  }

  async function ask(name: Name): Promise<void> {
    name.askedMs = performance.now()
    const answer = await lookup(name.name, stop.signal)
    name.isBusy = false
    if (stop.signal.aborted || name.listeners.size === 0) return
    const families = Object.values(answer.families)
    const isFound = families.some((told) => told.ok && told.addresses.length > 0)
    name.isFailing = !isFound && families.some((told) => !told.ok)
    counts[name.isFailing ? 'failed' : 'told']++
    name.answer = answer
    name.freshUntilMs = performance.now() + restMs(answer.ttlMs, name)
    schedule(name, name.freshUntilMs)
    for (const { onAnswer } of [...name.listeners.values()]) onAnswer(answer)
  }

  function restMs(ttlMs: number, { name, listeners }: Name): number {
    const isUrgent = [...listeners.values()].some((listener) => listener.isUrgent)
    const clampedMs = isUrgent ? TTL_MIN_MS : Math.min(Math.max(ttlMs, TTL_MIN_MS), TTL_MAX_MS)
    return clampedMs * (1 + (SPREAD * Bun.hash.xxHash32(name)) / 2 ** 32)
  }

  function nameOf(name: string): Name {
    const known = names.get(name)
    if (known) return known
    const made: Name = {
      name,
      listeners: new Map(),
      answer: undefined,
      askedMs: Number.NEGATIVE_INFINITY,
      freshUntilMs: Number.NEGATIVE_INFINITY,
      isFailing: false,
      isBusy: false,
      slot: undefined,
      place: -1,
    }
    names.set(name, made)
    schedule(made, performance.now())
    return made
  }

  return {
    watch: (text, onAnswer) => {
      const name = nameOf(text)
      const listener = { onAnswer, isUrgent: false }
      const key = {}
      name.listeners.set(key, listener)
      return {
        known: name.freshUntilMs > performance.now() ? name.answer : undefined,
        urge: (isUrgent) => {
          if (isUrgent === listener.isUrgent) return
          listener.isUrgent = isUrgent
          if (name.isBusy || !name.listeners.has(key) || !name.answer) return
          const isSoon = [...name.listeners.values()].some((each) => each.isUrgent)
          schedule(name, isSoon ? name.askedMs + TTL_MIN_MS : name.freshUntilMs)
        },
        stop: () => {
          name.listeners.delete(key)
          if (name.listeners.size > 0) return
          names.delete(text)
          wheel.remove(name)
          waiting.well.delete(name)
          waiting.failing.delete(name)
        },
      }
    },
    stats: () => ({
      names: names.size,
      failing: [...names.values()].filter(({ isFailing }) => isFailing).length,
      inFlight: inFlight.well + inFlight.failing,
      ...counts,
    }),
    close: () => {
      stop.abort()
      timer?.cancel()
      names.clear()
    },
  }
}
