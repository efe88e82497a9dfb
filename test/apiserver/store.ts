// The versioned store: objects, one global resourceVersion, and per collection a bounded history that
// watches resume from and snapshots that list pages are cut from. Knows no rules of any kind.

import type { JsonMap } from './json.ts'
import { isKubeObject, type KubeObject, withMeta } from './object.ts'

/** One stored version of an object. The encoded forms are filled by whoever needs them first. */
export interface Version {
  readonly key: string
  readonly rv: number
  readonly object: KubeObject
  readonly encoded: { full?: string; item?: string; partial?: string }
}

/** One write. `current` of a DELETED is the last state under the version of the deletion. */
export interface Change {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly rv: number
  readonly collection: string
  readonly current: Version
  readonly previous: Version | undefined
}

/** A consistent view of one collection, ordered by namespace and name. */
export interface Snapshot {
  readonly rv: number
  readonly versions: readonly Version[]
}

interface Collection {
  readonly objects: Map<string, Version>
  readonly listeners: Set<(change: Change) => void>
  /** The ring: `changes[offset..]` are live. */
  changes: Change[]
  offset: number
  /** Watches can start at this version or later. */
  floor: number
  keys: string[] | undefined
  snapshot: readonly Version[] | undefined
}

/** Pages in the making that are remembered; an older continue token answers 410. */
const SNAPSHOTS_MAX = 64

/** Objects of every collection (named `group/plural`) with their history. */
export class Store {
  readonly #collections = new Map<string, Collection>()
  readonly #snapshots = new Map<string, Snapshot>()
  readonly #listeners = new Set<(change: Change) => void>()
  readonly #historyMax: number
  /** A real cluster is never at 1 either; small numbers would hide "as text" bugs of clients. */
  #rv = 999

  constructor(historyMax: number) {
    this.#historyMax = historyMax
  }

  /** The version of the last write. */
  get rv(): number {
    return this.#rv
  }

  get(collection: string, namespace: string, name: string): Version | undefined {
    return this.#collections.get(collection)?.objects.get(keyOf(namespace, name))
  }

  /** Writes a new version and tells the listeners; an object is created or replaced. */
  put(collection: string, object: JsonMap): Version {
    const into = this.#collection(collection)
    const version = this.#version(object)
    const previous = into.objects.get(version.key)
    into.objects.set(version.key, version)
    into.snapshot = undefined
    if (previous === undefined) into.keys = undefined
    const type = previous === undefined ? 'ADDED' : 'MODIFIED'
    this.#publish(into, { type, rv: version.rv, collection, current: version, previous })
    return version
  }

  /** Removes an object, in the state `last` if that is given; nothing happens if it is not there. */
  remove(collection: string, object: KubeObject, last: JsonMap = object): Version | undefined {
    const from = this.#collection(collection)
    const { namespace = '', name } = object.metadata
    const previous = from.objects.get(keyOf(namespace, name))
    if (previous === undefined) return undefined
    from.objects.delete(previous.key)
    from.snapshot = undefined
    from.keys = undefined
    const current = this.#version(last)
    this.#publish(from, { type: 'DELETED', rv: current.rv, collection, current, previous })
    return current
  }

  /** All objects of a collection as of now. */
  snapshot(collection: string): Snapshot {
    const of = this.#collections.get(collection)
    if (of === undefined) return { rv: this.#rv, versions: [] }
    of.keys ??= [...of.objects.keys()].sort()
    of.snapshot ??= of.keys.flatMap((key) => of.objects.get(key) ?? [])
    return { rv: this.#rv, versions: of.snapshot }
  }

  /** Keeps a snapshot for the pages to come. */
  keepSnapshot(collection: string, snapshot: Snapshot): void {
    this.#snapshots.delete(`${collection}@${snapshot.rv}`)
    this.#snapshots.set(`${collection}@${snapshot.rv}`, snapshot)
    for (const oldest of this.#snapshots.keys()) {
      if (this.#snapshots.size <= SNAPSHOTS_MAX) break
      this.#snapshots.delete(oldest)
    }
  }

  /** A kept snapshot, undefined once it is forgotten. */
  keptSnapshot(collection: string, rv: number): Snapshot | undefined {
    return this.#snapshots.get(`${collection}@${rv}`)
  }

  /** The changes after a version, undefined when history does not reach back that far. */
  changesSince(collection: string, rv: number): readonly Change[] | undefined {
    const of = this.#collection(collection)
    if (rv < of.floor) return undefined
    let low = of.offset
    let high = of.changes.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((of.changes[middle]?.rv ?? 0) > rv) high = middle
      else low = middle + 1
    }
    return of.changes.slice(low)
  }

  /** Hears every later change of one collection until the returned function is called. */
  subscribe(collection: string, listener: (change: Change) => void): () => void {
    const { listeners } = this.#collection(collection)
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }

  /** Hears every later change until the returned function is called. */
  onChange(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Forgets history and pages, as etcd's compaction does: old versions answer 410. */
  compact(): void {
    this.#snapshots.clear()
    for (const collection of this.#collections.values()) {
      collection.changes = []
      collection.offset = 0
      collection.floor = this.#rv
    }
  }

  #collection(name: string): Collection {
    let found = this.#collections.get(name)
    if (found === undefined) {
      const empty = { changes: [], offset: 0, floor: 0, keys: undefined, snapshot: undefined }
      found = { objects: new Map(), listeners: new Set(), ...empty }
      this.#collections.set(name, found)
    }
    return found
  }

  #version(object: JsonMap): Version {
    this.#rv += 1
    const stamped = withMeta(object, { resourceVersion: String(this.#rv) })
    if (!isKubeObject(stamped)) throw new Error('Cannot store an object without name and uid')
    const { namespace = '', name } = stamped.metadata
    return { key: keyOf(namespace, name), rv: this.#rv, object: stamped, encoded: {} }
  }

  #publish(collection: Collection, change: Change): void {
    collection.changes.push(change)
    if (collection.changes.length - collection.offset > this.#historyMax) {
      collection.floor = collection.changes[collection.offset]?.rv ?? collection.floor
      collection.offset += 1
      if (collection.offset > this.#historyMax) {
        collection.changes = collection.changes.slice(collection.offset)
        collection.offset = 0
      }
    }
    for (const listener of collection.listeners) listener(change)
    for (const listener of this.#listeners) listener(change)
  }
}

/** The key that orders a collection: namespace, then name. */
export function keyOf(namespace: string, name: string): string {
  return `${namespace}/${name}`
}
