// List, then watch: keeps somebody informed of a collection, through every way in which that can break.

import * as v from 'valibot'
import { backOff, pause } from './backoff.ts'
import type { ApiClient } from './client.ts'
import { ApiError, messageOf, NetworkError, statusOfError } from './errors.ts'
import { jsonLines } from './lines.ts'
import { listAll } from './list.ts'
import type { Log } from './log.ts'
import { CLUSTER_ENDPOINTS } from './paths.ts'
import { isNewer } from './versions.ts'

export type ReflectorOptions = {
  readonly client: ApiClient
  readonly log: Log
  /** Path of the collection, over all namespaces. */
  readonly path: string
  /** Where the collection is served now, if that may change; `path` is then only what it is called. */
  readonly locate?: () => Promise<string>
  readonly labelSelector?: string
  /** The whole collection anew: what is not in it is gone. */
  readonly onReplace: (objects: readonly unknown[], version: string) => void
  readonly onChange: (type: Change, object: unknown) => void
  /** Told why it does not get through, each time that a round has failed. */
  readonly onTrouble?: (error: unknown) => void
  readonly signal: AbortSignal
  /** Milliseconds without a byte after which a watch counts as dead. */
  readonly silenceMs?: number
}

export type Change = 'ADDED' | 'MODIFIED' | 'DELETED'

export type Reflector = {
  /** Resolves when the first list is in; never if the signal aborts before. */
  readonly synced: Promise<void>
  /** Resolves when the signal has aborted and all is closed. Rejects only for a bug. */
  readonly done: Promise<void>
  /**
   * Resolves when a list is in that was begun after this call, or at once if the last one was begun less
   * than `ageMaxMs` ago: a watch can be dead for a while without anybody knowing. Never rejects.
   */
  readonly refresh: (ageMaxMs: number) => Promise<void>
  readonly state: () => ReflectorState
}

export type ReflectorState = {
  readonly isSynced: boolean
  /** Monotonic milliseconds of the last sign of life: a byte, an answer, a retry. */
  readonly lastSignMs: number
  readonly lists: number
  readonly watches: number
  /** Why it does not get through at the moment; undefined while it does. */
  readonly trouble: string | undefined
}

/** Seconds. Source: client-go asks the server to end watches after 5 to 10 minutes. */
const WATCH_SECONDS_MIN = 300
/** Milliseconds that a server may take longer than asked for to end a watch. */
const WATCH_GRACE_MS = 30_000
/** Milliseconds. Bookmarks come about each minute; one that is late by half again means a dead connection. */
const SILENCE_MS = 90_000
/** Milliseconds. A watch that ends sooner without an event is a failure, and no two begin within less. */
const SHORT_WATCH_MS = 1_000
/** Milliseconds after a list in which what it gave may be said to be too old only once, before we wait. */
const FRESH_LIST_MS = 5_000
/** Failures in a row from which a version that the server stumbles over is given up. */
const STUBBORN_MAX = 3
/**
 * Whatever it was, that it is over is noticed within seconds: the wait grows no further than after so many
 * failures, to 1.6 to 3.2 s. There are four of us at most, not one for each resource.
 */
const PATIENCE_MAX = 2

const eventSchema = v.object({ type: v.string(), object: v.unknown() })

const versionSchema = v.object({ metadata: v.object({ resourceVersion: v.string() }) })

const statusSchema = v.object({
  code: v.optional(v.number(), 0),
  reason: v.optional(v.string(), ''),
  message: v.optional(v.string(), ''),
})

/** Starts to list and watch; goes on until the signal aborts. */
export function startReflector(options: ReflectorOptions): Reflector {
  const { signal, client, log, path, locate = async () => path } = options
  const synced = Promise.withResolvers<void>()
  const state = { isSynced: false, lastSignMs: performance.now(), lists: 0, watches: 0 }
  let trouble: string | undefined
  /** When the last list that is in was begun, and when it was in. */
  let begunMs = Number.NEGATIVE_INFINITY
  let listedMs = Number.NEGATIVE_INFINITY
  /** Who waits for a list anew, and what cuts short all that is not one. */
  let asked: PromiseWithResolvers<void> | undefined
  let interrupt = new AbortController()

  async function run(): Promise<void> {
    let version: string | undefined
    let failures = 0
    while (!signal.aborted) {
      state.lastSignMs = performance.now()
      interrupt = new AbortController()
      const round = AbortSignal.any([signal, interrupt.signal])
      try {
        if (version === undefined || asked) {
          const answered = asked
          const nowMs = performance.now()
          version = await list()
          begunMs = nowMs
          listedMs = performance.now()
          state.isSynced = true
          synced.resolve()
          answered?.resolve()
          if (asked === answered) asked = undefined
        }
        const startedMs = performance.now()
        const seen = await watch(version, round, (next) => {
          if (version === undefined || isNewer(next, version)) version = next
          failures = 0
        })
        const leftMs = startedMs + SHORT_WATCH_MS - performance.now()
        if (seen === 0 && leftMs > 0) throw new Error('the watch ended at once')
        failures = 0
        await pause(leftMs, round)
      } catch (error) {
        if (signal.aborted) return
        if (interrupt.signal.aborted) continue
        failures++
        if (needsList(error, failures)) version = undefined
        const isFresh = performance.now() - listedMs < FRESH_LIST_MS
        if (isExpired(error) && failures === 1 && !isFresh) continue
        troubled(error)
        await backOff(Math.min(failures, PATIENCE_MAX), error, client, round)
      }
    }
  }

  function recovered(): void {
    if (trouble !== undefined) log.info('watching again', { path })
    trouble = undefined
  }

  function troubled(error: unknown): void {
    const reason = explain(path, error)
    if (reason !== trouble) log.warn('cannot watch; trying again', { path, reason })
    trouble = reason
    options.onTrouble?.(error)
  }

  async function list(): Promise<string> {
    const { items, resourceVersion } = await listAll(client, await locate(), {
      query: selector(options),
      signal,
      onPage: () => {
        state.lastSignMs = performance.now()
      },
    })
    state.lists++
    options.onReplace(items, resourceVersion)
    return resourceVersion
  }

  /** Watches from `version` until the server ends it; returns how many events came. */
  async function watch(
    version: string,
    round: AbortSignal,
    onVersion: (version: string) => void,
  ): Promise<number> {
    const seconds = Math.round(WATCH_SECONDS_MIN * (1 + Math.random()))
    const query = {
      ...selector(options),
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: version,
      timeoutSeconds: String(seconds),
    }
    using watchdog = startWatchdog(
      round,
      options.silenceMs ?? SILENCE_MS,
      seconds * 1000 + WATCH_GRACE_MS,
    )
    try {
      state.watches++
      const chunks = await client.stream(await locate(), query, watchdog.signal)
      recovered()
      let seen = 0
      for await (const line of jsonLines(noting(chunks, watchdog))) {
        handle(line, onVersion)
        seen++
      }
      return seen
    } catch (error) {
      // A watch that fell silent is taken up again where it stood.
      if (watchdog.signal.aborted && !round.aborted) {
        log.info('watch fell silent; opening it again', { path })
        return 1
      }
      throw error
    }
  }

  async function* noting(
    chunks: AsyncIterable<Uint8Array>,
    watchdog: Watchdog,
  ): AsyncGenerator<Uint8Array> {
    watchdog.feed()
    for await (const chunk of chunks) {
      state.lastSignMs = performance.now()
      watchdog.feed()
      yield chunk
    }
  }

  function handle(line: unknown, onVersion: (version: string) => void): void {
    const { type, object } = v.parse(eventSchema, line)
    if (type === 'ERROR') {
      const { code, reason, message } = v.parse(statusSchema, object)
      throw new StreamError(code, reason, message)
    }
    const { resourceVersion } = v.parse(versionSchema, object).metadata
    if (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED')
      options.onChange(type, object)
    onVersion(resourceVersion)
  }

  return {
    synced: synced.promise,
    done: run(),
    refresh: async (ageMaxMs) => {
      if (performance.now() - begunMs < ageMaxMs) return
      asked ??= Promise.withResolvers()
      interrupt.abort(new Error('a list was asked for'))
      await asked.promise
    },
    state: () => ({ ...state, trouble }),
  }
}

function selector({ labelSelector }: ReflectorOptions): Record<string, string> {
  return labelSelector === undefined ? {} : { labelSelector }
}

/** An error that came as an event of a watch. */
class StreamError extends ApiError {}

/** Whether what happened, for the `failures`-th time, means that the version we stand at is of no use. */
function needsList(error: unknown, failures: number): boolean {
  if (error instanceof NetworkError) return false
  if (!(error instanceof ApiError)) return true
  if (error.status === 429) return false
  return error instanceof StreamError || error.status < 500 || failures >= STUBBORN_MAX
}

function isExpired(error: unknown): boolean {
  return statusOfError(error) === 410
}

/** What a person can do about it, where that is known. */
function explain(path: string, error: unknown): string {
  const status = statusOfError(error)
  if (status === 403) return `not allowed: ${messageOf(error)}`
  if (status === 404) {
    return `${path} is not served${path === CLUSTER_ENDPOINTS ? '; is the CRD installed?' : ''}`
  }
  return messageOf(error)
}

type Watchdog = Disposable & { readonly signal: AbortSignal; readonly feed: () => void }

/** Aborts its signal after `silenceMs` without food, after `totalMs` in any case, and with `parent`. */
function startWatchdog(parent: AbortSignal, silenceMs: number, totalMs: number): Watchdog {
  const controller = new AbortController()
  const bark = () => controller.abort(new Error('the watch fell silent'))
  const onParent = () => controller.abort(parent.reason)
  if (parent.aborted) onParent()
  parent.addEventListener('abort', onParent, { once: true })
  const silence = setTimeout(bark, silenceMs)
  const total = setTimeout(bark, totalMs)
  return {
    signal: controller.signal,
    feed: () => silence.refresh(),
    [Symbol.dispose]: () => {
      clearTimeout(silence)
      clearTimeout(total)
      parent.removeEventListener('abort', onParent)
    },
  }
}
