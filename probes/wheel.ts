// A timing wheel: what is due, in O(due). Time is whatever the caller says it is.

/** An item in a wheel. The wheel alone writes `slot`; undefined means that it is in none. */
export type Slotted = { slot: number | undefined }

/** Items by the moment they are due, kept in slots of `slotMs`. One wheel holds an item at most once. */
export class Wheel<T extends Slotted> {
  readonly #slots = new Map<number, Set<T>>()
  /** The first slot that was not taken yet. */
  #cursor = Number.NEGATIVE_INFINITY

  constructor(readonly slotMs: number) {}

  get isEmpty(): boolean {
    return this.#slots.size === 0
  }

  /** Puts `item` in at `dueMs`, moving it if it was in already. What is past due is handed out next. */
  insert(item: T, dueMs: number): void {
    this.remove(item)
    const slot = Math.max(Math.ceil(dueMs / this.slotMs), this.#cursor)
    const items = this.#slots.get(slot)
    if (items) items.add(item)
    else this.#slots.set(slot, new Set([item]))
    item.slot = slot
  }

  /** Takes `item` out; nothing happens if it is not in. */
  remove(item: T): void {
    if (item.slot === undefined) return
    const items = this.#slots.get(item.slot)
    items?.delete(item)
    if (items?.size === 0) this.#slots.delete(item.slot)
    item.slot = undefined
  }

  /** Removes and returns all that is due at `nowMs`, earliest first. */
  take(nowMs: number): T[] {
    const last = Math.floor(nowMs / this.slotMs)
    const taken: T[] = []
    for (const slot of this.#dueSlots(last)) {
      for (const item of this.#slots.get(slot) ?? []) {
        item.slot = undefined
        taken.push(item)
      }
      this.#slots.delete(slot)
    }
    this.#cursor = Math.max(this.#cursor, last + 1)
    return taken
  }

  /** When something is next due, looking no further than `horizonMs` ahead: then that moment. `nowMs` if it is overdue. */
  nextMs(nowMs: number, horizonMs: number): number {
    const first = Math.ceil(nowMs / this.slotMs)
    if (this.#dueSlots(first - 1).length > 0) return nowMs
    const end = Math.floor((nowMs + horizonMs) / this.slotMs)
    for (let slot = Math.max(this.#cursor, first); slot < end; slot++) {
      if (this.#slots.has(slot)) return slot * this.slotMs
    }
    return end * this.slotMs
  }

  /** The occupied slots up to `last`; after a long gap it is cheaper to look at those there are. */
  #dueSlots(last: number): number[] {
    if (last - this.#cursor > this.#slots.size) {
      return [...this.#slots.keys()].filter((slot) => slot <= last).sort((a, b) => a - b)
    }
    const due: number[] = []
    for (let slot = this.#cursor; slot <= last; slot++) if (this.#slots.has(slot)) due.push(slot)
    return due
  }
}
