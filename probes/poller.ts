// Tells sockets of our own when they are ready. Bun's event loop takes no descriptors of others, so an
// epoll is looked at: at once when sockets were added, then less and less often while any are waited for.

import { EVENTS_MAX, type Libc, type Result } from './libc.ts'

/** A socket that waits for its events. Must not throw. */
export type Polled = { onReady(events: number): void }

/** Milliseconds until the first look after sockets were added or had something. */
const SOON_MS = 1
/** How much longer each next one takes: what is measured is late by no more than this share of it. */
const GROWTH = 1.3
/** Milliseconds between two looks at most; durations are too long by no more. */
const LOOK_MAX_MS = 20
/** Rounds of one look: timers and the API server have their turn before the next. */
const ROUNDS_MAX = 2
/** Numbers wrap here: their descriptors are long closed. */
const IDS = 2 ** 32

export class Poller {
  readonly #libc: Libc
  readonly #polled = new Map<number, Polled>()
  /** Made with the first socket, so that it is missed as one is: when no descriptor is left. */
  #epoll: number | undefined
  #lastId = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #pauseMs = SOON_MS
  #isLookDue = false
  #isLooking = false

  constructor(libc: Libc) {
    this.#libc = libc
  }

  /** Tells `polled` of `events` of `fd`; returns what it is known by, or why that cannot be. */
  add(fd: number, events: number, polled: Polled): Result {
    const epoll = this.#epoll ?? this.#libc.newEpoll()
    if (epoll < 0) return epoll
    this.#epoll = epoll
    const id = (this.#lastId + 1) % IDS
    const result = this.#libc.arm(epoll, 'add', fd, { id, events })
    if (result < 0) return result
    this.#lastId = id
    this.#polled.set(id, polled)
    this.#lookSoon()
    return id
  }

  /** Tells of other events from now on. */
  change(id: number, fd: number, events: number): void {
    this.#libc.arm(this.#epoll ?? -1, 'modify', fd, { id, events })
  }

  /** Tells nothing any more. The kernel forgets a descriptor by itself, when it is closed. */
  remove(id: number): void {
    this.#polled.delete(id)
  }

  /** Tells of all that is ready by now; not of what a look under way tells anyhow. */
  look(): void {
    if (this.#polled.size > 0 && !this.#isLooking) this.#look()
  }

  /**
   * A look after all that runs now: connections within this machine are ready by then. Not by a microtask:
   * in a burst, what ends begins others, and nothing else would run until it is over.
   */
  #lookSoon(): void {
    if (this.#isLookDue) return
    this.#isLookDue = true
    setImmediate(() => {
      this.#isLookDue = false
      this.#pauseMs = SOON_MS
      this.#look()
    })
  }

  #look(): void {
    this.#isLooking = true
    let told = 0
    let count = EVENTS_MAX
    for (let round = 0; count === EVENTS_MAX && round < ROUNDS_MAX; round++) {
      count = this.#libc.ready(this.#epoll ?? -1, (id, events) => {
        this.#polled.get(id)?.onReady(events)
      })
      told += count
    }
    this.#isLooking = false
    if (told > 0) this.#pauseMs = SOON_MS
    clearTimeout(this.#timer)
    if (count === EVENTS_MAX) this.#lookSoon()
    if (this.#polled.size === 0) return
    this.#timer = setTimeout(() => this.#look(), Math.round(this.#pauseMs))
    this.#pauseMs = Math.min(LOOK_MAX_MS, this.#pauseMs * GROWTH)
  }
}
