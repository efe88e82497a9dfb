// When attempts arrive at well hosts: the rhythm of the operator as its hosts see it.

/** Attempts as they arrived. Times are monotonic milliseconds. */
export class Arrivals {
  readonly #byTarget = new Map<string, number[]>()
  readonly #all: number[] = []

  note(target: string, atMs = performance.now()): void {
    const times = this.#byTarget.get(target)
    if (times) times.push(atMs)
    else this.#byTarget.set(target, [atMs])
    this.#all.push(atMs)
  }

  count(fromMs = 0, toMs = Number.POSITIVE_INFINITY): number {
    return this.#all.filter((atMs) => atMs >= fromMs && atMs < toMs).length
  }

  /** When the last one arrived. */
  get lastMs(): number {
    return this.#all.at(-1) ?? 0
  }

  /**
   * How many milliseconds more than a period went by between two attempts on one target, at worst,
   * with `fromMs` and `toMs` in place of a first and a last one: who is not attempted at all is late, too.
   */
  worstLatenessMs(periodMs: number, fromMs: number, toMs: number): number {
    let worst = 0
    for (const times of this.#byTarget.values()) {
      let before = fromMs
      for (const atMs of [...times.filter((each) => each >= fromMs && each < toMs), toMs]) {
        worst = Math.max(worst, atMs - before - periodMs)
        before = atMs
      }
    }
    return worst
  }

  /** The most arrivals in any `binMs` that begins at a multiple of it after `fromMs`. */
  densest(fromMs: number, toMs: number, binMs = 100): number {
    const bins = new Map<number, number>()
    for (const atMs of this.#all) {
      if (atMs < fromMs || atMs >= toMs) continue
      const bin = Math.floor((atMs - fromMs) / binMs)
      bins.set(bin, (bins.get(bin) ?? 0) + 1)
    }
    return Math.max(0, ...bins.values())
  }
}

/** A timer of a test that is later than this had to wait for others. Milliseconds. */
const BUSY_MS = 50

/**
 * How late this machine lets a timer be while it beats. What a test measures here cannot be more
 * punctual than this, on a machine that has other things to do.
 */
export class Heartbeat implements Disposable {
  readonly #timer: ReturnType<typeof setInterval>
  #lastMs = performance.now()
  #worstMs = 0

  constructor(beatMs = 10) {
    this.#timer = setInterval(() => {
      const nowMs = performance.now()
      this.#worstMs = Math.max(this.#worstMs, nowMs - this.#lastMs - beatMs)
      this.#lastMs = nowMs
    }, beatMs)
  }

  get worstMs(): number {
    return this.#worstMs
  }

  /**
   * Milliseconds to forgive in a measured lateness: none on a machine that is free; else this process,
   * the operator and the kernel between them all waited for their turn, as long as this one did.
   */
  get forgivenMs(): number {
    return this.#worstMs <= BUSY_MS ? 0 : 3 * this.#worstMs
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }
}
