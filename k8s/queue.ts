// Work by key: what is marked many times within a moment is done once, never twice at the same time,
// and no more than so many keys at once. What the work leaves for later waits until nobody is in a hurry.

import { type Slotted, Wheel } from '../probes/wheel.ts'

export type WorkQueue = {
  /** Asks for `key` to be worked on in `delayMs`; an earlier wish stands. */
  readonly mark: (key: string, delayMs?: number) => void
  /** No work is begun any more; resolves when what runs has ended. */
  readonly close: () => Promise<void>
  readonly stats: () => { readonly pending: number; readonly running: number }
}

/** The less urgent rest of a piece of work. Must not reject. */
export type Rest = () => Promise<void>

export type WorkQueueOptions = {
  /**
   * Does the work of one key. Must not reject. The rest that it returns is done when no key is ready, or
   * after some seconds between those that are; not if the key is worked on again before, which returns a
   * rest anew.
   */
  readonly work: (key: string) => Promise<Rest | undefined>
  /** Keys worked on at once. */
  readonly concurrency: number
}

/** Milliseconds in which marks of one key become one piece of work. */
const COALESCE_MS = 50
const SLOT_MS = 10
/** Milliseconds to sleep at most. */
const HORIZON_MS = 1_000
/** Milliseconds after which a rest no longer waits for all keys that are ready: it has every other turn. */
const REST_MAX_MS = 3_000

type Entry = Slotted & {
  readonly key: string
  dueMs: number
  /** Due, and waiting for its turn. */
  isReady: boolean
  isRunning: boolean
  isMarked: boolean
  /** What is left for later, and since when something of this key is: kept when the key is worked on again. */
  rest: Rest | undefined
  restMs: number | undefined
}

export function createWorkQueue({ work, concurrency }: WorkQueueOptions): WorkQueue {
  const wheel = new Wheel<Entry>(SLOT_MS)
  const entries = new Map<string, Entry>()
  const ready: Entry[] = []
  /** Entries with a rest that waits, in the order in which it was left. */
  const resting = new Set<Entry>()
  let running = 0
  /** Whether the last turn was that of a key, not of a rest. */
  let wasWork = false
  let isClosed = false
  let timer: ReturnType<typeof setTimeout> | undefined
  let timerMs = Number.POSITIVE_INFINITY
  const idle = Promise.withResolvers<void>()

  function mark(key: string, delayMs = COALESCE_MS): void {
    if (isClosed) return
    const dueMs = performance.now() + delayMs
    const entry = entries.get(key) ?? {
      key,
      slot: undefined,
      place: -1,
      dueMs,
      isReady: false,
      isRunning: false,
      isMarked: false,
      rest: undefined,
      restMs: undefined,
    }
    entries.set(key, entry)
    entry.dueMs = entry.isMarked ? Math.min(entry.dueMs, dueMs) : dueMs
    entry.isMarked = true
    if (!entry.isRunning && !entry.isReady) schedule(entry)
  }

  function schedule(entry: Entry): void {
    wheel.insert(entry, entry.dueMs)
    arm()
  }

  function arm(): void {
    if (isClosed || wheel.isEmpty) return
    const nowMs = performance.now()
    const nextMs = Math.max(wheel.nextMs(nowMs, HORIZON_MS), nowMs)
    if (nextMs >= timerMs) return
    clearTimeout(timer)
    timerMs = nextMs
    timer = setTimeout(tick, Math.ceil(nextMs - nowMs))
  }

  function tick(): void {
    timerMs = Number.POSITIVE_INFINITY
    for (const entry of wheel.take(performance.now())) {
      entry.isReady = true
      forgo(entry)
      ready.push(entry)
    }
    drain()
    arm()
  }

  function drain(): void {
    while (!isClosed && running < concurrency) {
      const [first] = resting
      const isItsTurn = wasWork && first !== undefined && hasWaited(first)
      const entry = isItsTurn ? undefined : ready.shift()
      wasWork = entry !== undefined
      if (entry) void run(entry)
      else if (first) void finish(first)
      else return
    }
  }

  async function run(entry: Entry): Promise<void> {
    entry.isReady = false
    entry.isMarked = false
    begin(entry)
    entry.rest = await work(entry.key)
    // A key that is worked on all the time would else never get there.
    if (entry.rest && hasWaited(entry)) await take(entry)
    end(entry)
  }

  async function finish(entry: Entry): Promise<void> {
    wheel.remove(entry)
    begin(entry)
    await take(entry)
    end(entry)
  }

  async function take(entry: Entry): Promise<void> {
    const { rest } = entry
    forgo(entry)
    entry.restMs = undefined
    await rest?.()
  }

  function forgo(entry: Entry): void {
    entry.rest = undefined
    resting.delete(entry)
  }

  function hasWaited({ restMs }: Entry): boolean {
    return restMs !== undefined && performance.now() - restMs > REST_MAX_MS
  }

  function begin(entry: Entry): void {
    entry.isRunning = true
    running++
  }

  function end(entry: Entry): void {
    running--
    entry.isRunning = false
    if (entry.rest) {
      entry.restMs ??= performance.now()
      resting.add(entry)
    }
    if (entry.isMarked) schedule(entry)
    else if (!entry.rest) entries.delete(entry.key)
    if (running === 0 && isClosed) idle.resolve()
    drain()
  }

  return {
    mark,
    close: async () => {
      isClosed = true
      clearTimeout(timer)
      if (running > 0) await idle.promise
    },
    stats: () => ({ pending: entries.size - running, running }),
  }
}
