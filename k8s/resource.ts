// One ClusterEndpoint under our care: its plan in force, its hosts with their checks, and when it is
// ready to be published. Touches the scheduler, never the API server.

import {
  type ClusterEndpoint,
  type ParsedSpec,
  parseClusterEndpoint,
  parseSpec,
} from '../crds/clusterendpoint.ts'
import { isPublished, type PublishedAddresses } from '../crds/endpoints.ts'
import { believedAddresses, type Expansion, expand, withinFamilies } from '../crds/expansion.ts'
import type { Family } from '../crds/families.ts'
import { type HostPolicy, isAddress } from '../crds/hosts.ts'
import type { Spec } from '../crds/schema.ts'
import {
  type ObservedNames,
  readStatus,
  rowOf,
  type Status,
  type SyncState,
} from '../crds/status.ts'
import { type HostTarget, isSameQuestion, type Plan, planOf } from '../crds/targets.ts'
import { LOOKUP_MS } from '../dns/lookup.ts'
import { resolutionOf } from '../dns/memory.ts'
import type { Resolver } from '../dns/resolver.ts'
import { type Health, seed } from '../probes/health.ts'
import type { Attempt, Check, Hurry, Listener, Scheduler } from '../probes/scheduler.ts'
import type { Transition } from './events.ts'
import { countAttempt, type ProbeCounters } from './metrics.ts'
import { Names } from './names.ts'
import { Series } from './series.ts'
import { contradicts, isSettled, siblingsInMs, type Turn } from './siblings.ts'
import { isNewer } from './versions.ts'

/** A ClusterEndpoint as last seen, read once. */
export type Seen = {
  readonly metadata: ClusterEndpoint['metadata']
  readonly parsed: ParsedSpec
  readonly status: Status | undefined
}

/**
 * Reads what the API server sent; a spec that is still the one of `known` is not read again. Throws
 * v.ValiError if it is no ClusterEndpoint at all.
 */
export function readSeen(object: unknown, known?: Seen): Seen {
  const cep = parseClusterEndpoint(object)
  const { uid, generation } = cep.metadata
  const isSame = known?.metadata.uid === uid && known.metadata.generation === generation
  const parsed = isSame ? known.parsed : parseSpec(cep)
  return { metadata: cep.metadata, parsed, status: readStatus(cep.status) }
}

type Hear = (host: Host, attempt: Attempt, before: Health) => void

/** One host and its check, from the moment that `watch` begins it. */
class Host implements Listener {
  readonly check: Check
  target: HostTarget
  /** Those of `target`; undefined until it had an attempt. */
  counters: ProbeCounters | undefined
  readonly #hear: Hear
  readonly #isAllHeard: boolean

  constructor(
    target: HostTarget,
    watch: (host: Host) => Check,
    hear: Hear,
    { isAllHeard }: { readonly isAllHeard: boolean },
  ) {
    this.target = target
    this.#hear = hear
    this.#isAllHeard = isAllHeard
    this.check = watch(this)
  }

  /** What changes nothing is only counted: nothing more is fetched from memory for it. */
  onOutcome({ health }: Check, attempt: Attempt, before: Health): void {
    const { counters } = this
    if (counters && health === before && !this.#isAllHeard) countAttempt(counters, attempt)
    else this.#hear(this, attempt, before)
  }

  prefetch(): number {
    return this.counters?.successful ?? 0
  }
}

/** Milliseconds that publishing waits at most for the first answers of new hosts, so that an edit never shows an empty middle. */
const SETTLE_EDIT_MS = 500
/** Milliseconds that it waits when addresses are published already: the whole first round, within reason. */
const SETTLE_ADOPTED_MAX_MS = 10_000
/** Milliseconds between two passes at least: many hosts that go one after another are a few writes. */
const WRITE_GAP_MS = 250
/** Milliseconds between two expansions of the plan at most, a millisecond for each name. */
const EXPAND_GAP_MAX_MS = 250
/** Transitions kept for the next Event. */
const TRANSITIONS_MAX = 1_000

export type ResourceOptions = {
  readonly scheduler: Scheduler
  readonly resolver: Resolver
  readonly policy: HostPolicy
  /** Told when something happened that may have to be written. */
  readonly onNews: () => void
  /** Told of each attempt, for logs; undefined when nobody wants to know. */
  readonly onAttempt: ((target: HostTarget, attempt: Attempt) => void) | undefined
  /** Told of each host that has come or gone, for logs. */
  readonly onTransition: (transition: Transition) => void
}

export class Resource {
  readonly #options: ResourceOptions
  #seen: Seen
  #plan: Plan = { ports: [], targets: [], names: [], refused: [] }
  readonly #names: Names
  /** Whether answers came that the expansion does not know of yet. */
  #isStale = false
  #expandedMs = Number.NEGATIVE_INFINITY
  #expansion: Expansion = {
    ports: [],
    targets: [],
    refused: [],
    unresolved: [],
    leftOut: new Map(),
  }
  /** What was published as of last. */
  #live: PublishedAddresses | undefined
  #asked: Pick<Spec, 'clusterIP' | 'families'> = { clusterIP: '', families: {} }
  /** Those of its Service; empty when they are not known. */
  #families: readonly Family[] = []
  #hasPlan = false
  #isAdopted = false
  readonly #hosts = new Map<string, Host>()
  /** Checks that have not had an attempt yet, and whether a status already told that they are out. */
  readonly #awaiting = new Map<Check, boolean>()
  readonly #series = new Series()
  #transitions: Transition[] = []
  #written: { readonly resourceVersion: string; readonly status: Status | undefined } | undefined
  #settleAtMs = 0
  #publishedMs = Number.NEGATIVE_INFINITY
  /** Until when the other hosts are not asked again because of one. */
  #calmUntilMs = Number.NEGATIVE_INFINITY
  /** How far it has come when they were asked last. */
  #hurry: Hurry | undefined
  /** The first change that is not published yet. */
  #turned: Turn | undefined

  /** Whether there were no Endpoints when it was adopted: the first sync need not look for them once more. */
  isBare = false
  /** How the last attempts to write went, for the status. */
  service: SyncState
  endpoints: SyncState
  /** Failures to bring it up to date in a row. */
  failures = 0
  /** Since when copies of its Endpoints are waited for, monotonic; undefined when they are not. */
  copiesAwaitedMs: number | undefined

  constructor(seen: Seen, options: ResourceOptions) {
    this.#seen = seen
    this.#options = options
    this.#names = new Names(options.resolver, () => {
      this.#isStale = true
      options.onNews()
    })
  }

  get metadata(): ClusterEndpoint['metadata'] {
    return this.#seen.metadata
  }

  /** Whether the spec as last seen has names among its hosts. */
  get hasNames(): boolean {
    const { parsed } = this.#seen
    return parsed.ok && parsed.spec.ports.some(({ hosts }) => !hosts.every(isAddress))
  }

  get isAdopted(): boolean {
    return this.#isAdopted
  }

  /** Whether there is a plan to publish: false only for a spec that was never valid. */
  get hasPlan(): boolean {
    return this.#hasPlan
  }

  /** The plan in force, names resolved as far as they are. */
  get plan(): Expansion {
    return this.#expansion
  }

  /** What is known of the names among the hosts, for the status. */
  get names(): ObservedNames {
    const { size: total, unasked, troubles } = this.#names
    const { unresolved, leftOut } = this.#expansion
    return { total, unasked, troubles, unresolved, leftOut }
  }

  /** What the spec in force asks of the Service; an empty clusterIP asks for none. */
  get asked(): Pick<Spec, 'clusterIP' | 'families'> {
    return this.#asked
  }

  get issues(): readonly string[] {
    return this.#seen.parsed.ok ? [] : this.#seen.parsed.issues
  }

  /** Whether every name has had its first answer, and every host its first attempt. */
  get isFirstRoundIn(): boolean {
    return this.#awaiting.size === 0 && this.#names.isKnown
  }

  get hosts(): Iterable<Host> {
    return this.#hosts.values()
  }

  get counters(): Iterable<ProbeCounters> {
    return this.#series.values()
  }

  get healthyTargets(): HostTarget[] {
    return [...this.#hosts.values()].flatMap(({ target, check }) =>
      check.health.verdict === 'healthy' ? [target] : [],
    )
  }

  /**
   * Milliseconds until it may be published: 0 as soon as all new hosts have answered or had their time,
   * no host is about to follow one that has turned, and it was not published just now.
   */
  settleInMs(): number {
    const nowMs = performance.now()
    const settleMs = this.isFirstRoundIn ? 0 : this.#settleAtMs - nowMs
    const expandMs = this.#isStale ? this.#expandInMs() : 0
    const siblingsMs = this.#turned
      ? siblingsInMs(this.#checks(), this.#turned, this.#hurry, nowMs)
      : 0
    const gapMs = this.#publishedMs + WRITE_GAP_MS - nowMs
    return Math.max(0, settleMs, expandMs, siblingsMs, gapMs)
  }

  /** Notes that a pass over it may have written. */
  notePublished(): void {
    this.#publishedMs = performance.now()
    this.#turned = undefined
  }

  /**
   * Begins to probe. Hosts that `live` publishes are believed until a probe says otherwise, so that a
   * restart of ours drains nothing; the others must show themselves first.
   */
  adopt(live: PublishedAddresses | undefined): void {
    this.#isAdopted = true
    this.#live = live
    this.#applySpec()
    const hasPublished = live !== undefined && live.published.size > 0
    const isKnown = this.#names.size > 0 && this.#seen.status !== undefined
    if (hasPublished || isKnown) this.#settleWithin(this.#firstRoundMs() + SETTLE_EDIT_MS)
  }

  /** Takes in a newer version of the resource; hosts that stay keep their health. */
  update(seen: Seen, live: PublishedAddresses | undefined): void {
    const isSameSpec = seen.metadata.generation === this.#seen.metadata.generation
    this.#seen = seen
    // A watch has told of it by now: one copy of a status is enough.
    if (!this.#isWrittenSince(seen)) this.#written = undefined
    // Until our first write, what stood when it was adopted stands: no watch by label tells of it.
    if (live || this.endpoints?.ok) this.#live = live
    if (!this.#isAdopted) return
    if (!isSameSpec) this.#applySpec()
    if (this.#isStale && this.#expandInMs() <= 0) this.#takeInAnswers()
    this.#urge()
  }

  /**
   * Takes in which families its Service has: names are not asked to have a way in others. Returns whether
   * that changes what is probed.
   */
  noteFamilies(families: readonly Family[]): boolean {
    if (families.join() === this.#families.join()) return false
    this.#families = families
    if (this.#names.size === 0) return false
    this.#expand()
    return true
  }

  /** Remembers what the API server answered to our last write of the status. */
  noteWritten({ metadata: { resourceVersion }, status }: Seen): void {
    this.#written = { resourceVersion, status }
  }

  /** The status that stands in the cluster: as a watch told, or as we wrote it since. */
  standingStatus(seen: Seen | undefined): Status | undefined {
    return (seen && !this.#isWrittenSince(seen) ? seen : this.#written)?.status
  }

  /** Whether our last write of the status came after `seen`. */
  #isWrittenSince({ metadata: { resourceVersion } }: Seen): boolean {
    return this.#written !== undefined && isNewer(this.#written.resourceVersion, resourceVersion)
  }

  /** Hands out the transitions since the last time. */
  takeTransitions(): readonly Transition[] {
    const taken = this.#transitions
    this.#transitions = []
    return taken
  }

  /** Ends all probing. */
  stop(): void {
    this.#names.stop()
    for (const { check } of this.#hosts.values()) this.#options.scheduler.stop(check)
    this.#hosts.clear()
    this.#awaiting.clear()
    this.#series.keep([])
  }

  /** Puts the spec in force; one that is invalid leaves the last valid one in force. */
  #applySpec(): void {
    const { parsed, status } = this.#seen
    if (!parsed.ok) return
    this.#hasPlan = true
    const { clusterIP, families } = parsed.spec
    this.#asked = { clusterIP, families }
    this.#plan = planOf(parsed.spec, this.#options.policy)
    const names = this.#plan.names.map(({ name }) => name)
    this.#names.watch(names, believedAddresses(this.#plan, status, this.#live))
    const { hasLost } = this.#expand()
    // What has gone may be what a name leads to of which nothing is known yet.
    const namesMs = hasLost && !this.#names.isKnown ? LOOKUP_MS : 0
    this.#settleWithin(namesMs + SETTLE_EDIT_MS)
  }

  /** Takes in what name servers said since the last time. */
  #takeInAnswers(): void {
    const wasFirstRoundIn = this.isFirstRoundIn
    this.#expand()
    // As after an edit: new addresses have a moment to show themselves, so that there is no empty middle.
    if (!wasFirstRoundIn || this.isFirstRoundIn) return
    this.#settleAtMs = Math.max(this.#settleAtMs, performance.now() + SETTLE_EDIT_MS)
  }

  /** Milliseconds until answers are taken in: many names that answer one after another are a few passes over all. */
  #expandInMs(): number {
    const gapMs = Math.min(this.#names.size, EXPAND_GAP_MAX_MS)
    return this.#expandedMs + gapMs - performance.now()
  }

  /**
   * Probes what the plan comes to, now that its names lead where they do; hosts that stay keep their
   * health. Returns whether a healthy one has gone.
   */
  #expand(): { readonly hasLost: boolean } {
    const resolve = (name: string) =>
      withinFamilies(resolutionOf(this.#names.get(name)), this.#families)
    this.#expansion = expand(this.#plan, resolve, this.#options.policy)
    this.#expandedMs = performance.now()
    this.#isStale = false
    const wanted = new Set(this.#expansion.targets.map(({ key }) => key))
    let hasLost = false
    for (const [key, host] of this.#hosts) {
      if (wanted.has(key)) continue
      hasLost ||= host.check.health.verdict === 'healthy'
      this.#drop(key, host)
    }
    for (const target of this.#expansion.targets) this.#keep(target)
    this.#series.keep(this.#expansion.targets)
    return { hasLost }
  }

  #keep(target: HostTarget): void {
    const host = this.#hosts.get(target.key)
    if (host) {
      const before = host.target
      host.target = target
      host.counters = undefined
      if (!isSameQuestion(before, target)) this.#options.scheduler.update(host.check, target)
      // Nobody will attempt it any more.
      if (!target.probe) this.#awaiting.delete(host.check)
      return
    }
    const { namespace, name } = this.metadata
    const { health, isTold } = this.#firstHealth(target)
    const id = `${namespace}/${name}/${target.key}`
    const watch = (made: Host) => this.#options.scheduler.start(id, target, health, made)
    const isAllHeard = this.#options.onAttempt !== undefined
    const made = new Host(target, watch, this.#hear, { isAllHeard })
    this.#hosts.set(target.key, made)
    if (target.probe) this.#awaiting.set(made.check, isTold)
  }

  #drop(key: string, { check }: Host): void {
    this.#options.scheduler.stop(check)
    this.#hosts.delete(key)
    this.#awaiting.delete(check)
  }

  #firstHealth(target: HostTarget) {
    const live = this.#live
    const isWell = target.probe === undefined || (live !== undefined && isPublished(live, target))
    const row = rowOf(this.#seen.status, target)
    const isKnown = row?.since !== undefined && row.healthy === isWell
    const sinceMs = isKnown ? Date.parse(row.since ?? '') : Date.now()
    const reason = isKnown && !isWell ? (row.reason ?? '') : ''
    return { health: seed(isWell ? 'healthy' : 'unhealthy', sinceMs, reason), isTold: isKnown }
  }

  readonly #hear: Hear = (host, attempt, before) => {
    const { target, check } = host
    host.counters ??= this.#series.of(target)
    countAttempt(host.counters, attempt)
    this.#options.onAttempt?.(target, attempt)
    const isTold = this.#awaiting.get(check)
    const isFirst = this.#awaiting.size > 0 && this.#awaiting.delete(check)
    const { health } = check
    if (health === before && !isFirst) return
    const isOut = health.verdict === 'unhealthy'
    const hasTurned = health.verdict !== before.verdict
    if (hasTurned) this.#turned ??= { atMs: performance.now(), from: before.verdict }
    if (contradicts(before, health)) this.#askSiblings(before.verdict, target.periodMs)
    if (hasTurned || (isFirst && isOut && !isTold)) {
      this.#remember({ target, isHealthy: !isOut, reason: health.reason })
    }
    const isRoundIn = isFirst && this.isFirstRoundIn
    if (hasTurned || isRoundIn || health.reason !== before.reason) this.#options.onNews()
  }

  /** Has names asked about more often while all their addresses are out. */
  #urge(): void {
    if (this.#names.size === 0) return
    const isServed = new Map<string, boolean>()
    for (const { target, check } of this.#hosts.values()) {
      const { name } = target
      if (name === undefined) continue
      const isWell = check.health.verdict === 'healthy' || this.#awaiting.has(check)
      isServed.set(name, isServed.get(name) || isWell)
    }
    for (const [name, served] of isServed) this.#names.urge(name, !served)
  }

  /**
   * What fails often fails together. When a settled host says the opposite of its verdict, the settled
   * ones of the same verdict are asked at once, at most once a period: those that went with it then
   * reach their thresholds together with it, and leave in one write.
   */
  #askSiblings(verdict: Health['verdict'], periodMs: number): void {
    const nowMs = performance.now()
    if (nowMs < this.#calmUntilMs) return
    this.#calmUntilMs = nowMs + periodMs
    const settled = this.#checks().filter(({ health }) => isSettled(health, verdict))
    this.#hurry = this.#options.scheduler.hurry(settled)
  }

  #checks(): Check[] {
    return [...this.#hosts.values()].map(({ check }) => check)
  }

  #remember(transition: Transition): void {
    this.#options.onTransition(transition)
    if (this.#transitions.length < TRANSITIONS_MAX) this.#transitions.push(transition)
  }

  /** Milliseconds in which all names and hosts that are new have answered, if they ever do. */
  #firstRoundMs(): number {
    let longest = 0
    for (const { timeoutMs } of this.#awaiting.keys().map(({ target }) => target)) {
      longest = Math.max(longest, timeoutMs)
    }
    for (const { template } of this.#plan.names) {
      longest = Math.max(longest, LOOKUP_MS + template.timeoutMs)
    }
    return longest
  }

  #settleWithin(ms: number): void {
    this.#settleAtMs = performance.now() + Math.min(ms, SETTLE_ADOPTED_MAX_MS)
  }
}
