// A timing wheel: what is due, in O(due). Time is whatever the caller says it is.

import { type Placed, putIn, takeOut } from './bag.ts'

/** An item in a wheel. The wheel alone writes these; `slot` is undefined when it is in none. */
export type Slotted = Placed & { slot: number | undefined }

/** Items by the moment they are due, kept in slots of `slotMs`. One wheel holds an item at most once. */
export class Wheel<T extends Slotted> {
  readonly #slots = new Map<number, T[]>()
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
    let items = this.#slots.get(slot)
    if (!items) {
      items = []
      this.#slots.set(slot, items)
    }
    putIn(items, item)
    item.slot = slot
  }

  /** Takes `item` out; nothing happens if it is not in. */
  remove(item: T): void {
    if (item.slot === undefined) return
    const items = this.#slots.get(item.slot)
    if (items) takeOut(items, item)
    if (items?.length === 0) this.#slots.delete(item.slot)
    item.slot = undefined
  }

  /** Removes and returns all that is due at `nowMs`, earliest first. */
  take(nowMs: number): readonly T[] {
    const last = Math.floor(nowMs / this.slotMs)
    const taken = this.#dueSlots(last).map((slot) => this.#empty(slot))
    this.#cursor = Math.max(this.#cursor, last + 1)
    const [first = []] = taken
    return taken.length > 1 ? taken.flat() : first
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

  #empty(slot: number): T[] {
    const items = this.#slots.get(slot) ?? []
    for (const item of items) {
      item.slot = undefined
      item.place = -1
    }
    this.#slots.delete(slot)
    return items
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
