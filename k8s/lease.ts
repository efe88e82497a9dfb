// Leader election on a Lease, as client-go does it: one replica probes and writes, the others stand by.
// There is no fencing in it; writes are idempotent, and a leader stops before another may start.

import * as v from 'valibot'
import { pause } from './backoff.ts'
import type { ApiClient, ApiRequest } from './client.ts'
import { messageOf, NetworkError, statusOfError } from './errors.ts'
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
  /** Waits `ms`, or until the signal aborts; never rejects. For tests, which own the time. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>
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

const never = new AbortController().signal

const leaseSchema = v.object({
  // Labels and annotations of others go back as they came.
  metadata: v.looseObject({ resourceVersion: v.string() }),
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
  const { monotonicMs = () => performance.now(), wallMs = Date.now, sleep = pause } = options
  /** One of several requests of an attempt may take so long. */
  const requestMs = renewDeadlineMs / 2
  /** The record as last seen, and when its spec was first seen so: expiry counts from there, not from the holder's clock. */
  let observed: { readonly record: Record; readonly atMs: number } | undefined
  /** When we last renewed, by both clocks: the monotonic one stands still while a node is suspended. */
  let renewed: { readonly monotonicMs: number; readonly wallMs: number } | undefined

  function sinceRenewalMs(): number {
    if (!renewed) return Number.POSITIVE_INFINITY
    return Math.max(monotonicMs() - renewed.monotonicMs, wallMs() - renewed.wallMs)
  }

  function observe(record: Record): void {
    // By what it says, not by its version: a label that somebody changes is no renewal.
    const isSame = Bun.deepEquals(observed?.record.spec, record.spec)
    observed = { record, atMs: observed && isSame ? observed.atMs : monotonicMs() }
  }

  function isOurs(): boolean {
    return observed?.record.spec.holderIdentity === identity
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
  async function tryHold(signal: AbortSignal): Promise<boolean> {
    // Taken before the request: others count from when they see it, which is later.
    const now = { monotonicMs: monotonicMs(), wallMs: wallMs() }
    const isRenewal = renewed !== undefined && isOurs()
    if (!isRenewal || !(await tryPut(identity, signal))) {
      const found = await find(signal)
      if (found) {
        observe(found)
        if (takeableInMs() > 0) return false
      } else {
        observed = undefined
      }
      const isPut = found ? await tryPut(identity, signal) : await create(signal)
      if (!isPut) return false
    }
    renewed = now
    return true
  }

  async function find(signal: AbortSignal): Promise<Record | undefined> {
    try {
      const path = leasePath(options)
      return await ask({ method: 'GET', path, signal })
    } catch (error) {
      if (statusOfError(error) === 404) return undefined
      throw error
    }
  }

  /** False if somebody was faster. */
  async function create(signal: AbortSignal): Promise<boolean> {
    const path = leasesPath(options.namespace)
    try {
      observe(await ask({ method: 'POST', path, body: bodyOf(identity), signal }))
      return true
    } catch (error) {
      // 404 would be the namespace: that is to be told.
      if (statusOfError(error) === 409) return false
      throw error
    }
  }

  /** Writes `holder` into the record as last seen; false if somebody was faster. */
  async function tryPut(holder: string, signal: AbortSignal): Promise<boolean> {
    try {
      const path = leasePath(options)
      observe(await ask({ method: 'PUT', path, body: bodyOf(holder), signal }))
      return true
    } catch (error) {
      // Or an answer was lost and the write repeated: the record tells.
      if (statusOfError(error) === 409 || statusOfError(error) === 404) return false
      throw error
    }
  }

  async function ask(request: ApiRequest): Promise<Record> {
    const answer = await client.request({ ...request, channel: 'lease', timeoutMs: requestMs })
    return v.parse(leaseSchema, answer)
  }

  function bodyOf(holderIdentity: string): unknown {
    const before = observed?.record
    const spec = before?.spec
    const now = microTime(wallMs())
    const isContinued = spec?.holderIdentity === identity
    const taken = before && !isContinued ? 1 : 0
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { ...before?.metadata, name: options.name, namespace: options.namespace },
      spec: {
        holderIdentity,
        leaseDurationSeconds: holderIdentity === '' ? 1 : Math.ceil(durationMs / 1000),
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
        if (await tryHold(signal)) return
        const holder = observed?.record.spec.holderIdentity ?? ''
        if (holder !== lastHolder) log.info('standing by', { leader: holder })
        lastHolder = holder
      } catch (error) {
        if (signal.aborted) return
        log.warn('cannot ask for the lease; trying again', { reason: messageOf(error) })
      }
      const untilTakeable = takeableInMs() || Number.POSITIVE_INFINITY
      await sleep(Math.min(jittered(retryMs), untilTakeable), signal)
    }
  }

  /** Renews until that has failed for the deadline or `signal` aborts. */
  async function keep(signal: AbortSignal): Promise<void> {
    let beganMs = monotonicMs()
    while (!signal.aborted) {
      // From beginning to beginning, so that slow answers leave room for another attempt.
      const waitMs = beganMs + retryMs - monotonicMs()
      await sleep(Math.min(waitMs, renewDeadlineMs - sinceRenewalMs()), signal)
      beganMs = monotonicMs()
      const leftMs = renewDeadlineMs - sinceRenewalMs()
      if (signal.aborted || leftMs <= 0) return
      try {
        const isHeld = await within(leftMs, signal, tryHold)
        if (isHeld || isOurs()) continue
        log.warn('another replica holds the lease', {
          leader: observed?.record.spec.holderIdentity ?? '',
        })
        return
      } catch (error) {
        if (signal.aborted) return
        log.warn('cannot renew the lease; trying again', { reason: messageOf(error) })
      }
    }
  }

  /** Runs `attempt`, all of its requests together, for `ms` at most. */
  async function within<T>(
    ms: number,
    signal: AbortSignal,
    attempt: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const over = new AbortController()
    const either = AbortSignal.any([signal, over.signal])
    void sleep(ms, either).then(() => over.abort(new NetworkError('not renewed in time')))
    try {
      return await attempt(either)
    } finally {
      over.abort()
    }
  }

  /** A renewal that was cut off may have taken effect: then the record is read again. */
  async function release(): Promise<void> {
    try {
      const isReleased = await within(RELEASE_MAX_MS, never, async (signal) => {
        if (await tryPut('', signal)) return true
        const found = await find(signal)
        if (found) observe(found)
        return found !== undefined && isOurs() && (await tryPut('', signal))
      })
      if (isReleased) log.info('released the lease')
      else log.info('the lease is no longer ours to release')
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
    if (isOurs() && sinceRenewalMs() < durationMs) await release()
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
