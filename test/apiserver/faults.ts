// Faults on demand: which requests they hit and what happens to those. Faults of watches also hit the
// streams that are already open.

import type { Json } from './json.ts'
import type { RequestInfo } from './request-info.ts'

/** What befalls a request. */
export type RequestFault =
  /** Answered with this status; `retryAfter` becomes the header as it is, `body` replaces the Status. */
  | {
      readonly kind: 'status'
      readonly code: number
      readonly retryAfter?: string | number
      readonly body?: Json
    }
  /** Handled, but only after a while. */
  | { readonly kind: 'delay'; readonly delayMs: number }
  /** Never answered, not even handled. */
  | { readonly kind: 'hang' }
  /** The connection is cut before anything happened. */
  | { readonly kind: 'reset' }
  /** The write takes effect, then the connection is cut instead of an answer. */
  | { readonly kind: 'resetAfterApply' }

/** What befalls a watch, open or to be opened. */
export type WatchFault =
  /** end: the stream ends now. midLine: in the middle of a line. afterBytes: that many bytes later. */
  | { readonly kind: 'cutWatch'; readonly how: 'end' | 'midLine' | { readonly afterBytes: number } }
  /** The stream stays open and says nothing, no bookmark either; what it missed comes on removal. */
  | { readonly kind: 'silenceWatch' }
  /** 410 in the stream, then its end. */
  | { readonly kind: 'expire' }
  /** The stream comes in pieces of so many bytes, splitting characters too. */
  | { readonly kind: 'chunking'; readonly bytes: number }
  /** Every event comes twice. */
  | { readonly kind: 'duplicate' }
  /** Neighbouring events swap places. */
  | { readonly kind: 'reorder' }

/** Any fault. */
export type FaultAction = RequestFault | WatchFault

/** Which requests a fault hits: those that agree with every given member. */
export interface FaultFilter {
  readonly method?: string
  readonly verb?: string
  readonly resource?: string
  readonly namespace?: string
  readonly name?: string
  readonly subresource?: string
  readonly watch?: boolean
  /** The fault is over after so many hits. */
  readonly times?: number
}

/** A fault by what it hits. */
export type FaultMatch = FaultFilter | ((request: RequestInfo) => boolean)

/** An injected fault. */
export interface FaultHandle {
  /** Requests and streams hit so far. */
  readonly hits: number
  /** Ends the fault. */
  readonly remove: () => void
}

/** A stream that watch faults work on. */
export interface Afflictable {
  readonly info: RequestInfo
  readonly afflict: (fault: WatchFault) => void
  readonly relieve: (fault: WatchFault) => void
}

interface ActiveFault {
  readonly matches: (request: RequestInfo) => boolean
  readonly action: FaultAction
  readonly times: number
  hits: number
  readonly streams: Set<Afflictable>
}

/** The faults of one server and the open streams that they can hit. */
export class Faults {
  readonly #active = new Set<ActiveFault>()
  readonly #streams = new Set<Afflictable>()

  add(match: FaultMatch, action: FaultAction): FaultHandle {
    const times = typeof match === 'function' ? Infinity : (match.times ?? Infinity)
    const matches = typeof match === 'function' ? match : (info: RequestInfo) => agrees(match, info)
    const fault: ActiveFault = { matches, action, times, hits: 0, streams: new Set() }
    this.#active.add(fault)
    for (const stream of [...this.#streams]) this.#hit(fault, stream)
    return {
      get hits() {
        return fault.hits
      },
      remove: () => this.#remove(fault),
    }
  }

  /** The fault that befalls a request, counted as a hit; watch faults wait for the stream. */
  take(info: RequestInfo): RequestFault | undefined {
    for (const fault of this.#active) {
      if (isWatchFault(fault.action) || fault.hits >= fault.times || !fault.matches(info)) continue
      fault.hits += 1
      return fault.action
    }
    return undefined
  }

  /** An open stream, hit by what is active now and later until the returned function is called. */
  follow(stream: Afflictable): () => void {
    this.#streams.add(stream)
    for (const fault of this.#active) this.#hit(fault, stream)
    return () => {
      this.#streams.delete(stream)
      for (const fault of this.#active) fault.streams.delete(stream)
    }
  }

  #hit(fault: ActiveFault, stream: Afflictable): void {
    const { action } = fault
    if (!isWatchFault(action) || fault.hits >= fault.times || !fault.matches(stream.info)) return
    fault.hits += 1
    fault.streams.add(stream)
    stream.afflict(action)
  }

  #remove(fault: ActiveFault): void {
    this.#active.delete(fault)
    if (!isWatchFault(fault.action)) return
    for (const stream of fault.streams) stream.relieve(fault.action)
    fault.streams.clear()
  }
}

function isWatchFault(action: FaultAction): action is WatchFault {
  return !['status', 'delay', 'hang', 'reset', 'resetAfterApply'].includes(action.kind)
}

function agrees(filter: FaultFilter, info: RequestInfo): boolean {
  const { times: _, watch, ...wanted } = filter
  if (watch !== undefined && watch !== info.isWatch) return false
  return Object.entries(wanted).every(([key, value]) => {
    const actual = Object.entries(info).find(([name]) => name === key)?.[1]
    return value === undefined || value === actual
  })
}
