// How long to wait after failures: exponential with jitter, Retry-After honoured, cut short when the
// API server is found to be back.

import type { ApiClient } from './client.ts'
import { ApiError, isOutage, NetworkError } from './errors.ts'

/** Milliseconds. Source: client-go tools/cache/reflector.go: 0.8 s doubling to 30 s, jitter factor 1. */
const BASE_MS = 800
const CAP_MS = 30_000

/** Milliseconds to wait after the `failures`-th failure in a row (1 = the first). `random` is from 0 up to 1. */
export function backoffMs(failures: number, error?: unknown, random = Math.random()): number {
  const exponential = Math.min(BASE_MS * 2 ** Math.min(failures - 1, 10), CAP_MS)
  return Math.max(exponential * (1 + random), askedMs(error))
}

/**
 * Waits that long, or until the API server is found to be back, but never less than it asked for; or
 * until `signal` aborts. Never rejects.
 */
export async function backOff(
  failures: number,
  error: unknown,
  client: Pick<ApiClient, 'whenReachable'>,
  signal: AbortSignal,
): Promise<void> {
  const waitMs = backoffMs(failures, error)
  if (!mayPassAnyMoment(error)) return await pause(waitMs, signal)
  const done = new AbortController()
  const either = AbortSignal.any([signal, done.signal])
  // From now on: it may come back within the first wait.
  const isBack = client.whenReachable(either)
  const first = Math.max(Math.min(waitMs, BASE_MS), askedMs(error))
  await pause(first, either)
  await Promise.race([pause(waitMs - first, either), isBack])
  done.abort()
}

/**
 * Whether `error` is over as soon as the API server does its work for us again: no answer, or one that
 * it knows us not, that we may do nothing, that it has too much to do, or 5xx.
 */
export function mayPassAnyMoment(error: unknown): boolean {
  return error instanceof NetworkError || (error instanceof ApiError && isOutage(error.status))
}

/** Milliseconds that the API server asked for by Retry-After; 0 if it did not. */
export function askedMs(error: unknown): number {
  return error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0
}

/** Waits `ms`, or until `signal` aborts. Never rejects. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted || ms <= 0) return
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  const onAbort = () => resolve()
  signal.addEventListener('abort', onAbort, { once: true })
  await promise
  clearTimeout(timer)
  signal.removeEventListener('abort', onAbort)
}
