// What was worked out lately, by the octets that it was worked out from. Hosts say the same thing at each
// attempt: to look it up costs a tenth of reading it anew.

import { bytesOf, type Octets, octets } from './octets.ts'

/** Entries that are kept at most. */
export const ENTRIES_MAX = 128
/** Octets of each: an answer to a health check has about 200. What is longer is not kept. */
export const OCTETS_MAX = 1024

/** What follows from octets alone, by them. Holds some 300 KiB at worst. */
export class Recent<T> {
  readonly #known = new Map<Octets, T>()

  get(text: Octets): T | undefined {
    return text.length > OCTETS_MAX ? undefined : this.#known.get(text)
  }

  /** Forgets all others once there are too many: what is said again is soon back. */
  keep(text: Octets, value: T): void {
    if (text.length > OCTETS_MAX) return
    if (this.#known.size === ENTRIES_MAX) this.#known.clear()
    this.#known.set(copyOf(text), value)
  }
}

/** A slice would keep all of the text that it was cut from. */
function copyOf(text: Octets): Octets {
  return octets(bytesOf(text))
}
