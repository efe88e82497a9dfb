// A world for the election in which the test owns the time: replicas whose clocks run at rates of their
// own, may be stopped, and reach one Lease over a network that delays and loses.

import type { ApiRequest } from '../../k8s/client.ts'
import { ApiError, NetworkError } from '../../k8s/errors.ts'
import { createElection, type Election } from '../../k8s/lease.ts'

/** What the network does to one request. Delays in milliseconds of the world. */
export type Fate = {
  readonly thereMs: number
  readonly backMs: number
  /** The request never arrives, or its answer never comes back: seen as a time-out. */
  readonly lost?: 'request' | 'answer'
  /** The connection breaks instead of an answer, before or after the request took effect. */
  readonly reset?: 'before' | 'after'
}

export const prompt: Fate = { thereMs: 1, backMs: 1 }

type LeaseObject = {
  metadata: { name: string; namespace: string; resourceVersion: string; labels?: unknown }
  spec: { holderIdentity: string; leaseDurationSeconds: number; leaseTransitions: number }
}

export type Replica = {
  readonly name: string
  readonly election: Election
  /** Whether its lead function runs. */
  readonly isLeading: () => boolean
  /** Resolves when run() has. */
  readonly done: Promise<void>
  readonly logs: string[]
  readonly stop: () => void
  /** Nothing of it runs until then; `isSuspended` stops its monotonic clock too. */
  readonly freeze: (untilMs: number, isSuspended?: boolean) => void
  /** Milliseconds to its wall clock from now on. */
  readonly turnClock: (byMs: number) => void
  readonly isFrozen: () => boolean
}

export type Times = {
  readonly durationMs: number
  readonly renewDeadlineMs: number
  readonly retryMs: number
}

export const usual: Times = { durationMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 }

const EPOCH_MS = Date.parse('2026-11-22T12:00:00Z')
/** Turns of the microtask queue after which everything that could run has. */
const SETTLE_TURNS = 40

export class World {
  nowMs = 0
  lease: LeaseObject | undefined
  hasNamespace = true
  /** What befalls each request; the test changes it. */
  fate: (replica: string, request: ApiRequest) => Fate = () => prompt
  readonly requests: {
    readonly replica: string
    readonly method: string
    readonly atMs: number
  }[] = []
  /** Called whenever something may have changed. */
  onStep: () => void = () => {}
  #version = 0
  #order = 0
  readonly #due: { readonly atMs: number; readonly order: number; readonly run: () => void }[] = []

  at(atMs: number, run: () => void): void {
    this.#due.push({ atMs, run, order: this.#order++ })
  }

  /** Lets the time pass until then, and everything happen that happens by then. */
  async until(endMs: number): Promise<void> {
    for (;;) {
      await settle()
      this.onStep()
      const next = this.#takeDue(endMs)
      if (!next) break
      this.nowMs = Math.max(this.nowMs, next.atMs)
      next.run()
    }
    this.nowMs = endMs
  }

  async pass(ms: number): Promise<void> {
    await this.until(this.nowMs + ms)
  }

  /** Adds a replica. `rate` is how fast its clocks run; 1 is the world's. */
  replica(name: string, times: Times = usual, rate = 1): Replica {
    let frozenUntilMs = 0
    let suspendedMs = 0
    let turnedMs = 0
    let isLeading = false
    const logs: string[] = []
    const stop = new AbortController()
    /** Runs in this replica, later if it is frozen by then. */
    const inside = (atMs: number, run: () => void) => {
      this.at(atMs, () => {
        if (this.nowMs < frozenUntilMs) inside(frozenUntilMs, run)
        else run()
      })
    }
    const say = (message: string) => void logs.push(message)
    const election = createElection({
      ...times,
      namespace: 'kube-system',
      name: 'lease',
      identity: name,
      log: { error: say, warn: say, info: say, debug: say },
      monotonicMs: () => (this.nowMs - suspendedMs) * rate,
      wallMs: () => EPOCH_MS + this.nowMs * rate + turnedMs,
      sleep: (ms, signal) => {
        const { promise, resolve } = Promise.withResolvers<void>()
        if (signal.aborted || ms <= 0) resolve()
        signal.addEventListener('abort', () => resolve(), { once: true })
        // As a real timer: of at least a millisecond.
        if (Number.isFinite(ms)) inside(this.nowMs + Math.max(1, ms) / rate, resolve)
        return promise
      },
      client: {
        request: (request) => {
          const { promise, resolve, reject } = Promise.withResolvers<unknown>()
          const { signal, timeoutMs = 5_000 } = request
          if (signal?.aborted) reject(signal.reason)
          signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
          this.requests.push({ replica: name, method: request.method, atMs: this.nowMs })
          const { thereMs, backMs, lost, reset } = this.fate(name, request)
          inside(this.nowMs + timeoutMs / rate, () => reject(new NetworkError('no answer')))
          const end = (run: () => void) => inside(this.nowMs + backMs, run)
          this.at(this.nowMs + thereMs, () => {
            if (lost === 'request') return
            if (reset === 'before') return end(() => reject(new NetworkError('reset')))
            try {
              const answer = this.#serve(request)
              if (reset === 'after') return end(() => reject(new NetworkError('reset')))
              if (lost !== 'answer') end(() => resolve(answer))
            } catch (error) {
              if (lost !== 'answer') end(() => reject(error))
            }
          })
          return promise
        },
      },
    })
    const done = election.run(async (signal) => {
      isLeading = true
      const { promise, resolve } = Promise.withResolvers<void>()
      if (signal.aborted) resolve()
      signal.addEventListener('abort', () => resolve(), { once: true })
      await promise
      isLeading = false
    }, stop.signal)
    return {
      name,
      election,
      done,
      logs,
      isLeading: () => isLeading,
      isFrozen: () => this.nowMs < frozenUntilMs,
      stop: () => stop.abort(new Error('stopping')),
      turnClock: (byMs) => {
        turnedMs += byMs
      },
      freeze: (untilMs, isSuspended = false) => {
        if (untilMs <= frozenUntilMs) return
        const fromMs = Math.max(this.nowMs, frozenUntilMs)
        frozenUntilMs = untilMs
        if (isSuspended)
          this.at(untilMs, () => {
            suspendedMs += untilMs - fromMs
          })
      },
    }
  }

  #takeDue(endMs: number) {
    let first = -1
    for (const [index, { atMs, order }] of this.#due.entries()) {
      const best = this.#due[first]
      if (!best || atMs < best.atMs || (atMs === best.atMs && order < best.order)) first = index
    }
    const next = this.#due[first]
    if (!next || next.atMs > endMs) return undefined
    this.#due.splice(first, 1)
    return next
  }

  /** As an API server does it. */
  #serve({ method, path, body }: ApiRequest): unknown {
    const isNamed = path.endsWith('/lease')
    if (!this.hasNamespace) throw new ApiError(404, 'NotFound', 'namespaces "x" not found')
    if (method === 'GET') {
      if (!this.lease) throw new ApiError(404, 'NotFound', 'not found')
      return structuredClone(this.lease)
    }
    const wanted: LeaseObject = JSON.parse(JSON.stringify(body))
    if (method === 'POST' && !isNamed) {
      if (wanted.metadata.resourceVersion) throw new ApiError(400, 'BadRequest', 'version set')
      if (this.lease) throw new ApiError(409, 'AlreadyExists', 'already exists')
    } else if (method === 'PUT' && isNamed) {
      if (!this.lease) throw new ApiError(404, 'NotFound', 'not found')
      if (wanted.metadata.resourceVersion !== this.lease.metadata.resourceVersion)
        throw new ApiError(409, 'Conflict', 'the object has been modified')
    } else throw new ApiError(405, 'MethodNotAllowed', `${method} ${path}`)
    this.store(wanted)
    return structuredClone(this.lease)
  }

  /** Writes the Lease as it is given, with the next version. */
  store(lease: LeaseObject): void {
    this.lease = {
      ...lease,
      metadata: { ...lease.metadata, resourceVersion: String(++this.#version) },
    }
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < SETTLE_TURNS; turn++) await Promise.resolve()
}
