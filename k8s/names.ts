// The names among the hosts of one resource: what is remembered of each, fed by the resolver.

import { answered, type Memory, NOTHING, remember } from '../dns/memory.ts'
import type { Resolver, Watch } from '../dns/resolver.ts'

type Name = { memory: Memory; readonly watch: Watch }

export class Names {
  readonly #resolver: Resolver
  /** Told when an answer changed what is remembered. */
  readonly #onNews: () => void
  readonly #names = new Map<string, Name>()
  /** Names of which nothing is known: neither heard of nor published before. */
  readonly #unknown = new Set<string>()

  constructor(resolver: Resolver, onNews: () => void) {
    this.#resolver = resolver
    this.#onNews = onNews
  }

  /** Watches exactly `names`; of a new one the addresses in `believed` count until a name server was heard. */
  watch(names: Iterable<string>, believed: ReadonlyMap<string, readonly string[]>): void {
    const wanted = new Set(names)
    for (const [name, { watch }] of this.#names) {
      if (wanted.has(name)) continue
      watch.stop()
      this.#names.delete(name)
      this.#unknown.delete(name)
    }
    for (const name of wanted) {
      if (!this.#names.has(name)) this.#names.set(name, this.#begin(name, believed.get(name) ?? []))
    }
  }

  get size(): number {
    return this.#names.size
  }

  get(name: string): Memory {
    return this.#names.get(name)?.memory ?? NOTHING
  }

  /** Names about which nothing was heard yet. */
  get unasked(): string[] {
    return this.#those(({ isAsked }) => !isAsked)
  }

  /** Whether something is known of every name, be it only that it was published before. */
  get isKnown(): boolean {
    return this.#unknown.size === 0
  }

  /** Names whose addresses are only kept, and why nothing new is heard of them. */
  get troubles(): { readonly name: string; readonly reason: string }[] {
    return this.#those(({ trouble, addresses }) => trouble !== '' && addresses.size > 0).map(
      (name) => ({ name, reason: this.get(name).trouble }),
    )
  }

  /** Says whether all addresses of `name` are out: then it is asked more often. */
  urge(name: string, isUrgent: boolean): void {
    this.#names.get(name)?.watch.urge(isUrgent)
  }

  stop(): void {
    this.watch([], new Map())
  }

  #begin(text: string, believed: readonly string[]): Name {
    const watch = this.#resolver.watch(text, (answer) => {
      const before = name.memory
      name.memory = answered(before, answer)
      this.#unknown.delete(text)
      if (name.memory !== before) this.#onNews()
    })
    const memory = remember(believed)
    const name = { memory: watch.known ? answered(memory, watch.known) : memory, watch }
    if (!watch.known && believed.length === 0) this.#unknown.add(text)
    return name
  }

  #those(is: (memory: Memory) => boolean): string[] {
    return [...this.#names].flatMap(([name, { memory }]) => (is(memory) ? [name] : []))
  }
}
