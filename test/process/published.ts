// What is published by all Endpoints of an API server, and every address that was ever taken back.

import type { ApiServer } from '../apiserver/server.ts'
import { publishedIn } from '../soak/model.ts'

/** An address (`ip:port`) that was published and then not any more, its ClusterEndpoint being there. */
export type Loss = { readonly name: string; readonly address: string; readonly atMs: number }

export class Published implements Disposable {
  readonly #byName = new Map<string, ReadonlySet<string>>()
  readonly #stop: () => void
  readonly #losses: Loss[] = []

  constructor(server: ApiServer) {
    this.#stop = server.onEvent(({ type, resource, object }) => {
      if (resource !== 'endpoints') return
      const { name } = object.metadata
      if (type === 'DELETED') return void this.#byName.delete(name)
      const after = publishedIn(object)
      const atMs = performance.now()
      for (const address of this.#byName.get(name) ?? []) {
        if (!after.has(address)) this.#losses.push({ name, address, atMs })
      }
      this.#byName.set(name, after)
    })
  }

  /** Everything taken back since the start. */
  get losses(): readonly Loss[] {
    return this.#losses
  }

  has(address: string): boolean {
    return [...this.#byName.values()].some((addresses) => addresses.has(address))
  }

  /** How many addresses are published, those of each Endpoints counted. */
  get size(): number {
    return [...this.#byName.values()].reduce((sum, { size }) => sum + size, 0)
  }

  [Symbol.dispose](): void {
    this.#stop()
  }
}
