// The life of one attempt's connection: whatever ends it, the socket is freed and one value comes out.

import { dial, type Line, type Way, type Wire } from './dialers.ts'
import type { Octets } from './octets.ts'
import { type Address, type Asker, failed, type Outcome, type Underway, unknown } from './target.ts'

/** What is said on a connection, and what to make of the answers, until `call` is ended with a value. */
export type Talk<T> = {
  /** The connection stands, TLS included. */
  onOpen(call: Call<T>): void
  onData(part: Octets, call: Call<T>): void
  /** It was closed or has broken. That is what the call ends with, unless this ends it. */
  onBreak?(call: Call<T>): void
}

/** A connection as the talk on it sees it. */
export type Call<T> = {
  say(bytes: Uint8Array): void
  /** Frees the socket; only the first value counts. */
  end(value: T | Outcome): void
}

/**
 * Runs `talk` on a connection of the attempt's own; `asker` hears what it was ended with: by the talk, or else by
 * an error, a close of the socket or a cancel. The socket is freed before that: with FIN when all that came
 * was read, and at once when it is still connecting.
 */
export function converse<T>(way: Way, talk: Talk<T>, asker: Asker<T | Outcome>): Underway {
  return new Conversation(talk, asker).begin(way)
}

const CANCELLED = unknown('aborted')
const CLOSED = failed('connection closed before the response')

class Conversation<T> implements Line, Call<T>, Underway {
  readonly #talk: Talk<T>
  readonly #asker: Asker<T | Outcome>
  #wire: Wire | undefined
  #isOver = false

  constructor(talk: Talk<T>, asker: Asker<T | Outcome>) {
    this.#talk = talk
    this.#asker = asker
  }

  begin(way: Way): this {
    this.#wire = dial(way, this)
    if (way.via === 'udp') this.onOpen()
    return this
  }

  onOpen(): void {
    if (this.#isOver) return
    try {
      this.#talk.onOpen(this)
    } catch (error) {
      this.#end(Promise.reject(error))
    }
  }

  onData(part: Octets): void {
    if (this.#isOver) return
    try {
      this.#talk.onData(part, this)
    } catch (error) {
      this.#end(Promise.reject(error))
    }
  }

  onFail(why: () => Outcome | Promise<Outcome>): void {
    if (this.#isOver) return
    this.#talk.onBreak?.(this)
    if (!this.#isOver) this.#end(why())
  }

  onClose(): void {
    if (this.#isOver) return
    this.#talk.onBreak?.(this)
    this.#end(CLOSED)
  }

  say(bytes: Uint8Array): void {
    this.#wire?.write(bytes)
  }

  end(value: T | Outcome): void {
    this.#end(value)
  }

  cancel(): void {
    this.#end(CANCELLED)
  }

  #end(value: T | Outcome | Promise<Outcome>): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#wire?.free()
    this.#asker.hear(value)
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
