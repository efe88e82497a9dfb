// The life of one attempt's connection: whatever ends it, the socket is freed and one value comes out.

import {
  type Dialer,
  dialFreely,
  dialQuickly,
  type Line,
  mayDialQuickly,
  type Wire,
} from './dialers.ts'
import { connectFailure, transferFailure } from './local.ts'
import { type Address, type AttemptSignal, failed, type Outcome, unknown } from './target.ts'

/** Where to connect, and how. */
export type Way = Address & { readonly isTls?: boolean }

/** What an attempt does on its connection, until it ends it by the `done` that `converse` gave. */
export type Talk = {
  /** The connection stands, TLS included. */
  readonly onOpen: (wire: Wire) => void
  readonly onData?: (chunk: Uint8Array, wire: Wire) => void
  /** It was closed or has broken. That is what the attempt ends with, unless this calls `done`. */
  readonly onBreak?: () => void
}

/** Ends the attempt with a value; only the first counts. */
export type Done<T> = (value: T | Outcome) => void

/**
 * Runs `talk` on a connection of the attempt's own. The first call of `done` settles the attempt; an
 * abort, an error or a close of the socket does so in its place. The socket is freed before the promise
 * resolves: with FIN when all that came was read, and at once when it is still connecting, but for
 * a few to hosts that had been well (`dialQuickly`). Never rejects. `isSettled`: see `Prober`.
 */
export function converse<T>(
  way: Way,
  signal: AttemptSignal,
  isSettled: boolean,
  talk: (done: Done<T>) => Talk,
): Promise<T | Outcome> {
  if (signal.aborted) return Promise.resolve(ABORTED)
  return new Promise((resolve) => {
    const dial = isSettled && !way.isTls && mayDialQuickly() ? dialQuickly : dialFreely
    new Conversation(way, signal, resolve).begin(dial, talk)
  })
}

const ABORTED = unknown('aborted')
const CLOSED = failed('connection closed before the response')

class Conversation<T> implements Line {
  readonly #way: Way
  readonly #signal: AttemptSignal
  readonly #resolve: (value: T | Outcome | Promise<Outcome>) => void
  readonly #abort = () => this.#end(ABORTED)
  #talk: Talk | undefined
  #wire: Wire | undefined
  #isOver = false

  constructor(
    way: Way,
    signal: AttemptSignal,
    resolve: (value: T | Outcome | Promise<Outcome>) => void,
  ) {
    this.#way = way
    this.#signal = signal
    this.#resolve = resolve
  }

  begin(dial: Dialer, talk: (done: Done<T>) => Talk): void {
    this.#talk = talk((value) => this.#end(value))
    this.#wire = dial(this.#way, this)
    this.#signal.addEventListener('abort', this.#abort)
  }

  onOpen(wire: Wire): void {
    if (!this.#isOver) this.#talk?.onOpen(wire)
  }

  onData(chunk: Uint8Array, wire: Wire): void {
    if (!this.#isOver) this.#talk?.onData?.(chunk, wire)
  }

  onError(error: unknown, isConnected: boolean): void {
    if (this.#isOver) return
    this.#talk?.onBreak?.()
    this.#end(isConnected ? transferFailure('read', error) : connectFailure(error, this.#way))
  }

  onClose(): void {
    if (this.#isOver) return
    this.#talk?.onBreak?.()
    this.#end(CLOSED)
  }

  #end(value: T | Outcome | Promise<Outcome>): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#signal.removeEventListener('abort', this.#abort)
    this.#wire?.free()
    this.#resolve(value)
  }
}

/**
 * `host:port` as it stands in a URL or a Host header: the name if the host has one, IPv6 in brackets,
 * without its zone (RFC 6874).
 */
export function authority({ host, port, name }: Address): string {
  if (name !== undefined) return `${name}:${port}`
  return host.includes(':') ? `[${host.replace(/%.*/, '')}]:${port}` : `${host}:${port}`
}
