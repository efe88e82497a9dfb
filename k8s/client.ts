// Requests to the API server, by Bun's fetch. Separate connections for separate purposes, so that a
// dead one is not found out one request at a time, and a slow watch never holds a write.

import * as v from 'valibot'
import type { ClusterConfig } from './config.ts'
import { ApiError, isOutage, messageOf, NetworkError } from './errors.ts'

/** Which connections a request uses: writes and reads, watches, or the leader's lease. */
export type Channel = 'main' | 'watch' | 'lease'

export type ApiRequest = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly contentType?: string
  readonly channel?: Channel
  /** Milliseconds for the whole answer. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal | undefined
  /** Called right before it is sent, a second time as well; what it throws is thrown instead. */
  readonly assertPermitted?: () => void
}

export type ApiClient = {
  /** The parsed JSON of a successful answer. Throws ApiError or NetworkError; the signal's reason when aborted. */
  readonly request: (request: ApiRequest) => Promise<unknown>
  /** The body of a successful GET as it arrives, without any timeout: the caller has its own watchdogs. */
  readonly stream: (
    path: string,
    query: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ) => Promise<AsyncIterable<Uint8Array>>
  /**
   * Resolves when the API server does its work again after an outage of some seconds, without an
   * answer or with nothing but 401, 403, 429 and 5xx; or when `signal` aborts. A blip is none: whoever met it waits shortly.
   */
  readonly whenReachable: (signal: AbortSignal) => Promise<void>
}

export type ClientOptions = {
  readonly userAgent: string
  /** Told of each answer; status 0 means that there was none. */
  readonly onAnswer?: (method: string, path: string, status: number) => void
}

/** Milliseconds for one object. Applies are idempotent: trying again costs less than a worker that waits. */
const REQUEST_TIMEOUT_MS = 5_000
/** Milliseconds a Retry-After may ask for at most. */
const RETRY_AFTER_MAX_MS = 60_000
/** Characters of an error answer that end up in messages. */
const ERROR_LENGTH_MAX = 512
/** Bytes of an error answer that are read. */
const ERROR_BYTES_MAX = 64 * 1024
/**
 * Milliseconds. Longer than the lease is renewed apart: one object that is refused for ever must not be
 * asked for again each time that something else succeeds.
 */
const OUTAGE_MIN_MS = 2_500

export function createClient(config: ClusterConfig, options: ClientOptions): ApiClient {
  const { userAgent, onAnswer = () => {} } = options
  const sessions: Record<Channel, Bun.FetchSession> = {
    main: newSession(config),
    watch: newSession(config),
    lease: newSession(config),
  }
  const reach = createReach()

  async function send(request: ApiRequest, signal: AbortSignal, accept: string): Promise<Response> {
    const { method, path, query, body, channel = 'main' } = request
    const { headers, tls } = await unlessAborted(config.credentials(), signal)
    const url = `${config.server}${path}${query ? queryText(query) : ''}`
    const session = sessions[channel]
    // Only now: credentials can take a while.
    request.assertPermitted?.()
    let response: Response
    try {
      response = await session.fetch(url, {
        method,
        signal,
        tls,
        // Our own deadlines are kept by `signal`; Bun's idle timeout would end quiet watches.
        timeout: false,
        redirect: 'error',
        headers: {
          ...headers,
          Accept: accept,
          'User-Agent': userAgent,
          ...(body === undefined
            ? {}
            : { 'Content-Type': request.contentType ?? 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
    } catch (cause) {
      throw lost(request, cause)
    }
    onAnswer(method, path, response.status)
    if (isOutage(response.status)) reach.isLost()
    else reach.isReached()
    if (response.ok) return response
    if (response.status === 401) config.forget()
    throw await errorOf(response)
  }

  /** The connection failed: drop all that share its fate, remember that the server is out of reach. */
  function lost(request: ApiRequest, cause: unknown): unknown {
    const { method, path, channel = 'main', signal } = request
    if (signal?.aborted) return signal.reason
    sessions[channel].close()
    config.doubt()
    reach.isLost()
    onAnswer(method, path, 0)
    if (cause instanceof NetworkError) return cause
    return new NetworkError(`${method} ${path}: ${messageOf(cause)}`, { cause })
  }

  async function once(request: ApiRequest): Promise<unknown> {
    const { method, path, signal, timeoutMs = REQUEST_TIMEOUT_MS } = request
    const either = new AbortController()
    // Not AbortSignal.any: a signal that lives long remembers all that were made of it until they are collected.
    const onAbort = () => either.abort(signal?.reason)
    if (signal?.aborted) onAbort()
    signal?.addEventListener('abort', onAbort, { once: true })
    const timer = setTimeout(
      () => either.abort(new NetworkError(`${method} ${path}: no answer in ${timeoutMs / 1000}s`)),
      timeoutMs,
    )
    try {
      const response = await send(request, either.signal, 'application/json')
      try {
        return await response.json()
      } catch (cause) {
        throw lost(request, cause)
      }
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
  }

  return {
    async request(request) {
      try {
        return await once(request)
      } catch (error) {
        // Reads and applies are idempotent: what was lost on a connection that had died is sent once more.
        const isIdempotent = request.method === 'GET' || request.method === 'PATCH'
        if (!isIdempotent || !(error instanceof NetworkError) || !isReset(error)) throw error
        return await once(request)
      }
    },
    async stream(path, query, signal) {
      const request: ApiRequest = { method: 'GET', path, query, channel: 'watch', signal }
      const response = await send(request, signal, 'application/json')
      const { body } = response
      if (!body) throw new NetworkError(`GET ${path}: an answer without a body`)
      return (async function* () {
        try {
          yield* body
        } catch (cause) {
          throw lost(request, cause)
        }
      })()
    },
    whenReachable: reach.wait,
  }
}

/** `promise`, or the reason of `signal` as soon as it aborts: a plugin for credentials may hang. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  // As good as always: what is known already needs no race.
  if (Bun.peek.status(promise) === 'fulfilled') return await promise
  const aborted = Promise.withResolvers<never>()
  const onAbort = () => aborted.reject(signal.reason)
  if (signal.aborted) onAbort()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([promise, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

function newSession({ proxy }: ClusterConfig): Bun.FetchSession {
  return new Bun.FetchSession({ proxy: proxy ?? false })
}

function queryText(query: Readonly<Record<string, string>>): string {
  const text = new URLSearchParams(query).toString()
  return text === '' ? '' : `?${text}`
}

function isReset(error: NetworkError): boolean {
  const code = error.cause instanceof Error && 'code' in error.cause ? error.cause.code : undefined
  return code === 'ECONNRESET' || code === 'EPIPE' || code === 'ConnectionClosed'
}

const statusSchema = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({ reason: v.optional(v.string(), ''), message: v.optional(v.string(), '') }),
)

async function errorOf(response: Response): Promise<ApiError> {
  const text = await (isShort(response) ? response.text().catch(() => '') : beginningOf(response))
  const parsed = v.safeParse(statusSchema, text)
  const { reason, message } = parsed.success ? parsed.output : { reason: '', message: '' }
  const told = (message || `HTTP ${response.status}`).slice(0, ERROR_LENGTH_MAX)
  return new ApiError(
    response.status,
    reason,
    told,
    retryAfterMs(response.headers.get('retry-after')),
  )
}

/** Whether it says that it is: then it is read without a stream, which costs more than the answer. */
function isShort({ headers }: Response): boolean {
  const bytes = Number(headers.get('content-length') ?? Number.POSITIVE_INFINITY)
  return bytes <= ERROR_BYTES_MAX && !headers.has('content-encoding')
}

/** What of the body fits; less if it breaks off. */
async function beginningOf({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  try {
    for await (const chunk of body ?? []) {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes > ERROR_BYTES_MAX) break
    }
  } catch {
    // The status is what counts; the text is for people.
  }
  return new TextDecoder().decode(Buffer.concat(chunks))
}

/** Retry-After in milliseconds: seconds or an HTTP date, bounded; undefined if absent or garbage. */
export function retryAfterMs(header: string | null, nowMs = Date.now()): number | undefined {
  const text = header?.trim() ?? ''
  // Date.parse alone takes `1.5` and `-1` for years.
  const date = /^[A-Z][a-z]{2}/.test(text) ? Date.parse(text) : Number.NaN
  const wanted = /^\d+$/.test(text) ? Number(text) * 1000 : date - nowMs
  if (Number.isNaN(wanted)) return undefined
  return Math.min(Math.max(wanted, 0), RETRY_AFTER_MAX_MS)
}

type Reach = {
  readonly isReached: () => void
  readonly isLost: () => void
  readonly wait: (signal: AbortSignal) => Promise<void>
}

/** Whether the API server does its work, so that all who wait for it go on when the first one finds it back. */
function createReach(): Reach {
  let lostAtMs: number | undefined
  const waiting = new Set<() => void>()
  return {
    isReached: () => {
      const isBack = lostAtMs !== undefined && performance.now() - lostAtMs >= OUTAGE_MIN_MS
      lostAtMs = undefined
      if (isBack) for (const goOn of waiting) goOn()
    },
    isLost: () => {
      lostAtMs ??= performance.now()
    },
    wait: async (signal) => {
      if (signal.aborted) return
      const { promise, resolve } = Promise.withResolvers<void>()
      waiting.add(resolve)
      signal.addEventListener('abort', () => resolve(), { once: true })
      await promise
      waiting.delete(resolve)
    },
  }
}
