// The garbage collector: what an ownerReference points to by uid is gone, so its dependents go too.

import type { Cluster } from './cluster.ts'
import { listAt, textAt } from './json.ts'
import { type KubeObject, ownersOf, withMeta } from './object.ts'
import { removeObject } from './remove.ts'
import type { Change } from './store.ts'

interface Dependent {
  readonly collection: string
  readonly namespace: string
  readonly name: string
}

/** Follows every change of a cluster and deletes dependents some time after their last owner. */
export class GarbageCollector {
  readonly #cluster: Cluster
  readonly #delayMs: number
  /** uid of everything that lives. */
  readonly #alive = new Set<string>()
  /** By uid of an owner, by uid of the dependent. */
  readonly #dependents = new Map<string, Map<string, Dependent>>()
  readonly #timers = new Set<ReturnType<typeof setTimeout>>()

  constructor(cluster: Cluster, delayMs: number) {
    this.#cluster = cluster
    this.#delayMs = delayMs
    cluster.store.onChange((change) => this.#follow(change))
  }

  /** Lets the dependents of an object live on without it. */
  orphan(uid: string): void {
    for (const dependent of this.#dependentsOf(uid)) this.#dropReferences(dependent, [uid])
  }

  /** Ends all pending work. */
  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }

  #follow({ type, collection, current, previous }: Change): void {
    const { object } = current
    const { uid, namespace = '', name } = object.metadata
    const before = previous === undefined ? [] : ownersOf(previous.object)
    const after = type === 'DELETED' ? [] : ownersOf(object)
    for (const owner of before) this.#dependents.get(owner.uid)?.delete(uid)
    for (const owner of after) {
      const known = this.#dependents.get(owner.uid) ?? new Map<string, Dependent>()
      this.#dependents.set(owner.uid, known.set(uid, { collection, namespace, name }))
      if (!this.#alive.has(owner.uid)) this.#schedule(owner.uid)
    }
    if (type !== 'DELETED') this.#alive.add(uid)
    else {
      this.#alive.delete(uid)
      if (this.#dependents.has(uid)) this.#schedule(uid)
    }
    for (const owner of before) this.#forgetIfEmpty(owner.uid)
  }

  #schedule(uid: string): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      this.#collect(uid)
    }, this.#delayMs)
    this.#timers.add(timer)
  }

  #collect(uid: string): void {
    if (this.#alive.has(uid)) return
    for (const dependent of this.#dependentsOf(uid)) {
      const { collection, namespace, name } = dependent
      const object = this.#cluster.store.get(collection, namespace, name)?.object
      if (object === undefined) continue
      const owners = ownersOf(object)
      const gone = owners.filter((owner) => !this.#alive.has(owner.uid))
      if (gone.length < owners.length) {
        this.#dropReferences(
          dependent,
          gone.map((owner) => owner.uid),
        )
      } else this.#delete(collection, object)
    }
  }

  #delete(collection: string, object: KubeObject): void {
    const resource = this.#cluster.registry.all().find((item) => item.collection === collection)
    if (resource === undefined) return
    const { namespace = '', name, uid } = object.metadata
    const orphan = (owner: string) => this.orphan(owner)
    const options = { preconditions: { uid } }
    removeObject(this.#cluster, { resource, namespace, name, options, isDryRun: false, orphan })
  }

  #dropReferences({ collection, namespace, name }: Dependent, uids: readonly string[]): void {
    const object = this.#cluster.store.get(collection, namespace, name)?.object
    if (object === undefined) return
    const left = listAt(object, 'metadata', 'ownerReferences').filter(
      (owner) => !uids.includes(textAt(owner, 'uid')),
    )
    const ownerReferences = left.length === 0 ? undefined : left
    this.#cluster.store.put(collection, withMeta(object, { ownerReferences }))
  }

  #dependentsOf(uid: string): readonly Dependent[] {
    return [...(this.#dependents.get(uid)?.values() ?? [])]
  }

  #forgetIfEmpty(uid: string): void {
    if (this.#dependents.get(uid)?.size === 0) this.#dependents.delete(uid)
  }
}
