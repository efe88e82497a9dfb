// Leader election on a Lease, as client-go does it: one replica probes and writes, the others stand by.
// There is no fencing in it; writes are idempotent, and a leader stops before another may start.

import * as v from 'valibot'
import { pause } from './backoff.ts'
import type { ApiClient } from './client.ts'
import { messageOf, statusOfError } from './errors.ts'
import type { Log } from './log.ts'
import { leasePath, leasesPath, type Named } from './paths.ts'

export type LeaseOptions = Named & {
  readonly client: Pick<ApiClient, 'request'>
  readonly log: Log
  /** Who we are; unlike any other replica, and unlike ourselves after a restart. */
  readonly identity: string
  /** Milliseconds after the last renewal at which others may take the lease. */
  readonly durationMs: number
  /** Milliseconds after the last renewal at which we stop leading; less than `durationMs`. */
  readonly renewDeadlineMs: number
  /** Milliseconds between attempts to take or renew it. */
  readonly retryMs: number
  /** Monotonic and wall clock, milliseconds. */
  readonly monotonicMs?: () => number
  readonly wallMs?: () => number
}

export type Election = {
  /** Whether the lease is ours beyond doubt right now: asked before each write. */
  readonly isHeld: () => boolean
  /**
   * Stands by, and calls `lead` each time the lease is ours; its signal aborts when it no longer is.
   * Resolves when `signal` has aborted and the lease was released. Rejects only if `lead` does.
   */
  readonly run: (lead: (signal: AbortSignal) => Promise<void>, signal: AbortSignal) => Promise<void>
}

/** Share of the retry period by which waits differ, so that replicas do not ask in step. */
const JITTER = 0.2
/** Milliseconds that giving the lease back may take: the process is ending. */
const RELEASE_MAX_MS = 1_000

const leaseSchema = v.object({
  metadata: v.object({ resourceVersion: v.string() }),
  spec: v.optional(
    v.object({
      holderIdentity: v.nullish(v.string(), ''),
      leaseDurationSeconds: v.nullish(v.number(), 0),
      acquireTime: v.nullish(v.string()),
      renewTime: v.nullish(v.string()),
      leaseTransitions: v.nullish(v.number(), 0),
    }),
    {},
  ),
})

type Record = v.InferOutput<typeof leaseSchema>

export function createElection(options: LeaseOptions): Election {
  const { client, log, identity, durationMs, renewDeadlineMs, retryMs } = options
  const { monotonicMs = () => performance.now(), wallMs = Date.now } = options
  /** The record as last seen, and when it was first seen so: expiry counts from there, not from the holder's clock. */
  let observed: { readonly record: Record; readonly atMs: number } | undefined
  /** When we last renewed, by both clocks: the monotonic one stands still while a node is suspended. */
  let renewed: { readonly monotonicMs: number; readonly wallMs: number } | undefined

  function sinceRenewalMs(): number {
    if (!renewed) return Number.POSITIVE_INFINITY
    return Math.max(monotonicMs() - renewed.monotonicMs, wallMs() - renewed.wallMs)
  }

  function observe(record: Record): void {
    const isSame = observed?.record.metadata.resourceVersion === record.metadata.resourceVersion
    if (!isSame) observed = { record, atMs: monotonicMs() }
  }

  /** Milliseconds until the record that we see may be taken; 0 if it may be now. */
  function takeableInMs(): number {
    const spec = observed?.record.spec
    if (!observed || !spec?.holderIdentity || spec.holderIdentity === identity) return 0
    // The holder's own duration counts, not ours.
    const expiresMs = observed.atMs + (spec.leaseDurationSeconds ?? 0) * 1000
    return Math.max(0, expiresMs - monotonicMs())
  }

  /** One attempt to take or renew the lease. Returns whether it is ours; throws what the API server threw. */
  async function tryHold(timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    // Taken before the request: others count from when they see it, which is later.
    const now = { monotonicMs: monotonicMs(), wallMs: wallMs() }
    const isOurs = renewed !== undefined && observed?.record.spec.holderIdentity === identity
    if (!isOurs || !(await tryPut(timeoutMs, signal))) {
      const found = await find(timeoutMs, signal)
      if (found) {
        observe(found)
        if (takeableInMs() > 0) return false
      }
      const isPut = found ? await tryPut(timeoutMs, signal) : await create(timeoutMs, signal)
      if (!isPut) return false
    }
    renewed = now
    return true
  }

  async function find(timeoutMs: number, signal: AbortSignal): Promise<Record | undefined> {
    try {
      const path = leasePath(options)
      const request = { method: 'GET', path, channel: 'lease', timeoutMs, signal } as const
      return v.parse(leaseSchema, await client.request(request))
    } catch (error) {
      if (statusOfError(error) === 404) return undefined
      throw error
    }
  }

  async function create(timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    const path = leasesPath(options.namespace)
    const body = bodyOf({ holderIdentity: identity })
    return await put({ method: 'POST', path, body, channel: 'lease', timeoutMs, signal })
  }

  /** Writes ourselves into the record as last seen; false if somebody was faster. */
  async function tryPut(timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    const path = leasePath(options)
    const body = bodyOf({ holderIdentity: identity })
    return await put({ method: 'PUT', path, body, channel: 'lease', timeoutMs, signal })
  }

  async function put(request: Parameters<ApiClient['request']>[0]): Promise<boolean> {
    try {
      observe(v.parse(leaseSchema, await client.request(request)))
      return true
    } catch (error) {
      // Somebody was faster, or an answer was lost and the write repeated: the record tells.
      if (statusOfError(error) === 409 || statusOfError(error) === 404) return false
      throw error
    }
  }

  function bodyOf(wanted: { readonly holderIdentity: string }): unknown {
    const before = observed?.record
    const spec = before?.spec
    const now = microTime(wallMs())
    const isReleased = wanted.holderIdentity === ''
    const isContinued = spec?.holderIdentity === identity
    const taken = before && !isContinued ? 1 : 0
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        name: options.name,
        namespace: options.namespace,
        ...(before ? { resourceVersion: before.metadata.resourceVersion } : {}),
      },
      spec: {
        ...wanted,
        leaseDurationSeconds: isReleased ? 1 : Math.ceil(durationMs / 1000),
        acquireTime: isContinued ? (spec.acquireTime ?? now) : now,
        renewTime: now,
        leaseTransitions: (spec?.leaseTransitions ?? 0) + taken,
      },
    }
  }

  /** Tries until the lease is ours or `signal` aborts. */
  async function acquire(signal: AbortSignal): Promise<void> {
    let lastHolder: string | undefined
    while (!signal.aborted) {
      try {
        if (await tryHold(renewDeadlineMs, signal)) return
        const holder = observed?.record.spec.holderIdentity ?? ''
        if (holder !== lastHolder) log.info('standing by', { leader: holder })
        lastHolder = holder
      } catch (error) {
        if (signal.aborted) return
        log.warn('cannot ask for the lease; trying again', { reason: messageOf(error) })
      }
      const untilTakeable = takeableInMs() || Number.POSITIVE_INFINITY
      await pause(Math.min(jittered(retryMs), untilTakeable), signal)
    }
  }

  /** Renews until that has failed for the deadline or `signal` aborts. */
  async function keep(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await pause(Math.min(retryMs, renewDeadlineMs - sinceRenewalMs()), signal)
      const leftMs = renewDeadlineMs - sinceRenewalMs()
      if (signal.aborted || leftMs <= 0) return
      try {
        if (await tryHold(Math.min(leftMs, renewDeadlineMs / 2), signal)) continue
        log.warn('another replica holds the lease')
        return
      } catch (error) {
        if (signal.aborted) return
        log.warn('cannot renew the lease; trying again', { reason: messageOf(error) })
      }
    }
  }

  async function release(): Promise<void> {
    const signal = AbortSignal.timeout(RELEASE_MAX_MS)
    try {
      const path = leasePath(options)
      const body = bodyOf({ holderIdentity: '' })
      await put({ method: 'PUT', path, body, channel: 'lease', timeoutMs: RELEASE_MAX_MS, signal })
      log.info('released the lease')
    } catch (error) {
      log.warn('cannot release the lease; it will expire', { reason: messageOf(error) })
    }
  }

  async function run(
    lead: (signal: AbortSignal) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    while (!signal.aborted) {
      await acquire(signal)
      if (signal.aborted) break
      log.info('leading', { identity })
      const lost = new AbortController()
      const either = AbortSignal.any([signal, lost.signal])
      const kept = keep(either).then(() => lost.abort(new Error('the lease is lost')))
      await lead(either)
      await kept
      if (signal.aborted) break
      renewed = undefined
      log.error('lost the lease; standing by')
    }
    const isOurs = observed?.record.spec.holderIdentity === identity
    if (isOurs && sinceRenewalMs() < durationMs) await release()
    renewed = undefined
  }

  return { isHeld: () => sinceRenewalMs() < renewDeadlineMs, run }
}

function jittered(ms: number): number {
  return ms * (1 + JITTER * Math.random())
}

/** RFC 3339 with microseconds, as Lease times are. */
function microTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, -1)}000Z`
}
