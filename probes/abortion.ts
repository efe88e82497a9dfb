// The end of one attempt before its time, in plain JavaScript: an AbortController with its listener
// costs about 1 us of CPU, and is garbage of the dear sort, with finalizers; this costs 0.1.

import type { AttemptSignal } from './target.ts'

/** Aborts once, and tells the one listener that an attempt has at a time. */
export class Abortion implements AttemptSignal {
  #isAborted = false
  #listener: (() => void) | undefined

  get aborted(): boolean {
    return this.#isAborted
  }

  /** Whether somebody would be told: an attempt that listens no more has its outcome on the way. */
  get isHeard(): boolean {
    return this.#listener !== undefined
  }

  addEventListener(_type: 'abort', listener: () => void): void {
    if (this.#listener) throw new Error('Cannot listen twice to the end of an attempt')
    this.#listener = listener
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    if (this.#listener === listener) this.#listener = undefined
  }

  abort(): void {
    if (this.#isAborted) return
    this.#isAborted = true
    this.#listener?.()
  }
}
