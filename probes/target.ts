// What is probed and what one attempt can say. Plain data: no Kubernetes types, no effects.

/** How a host is asked whether it is well. A new kind does not compile until every table names it. */
export type Probe =
  | { readonly kind: 'tcp' }
  | {
      readonly kind: 'http'
      readonly scheme: 'http' | 'https'
      /** Begins with `/`; may carry a query. */
      readonly path: string
      readonly headers: readonly HttpHeader[]
    }
  | { readonly kind: 'udp'; readonly data: Uint8Array }
  | { readonly kind: 'grpc'; readonly service: string }

export type ProbeKind = Probe['kind']

export type HttpHeader = { readonly name: string; readonly value: string }

/** Where an attempt goes: an IP literal (IPv6 without brackets) and a port from 1 to 65535. */
export type Address = {
  readonly host: string
  readonly port: number
  /** The DNS name under which the host was found: what a server is told that it is asked for. */
  readonly name?: string | undefined
}

/**
 * One host of one port entry, with all that its attempts and its verdict depend on.
 * Durations are milliseconds; thresholds are counts of at least 1.
 */
export type Target = Address & {
  /** Identity across edits of the spec: what its health is remembered under. Unique in one resource. */
  readonly key: string
  /** Absent: never probed, always healthy. */
  readonly probe: Probe | undefined
  readonly timeoutMs: number
  readonly periodMs: number
  readonly fastPeriodMs: number
  readonly successThreshold: number
  readonly failureThreshold: number
}

/**
 * What one attempt said. `unknown` says more about us than about the host (no descriptor left, no
 * route, aborted) and counts neither way. Reasons are short and stable: no source ports, no counters.
 */
export type Outcome =
  | { readonly result: 'ok' }
  | { readonly result: 'failed'; readonly reason: string }
  | { readonly result: 'unknown'; readonly reason: string }

/** Who asks. */
export type Asker<T = Outcome> = {
  /**
   * Hears how it ended. A promise: it is over and its socket is free, and what it says takes a look at this
   * machine; it rejects only for what is broken in us.
   */
  hear(said: T | Promise<Outcome>): void
}

/** What is under way. Once cancelled it ends soon, if it has not: what it then says is to be ignored. */
export type Underway = { cancel(): void }

/**
 * Reads some of what an attempt will read, so that it is in the processor's caches by then; what it returns means
 * nothing. Must not throw. For those of whom there are thousands.
 */
export type Prefetched = { prefetch?(): number }

/**
 * What one host is asked, with all that is the same at each attempt. Objects rather than functions, here and for
 * who asks: what a function knows lies in a second piece of memory, which each attempt would have to wait for.
 */
export type Question = Prefetched & {
  /**
   * Begins one attempt. `asker` hears how it ended, once, never before this has returned: no promise and no
   * AbortSignal, for which an attempt would pay a twentieth of what it costs. Holds no socket once that has heard.
   */
  ask(asker: Asker): Underway
}

/** Gets ready to ask one host. */
export type Prober<P extends Probe = Probe> = (address: Address, probe: P) => Question

export const ok: Outcome = { result: 'ok' }

export function failed(reason: string): Outcome {
  return { result: 'failed', reason }
}

export function unknown(reason: string): Outcome {
  return { result: 'unknown', reason }
}

/** One to which the answer is known before anything was begun. */
export function answered(outcome: Outcome): Question {
  return {
    ask(asker) {
      queueMicrotask(() => asker.hear(outcome))
      return NOTHING
    },
  }
}

const NOTHING: Underway = { cancel() {} }
