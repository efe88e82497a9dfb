// Work by key: what is marked many times within a moment is done once, never twice at the same time,
// and no more than so many keys at once.

import { type Slotted, Wheel } from '../probes/wheel.ts'

export type WorkQueue = {
  /** Asks for `key` to be worked on in `delayMs`; an earlier wish stands. */
  readonly mark: (key: string, delayMs?: number) => void
  /** No work is begun any more; resolves when what runs has ended. */
  readonly close: () => Promise<void>
  readonly stats: () => { readonly pending: number; readonly running: number }
}

export type WorkQueueOptions = {
  /** Does the work of one key. Must not reject. */
  readonly work: (key: string) => Promise<void>
  /** Keys worked on at once. */
  readonly concurrency: number
}

/** Milliseconds in which marks of one key become one piece of work. */
const COALESCE_MS = 50
const SLOT_MS = 10
/** Milliseconds to sleep at most. */
const HORIZON_MS = 1_000

type Entry = Slotted & {
  readonly key: string
  dueMs: number
  /** Due, and waiting for its turn. */
  isReady: boolean
  isRunning: boolean
  isMarked: boolean
}

export function createWorkQueue({ work, concurrency }: WorkQueueOptions): WorkQueue {
  const wheel = new Wheel<Entry>(SLOT_MS)
  const entries = new Map<string, Entry>()
  const ready: Entry[] = []
  let running = 0
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
      dueMs,
      isReady: false,
      isRunning: false,
      isMarked: false,
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
      ready.push(entry)
    }
    drain()
    arm()
  }

  function drain(): void {
    while (!isClosed && running < concurrency && ready.length > 0) {
      const entry = ready.shift()
      if (entry) void run(entry)
    }
  }

  async function run(entry: Entry): Promise<void> {
    entry.isReady = false
    entry.isMarked = false
    entry.isRunning = true
    running++
    await work(entry.key)
    running--
    entry.isRunning = false
    if (entry.isMarked) schedule(entry)
    else entries.delete(entry.key)
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
