// The life of one attempt's connection: whatever ends it, the socket is freed and one value comes out.

import { dial, type Line, type Way, type Wire } from './dialers.ts'
import { type Address, type AttemptSignal, failed, type Outcome, unknown } from './target.ts'

/** What an attempt does on its connection, until it ends it by the `done` that `converse` gave. */
export type Talk = {
  /** The connection stands, TLS included. */
  readonly onOpen: (wire: Wire) => void
  readonly onData?: (chunk: Buffer, wire: Wire) => void
  /** It was closed or has broken. That is what the attempt ends with, unless this calls `done`. */
  readonly onBreak?: () => void
}

/** Ends the attempt with a value; only the first counts. */
export type Done<T> = (value: T | Outcome) => void

/**
 * Runs `talk` on a connection of the attempt's own. The first call of `done` settles the attempt; an
 * abort, an error or a close of the socket does so in its place. The socket is freed before the promise
 * resolves: with FIN when all that came was read, and at once when it is still connecting. Never rejects.
 */
export function converse<T>(
  way: Way,
  signal: AttemptSignal,
  talk: (done: Done<T>) => Talk,
): Promise<T | Outcome> {
  if (signal.aborted) return Promise.resolve(ABORTED)
  return new Promise((resolve) => {
    new Conversation(signal, resolve).begin(way, talk)
  })
}

const ABORTED = unknown('aborted')
const CLOSED = failed('connection closed before the response')

class Conversation<T> implements Line {
  readonly #signal: AttemptSignal
  readonly #resolve: (value: T | Outcome | Promise<Outcome>) => void
  readonly #abort = () => this.#end(ABORTED)
  #talk: Talk | undefined
  #wire: Wire | undefined
  #isOver = false

  constructor(signal: AttemptSignal, resolve: (value: T | Outcome | Promise<Outcome>) => void) {
    this.#signal = signal
    this.#resolve = resolve
  }

  begin(way: Way, talk: (done: Done<T>) => Talk): void {
    this.#talk = talk((value) => this.#end(value))
    this.#wire = dial(way, this)
    this.#signal.addEventListener('abort', this.#abort)
  }

  onOpen(wire: Wire): void {
    if (!this.#isOver) this.#talk?.onOpen(wire)
  }

  onData(chunk: Buffer, wire: Wire): void {
    if (!this.#isOver) this.#talk?.onData?.(chunk, wire)
  }

  onFail(why: () => Outcome | Promise<Outcome>): void {
    if (this.#isOver) return
    this.#talk?.onBreak?.()
    if (!this.#isOver) this.#end(why())
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
