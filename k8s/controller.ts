// Joins the rest: watches feed caches and mark work, and whoever leads does the work (k8s/leading.ts).
// Caches stay warm always; probing and writing happen only while leading.

import { readEndpoints } from '../crds/endpoints.ts'
import { MANAGED_LABEL, MANAGED_VALUE } from '../crds/metadata.ts'
import { readService } from '../crds/service.ts'
import type { Resolver } from '../dns/resolver.ts'
import type { Scheduler } from '../probes/scheduler.ts'
import { abortOf } from './abort.ts'
import { messageOf } from './errors.ts'
import { type Leading, type LeadingOptions, startLeading } from './leading.ts'
import { createLiveCache } from './live.ts'
import type { ResourceMetrics } from './metrics.ts'
import { CLUSTER_ENDPOINTS, publishedCollection } from './paths.ts'
import type { WorkQueue } from './queue.ts'
import { type Reflector, startReflector } from './reflector.ts'
import { readSeen } from './resource.ts'
import { startSlices } from './slices.ts'
import type { Permit } from './writer.ts'

export type ControllerOptions = LeadingOptions & {
  /** Ends the watches. */
  readonly signal: AbortSignal
}

export type Controller = {
  /** Resolves when all caches are filled. */
  readonly synced: Promise<unknown>
  /** Resolves when all watches have ended. */
  readonly done: Promise<unknown>
  /** Probes and publishes as long as `permit` holds; resolves when nothing is under way any more. */
  readonly lead: (permit: Permit) => Promise<void>
  readonly resources: () => Iterable<ResourceMetrics>
  readonly schedulerStats: () => ReturnType<Scheduler['stats']>
  readonly resolverStats: () => ReturnType<Resolver['stats']>
  readonly queueStats: () => ReturnType<WorkQueue['stats']>
  readonly reflectors: Readonly<Record<string, Reflector>>
}

/** Milliseconds that the last list may be old when we begin to lead: as at a start, no older. */
const CACHE_AGE_MAX_MS = 1_000

export function startController(options: ControllerOptions): Controller {
  const { client, log, signal, publish } = options
  let leading: Leading | undefined
  const onNews = (key: string) => leading?.queue.mark(key)
  const onUnreadable = (error: unknown) =>
    log.error('cannot read an object of the API server', { reason: messageOf(error) })

  const seen = createLiveCache({ read: readSeen, onNews, onUnreadable })
  const services = createLiveCache({ read: readService, onNews, onUnreadable })
  const endpoints = createLiveCache({ read: readEndpoints, onNews, onUnreadable })
  const slices = startSlices({
    client,
    log,
    signal,
    isRequired: publish === 'slices' || publish === 'both',
    onNews,
    onAvailable: () => {
      for (const key of seen.keys()) onNews(key)
    },
    onUnreadable,
  })
  const labelSelector = `${MANAGED_LABEL}=${MANAGED_VALUE}`
  const shared = { client, log, signal }
  const reflectors = {
    clusterendpoints: startReflector({ ...shared, path: CLUSTER_ENDPOINTS, ...seen }),
    services: startReflector({
      ...shared,
      path: publishedCollection('services'),
      labelSelector,
      ...services,
    }),
    endpoints: startReflector({
      ...shared,
      path: publishedCollection('endpoints'),
      labelSelector,
      ...endpoints,
    }),
    endpointslices: slices.reflector,
  }
  const all = Object.values(reflectors)

  return {
    synced: Promise.all(all.map(({ synced }) => synced)),
    done: Promise.all(all.map(({ done }) => done)),
    lead: async (permit) => {
      // What another leader published is what we go on from: not what a watch told that may be dead.
      const isFresh = Promise.all(all.map(({ refresh }) => refresh(CACHE_AGE_MAX_MS)))
      await Promise.race([isFresh, abortOf(permit.signal)])
      if (permit.signal.aborted) return
      leading = startLeading(options, { seen, services, endpoints, slices }, permit)
      for (const key of seen.keys()) leading.queue.mark(key, 0)
      await leading.done
      leading = undefined
    },
    resources: () => leading?.metrics() ?? [],
    schedulerStats: () => leading?.scheduler.stats() ?? idleScheduler,
    resolverStats: () => leading?.resolver.stats() ?? idleResolver,
    queueStats: () => leading?.queue.stats() ?? { pending: 0, running: 0 },
    reflectors,
  }
}

const idleScheduler = { inFlight: 0, waiting: 0, latenessMs: 0, overdueMs: 0, stalls: 0 }

const idleResolver = { names: 0, failing: 0, inFlight: 0, told: 0, failed: 0 }
