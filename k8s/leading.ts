// What exists only while leading: resources under care, the queue that brings one of them at a time up to
// date, and what becomes of one that cannot be: when it is tried again.

import { serviceFamilies } from '../crds/families.ts'
import { type HostPolicy, targetText } from '../crds/hosts.ts'
import { withoutLegacyFinalizers } from '../crds/legacy.ts'
import { PREDECESSOR } from '../crds/service.ts'
import type { Condition, Status } from '../crds/status.ts'
import { portLabel } from '../crds/targets.ts'
import type { Lookup } from '../dns/lookup.ts'
import { createResolver, type Resolver } from '../dns/resolver.ts'
import { takeIn } from '../probes/dialers.ts'
import { questionOf } from '../probes/probers.ts'
import { Scheduler, type SchedulerOptions } from '../probes/scheduler.ts'
import { abortOf } from './abort.ts'
import { askedMs, backoffMs, mayPassAnyMoment, pause } from './backoff.ts'
import type { ApiClient } from './client.ts'
import { messageOf, statusOfError } from './errors.ts'
import { createRecorder, type Transition } from './events.ts'
import type { LiveCache } from './live.ts'
import type { Log } from './log.ts'
import type { ResourceMetrics } from './metrics.ts'
import { keyOf } from './paths.ts'
import type { PublishWish } from './publishing.ts'
import { createWorkQueue, type Rest, type WorkQueue } from './queue.ts'
import { Resource, readSeen, type Seen } from './resource.ts'
import {
  publishedNow,
  type SyncContext,
  type SyncResult,
  standingEndpoints,
  standingService,
  statusNow,
  syncObjects,
} from './sync.ts'
import { createWriter, notingApplies, type Permit } from './writer.ts'

export type LeadingOptions = {
  readonly client: ApiClient
  readonly log: Log
  readonly policy: HostPolicy
  /** Which kinds of object carry the addresses. */
  readonly publish: PublishWish
  /** How a name is looked up. */
  readonly lookup: Lookup
  /** Resources brought up to date at once. */
  readonly concurrency: number
  /** Attempts at once. */
  readonly inFlightMax: number
  /** Who we are in Events: the pod's name. */
  readonly instance: string
  /** How a host is asked; the probers, unless a test has hosts of its own. */
  readonly questionOf?: SchedulerOptions['questionOf']
}

/** What the watches know. */
export type Caches = Pick<SyncContext, 'services' | 'endpoints' | 'slices'> & {
  readonly seen: LiveCache<Seen>
}

export type Leading = {
  readonly queue: WorkQueue
  readonly scheduler: Scheduler
  readonly resolver: Resolver
  readonly done: Promise<void>
  readonly metrics: () => Iterable<ResourceMetrics>
}

/** Milliseconds after which something that was refused is looked at again: nobody tells us of objects that are not ours. */
const REFUSED_RECHECK_MS = 30_000

/** Milliseconds after which is gone on with what waits for another controller. */
const UNFINISHED_MS = 250

/** Milliseconds at least, and twice that at most, until work goes on when what kept it from that is over. */
const BACK_MS = 500

/** Milliseconds after which work that waits for the API server is tried, one piece of it. */
const SCOUT_MS = 4_000

/** Probes and publishes as long as `permit` holds. */
export function startLeading(options: LeadingOptions, caches: Caches, permit: Permit): Leading {
  const { signal } = permit
  const { client, log, policy, publish, concurrency, inFlightMax, instance } = options
  const writer = createWriter(client, permit)
  const recorder = createRecorder(writer, log, instance)
  const scheduler = new Scheduler({
    questionOf: options.questionOf ?? questionOf,
    takeIn,
    inFlightMax,
  })
  const resolver = createResolver(options.lookup)
  const context: SyncContext = { client, writer, log, signal, publish, ...caches }
  const resources = new Map<string, Resource>()
  const queue = createWorkQueue({ concurrency, work })
  /** Resources that wait for the API server, and until when they do at least. */
  const stuck = new Map<string, number>()
  /** Those, and resources whose last try met a conflict: what is over for one may be over for all. */
  const heldUp = new Set<string>()
  let isWaiting = false
  let isScouting = false

  /** What clients are sent to is brought up to date first; telling people of it is left for later. */
  async function work(key: string): Promise<Rest | undefined> {
    stuck.delete(key)
    const wasHeldUp = heldUp.delete(key)
    const seen = caches.seen.get(key)
    const known = resources.get(key)
    if (known && known.metadata.uid !== seen?.metadata.uid) drop(key, known)
    if (!seen) return undefined
    const resource = resources.get(key) ?? adoptable(key, seen)
    let hasApplied = false
    const noteApplied = () => {
      hasApplied = true
    }
    try {
      const own = wasHeldUp ? { ...context, writer: notingApplies(writer, noteApplied) } : context
      const result = await bringUpToDate(own, resource, seen)
      if (hasApplied && result !== 'failed') goOnWithAll()
      if (result === 'failed') {
        resource.failures++
        queue.mark(key, backoffMs(resource.failures))
        if (isForbidden(resource)) markWhenReachable(key, 0)
      }
      if (result === 'refused') queue.mark(key, REFUSED_RECHECK_MS)
      if (result === 'unfinished') queue.mark(key, UNFINISHED_MS)
      if (result === 'settling') {
        queue.mark(key, resource.settleInMs())
        if (wasHeldUp) heldUp.add(key)
        return undefined
      }
      if (result === 'gone') return undefined
      return async () => await tell(key, resource, result === 'failed')
    } catch (error) {
      stumble(key, resource, error)
      return undefined
    }
  }

  /** Tells people how it stands: by Events and by the status. */
  async function tell(key: string, resource: Resource, hasFailed: boolean): Promise<void> {
    // What is gone has nobody to be told; what has its name now is another.
    if (caches.seen.get(key)?.metadata.uid !== resource.metadata.uid) return
    const transitions = resource.takeTransitions()
    if (transitions.length > 0) recorder.tell(resource, transitions)
    try {
      await writeStatus(resource)
      if (!hasFailed) resource.failures = 0
    } catch (error) {
      stumble(key, resource, error)
    }
  }

  /** Has a resource tried again after an error that may pass. */
  function stumble(key: string, resource: Resource, error: unknown): void {
    if (signal.aborted) return
    resource.failures++
    const waitMs = backoffMs(resource.failures, error)
    const { namespace, name } = resource.metadata
    log.warn('cannot bring up to date; trying again', {
      namespace,
      name,
      reason: messageOf(error),
      inSeconds: Math.round(waitMs / 1000),
    })
    queue.mark(key, waitMs)
    if (mayPassAnyMoment(error)) markWhenReachable(key, askedMs(error))
    else if (statusOfError(error) === 409) heldUp.add(key)
  }

  /** Does not wait a long backoff out when the API server comes back meanwhile, in `leastMs` or later. */
  function markWhenReachable(key: string, leastMs: number): void {
    stuck.set(key, performance.now() + leastMs)
    heldUp.add(key)
    if (!isScouting) void scout()
    if (isWaiting) return
    isWaiting = true
    void client.whenReachable(signal).then(() => {
      isWaiting = false
      goOnWithAll()
      // Who still hangs in a request of before begins anew too.
      for (const resource of resources.values()) resource.failures = 0
    })
  }

  /** Nobody waits a long backoff out: what held one of them up is over, and may be for all. */
  function goOnWithAll(): void {
    for (const key of heldUp) {
      const leastMs = Math.max(0, (stuck.get(key) ?? 0) - performance.now())
      queue.mark(key, leastMs + backInMs())
    }
    stuck.clear()
    heldUp.clear()
  }

  /** One of those that wait tries again every few seconds, however many there are: nobody else may ask. */
  async function scout(): Promise<void> {
    isScouting = true
    for (;;) {
      await pause(SCOUT_MS, signal)
      const [first] = stuck
      if (signal.aborted || !first) break
      const [key, fromMs] = first
      if (fromMs <= performance.now()) queue.mark(key, 0)
    }
    isScouting = false
  }

  function adoptable(key: string, seen: Seen): Resource {
    const { namespace, name } = seen.metadata
    const { debug } = log
    const resource = new Resource(seen, {
      scheduler,
      resolver,
      policy,
      onNews: () => queue.mark(key),
      onTransition: (transition) => logTransition(seen, transition),
      onAttempt:
        debug &&
        ((target, { outcome, durationMs }) =>
          debug('attempt', {
            namespace,
            name,
            target: targetText(target),
            probe: target.probe?.kind,
            result: outcome.result,
            reason: outcome.result === 'ok' ? undefined : outcome.reason,
            ms: Math.round(durationMs),
          })),
    })
    resources.set(key, resource)
    return resource
  }

  function drop(key: string, resource: Resource): void {
    resource.stop()
    resources.delete(key)
    recorder.forget(resource)
  }

  async function bringUpToDate(
    context: SyncContext,
    resource: Resource,
    seen: Seen,
  ): Promise<SyncResult | 'settling'> {
    const { metadata } = seen
    const cep = { metadata }
    const finalizers = withoutLegacyFinalizers(metadata.finalizers)
    if (finalizers.length < metadata.finalizers.length) {
      const { namespace, name } = metadata
      log.info('removing finalizers of an earlier version', { namespace, name })
      await writer.setFinalizers(metadata, finalizers)
    }
    if (metadata.deletionTimestamp !== undefined) {
      resource.stop()
      return 'gone'
    }
    if (!resource.isAdopted) {
      const [service, endpoints] = await Promise.all([
        resource.hasNames ? standingService(context, cep) : undefined,
        standingEndpoints(context, cep),
      ])
      if (service) resource.noteFamilies(serviceFamilies(service.spec))
      resource.adopt(publishedNow(context, cep, endpoints))
      // Without a plan it can be long until the first sync.
      resource.isBare = resource.hasPlan && endpoints === undefined
    }
    resource.update(seen, publishedNow(context, cep, caches.endpoints.get(keyOf(metadata))))
    if (resource.settleInMs() > 0) return 'settling'

    resource.notePublished()
    return resource.hasPlan ? await syncObjects(context, cep, resource) : 'done'
  }

  function logTransition({ metadata: { namespace, name } }: Seen, transition: Transition): void {
    const { target, isHealthy, reason } = transition
    const host = targetText(target)
    const told = { namespace, name, port: portLabel(target.servicePort), host }
    if (isHealthy) log.info('host is healthy', told)
    else log.warn('host is out', { ...told, reason })
  }

  async function writeStatus(resource: Resource): Promise<void> {
    const { metadata } = resource
    const standing = resource.standingStatus(caches.seen.get(keyOf(metadata)))
    const status = statusNow(context, resource, standing)
    if (Bun.deepEquals(status, standing)) return
    for (const { reason, message } of newTroubles(status, standing)) {
      const { namespace, name } = metadata
      log.warn('needs a person', { namespace, name, reason, message })
      recorder.warn(resource, reason, message)
    }
    try {
      // Not into the cache: the answer may hold an edit that no watch has told of yet, and must still.
      const answer = await writer.patchStatus(metadata, status)
      resource.noteWritten(readSeen(answer, caches.seen.get(keyOf(metadata))))
    } catch (error) {
      // Deleted meanwhile: the watch will say so.
      if (statusOfError(error) !== 404) throw error
    }
  }

  const done = abortOf(signal).then(async () => {
    resolver.close()
    await Promise.all([queue.close(), scheduler.close()])
  })

  return { queue, scheduler, resolver, done, metrics: () => metricsOf(resources) }
}

/**
 * Conditions that say no, and did not say so in the status that stands. Ready only sums the others up;
 * a Service that is refused speaks in two conditions, and is told once.
 */
function newTroubles(status: Status, standing: Status | undefined): Iterable<Condition> {
  const troubles = status.conditions.filter(({ type, status: answer, reason, message }) => {
    if (answer !== 'False' || type === 'Ready' || reason === PREDECESSOR) return false
    const before = standing?.conditions.find((condition) => condition.type === type)
    return before?.status !== 'False' || before.reason !== reason || before.message !== message
  })
  return new Map(
    troubles.map((trouble) => [`${trouble.reason} ${trouble.message}`, trouble]),
  ).values()
}

/** Milliseconds until one of many that may go on does. */
function backInMs(): number {
  return BACK_MS * (1 + Math.random())
}

/** Whether a write was refused for want of a role: others may get theirs back at the same moment. */
function isForbidden({ service, endpoints }: Resource): boolean {
  return [service, endpoints].some((state) => state?.ok === false && state.reason === 'Forbidden')
}

function* metricsOf(resources: ReadonlyMap<string, Resource>): Generator<ResourceMetrics> {
  for (const resource of resources.values()) {
    const { namespace, name } = resource.metadata
    const { plan, counters } = resource
    const targets = plan.targets.length + plan.refused.length + plan.unresolved.length
    yield { namespace, name, healthy: resource.healthyTargets.length, targets, counters }
  }
}
