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

export class Poller {
  readonly #libc: Libc
  /** By descriptor. */
  readonly #polled: (Polled | undefined)[] = []
  /** The look at which each was added, by descriptor. */
  readonly #since: number[] = []
  #size = 0
  /** Made with the first socket, so that it is missed as one is: when no descriptor is left. */
  #epoll: number | undefined
  #looks = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #pauseMs = SOON_MS
  #isLookDue = false
  #isLooking = false

  constructor(libc: Libc) {
    this.#libc = libc
  }

  /** Tells `polled` of `events` of `fd`; below 0 it says why that cannot be. */
  add(fd: number, events: number, polled: Polled): Result {
    const epoll = this.#epoll ?? this.#libc.newEpoll()
    if (epoll < 0) return epoll
    this.#epoll = epoll
    const result = this.#libc.arm(epoll, 'add', fd, events, fd)
    if (result < 0) return result
    this.#polled[fd] = polled
    this.#since[fd] = this.#looks
    this.#size++
    this.#lookSoon()
    return result
  }

  /** Tells of other events from now on. */
  change(fd: number, events: number): void {
    this.#libc.arm(this.#epoll ?? -1, 'modify', fd, events, fd)
  }

  /** Tells nothing any more. The kernel forgets a descriptor by itself, when it is closed. */
  remove(fd: number): void {
    if (this.#polled[fd]) this.#size--
    this.#polled[fd] = undefined
  }

  /** Tells of all that is ready by now; not of what a look under way tells anyhow. */
  look(): void {
    if (this.#size > 0 && !this.#isLooking) this.#look()
  }

  /** A descriptor may be closed and in use again while events are handed out, which are those of before. */
  readonly #tell = (fd: number, events: number) => {
    if (this.#since[fd] !== this.#looks) this.#polled[fd]?.onReady(events)
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
      this.#looks++
      count = this.#libc.ready(this.#epoll ?? -1, this.#tell)
      told += count
    }
    this.#isLooking = false
    if (told > 0) this.#pauseMs = SOON_MS
    clearTimeout(this.#timer)
    if (count === EVENTS_MAX) this.#lookSoon()
    if (this.#size === 0) return
    this.#timer = setTimeout(() => this.#look(), Math.round(this.#pauseMs))
    this.#pauseMs = Math.min(LOOK_MAX_MS, this.#pauseMs * GROWTH)
  }
}
