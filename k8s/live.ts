// What stands in the cluster under our label, as far as we know: fed by a watch and by the answers to
// our own writes, whichever is newer.

import { keyOf, type Named } from './paths.ts'
import type { Change } from './reflector.ts'

type Versioned = { readonly metadata: Named & { readonly resourceVersion: string } }

export type LiveCache<T extends Versioned> = {
  readonly get: (key: string) => T | undefined
  /** Remembers `live` unless something newer is known. */
  readonly set: (live: T) => void
  readonly keys: () => Iterable<string>
  readonly onReplace: (objects: readonly unknown[], version: string) => void
  readonly onChange: (type: Change, object: unknown) => void
}

export type LiveOptions<T> = {
  readonly read: (object: unknown) => T
  /** Told when a watch said something that was not known yet. */
  readonly onNews: (key: string) => void
  /** Told of an object that could not be read; it is passed over. */
  readonly onUnreadable: (error: unknown) => void
}

export function createLiveCache<T extends Versioned>(options: LiveOptions<T>): LiveCache<T> {
  const objects = new Map<string, T>()

  function read(object: unknown): T | undefined {
    try {
      return options.read(object)
    } catch (error) {
      options.onUnreadable(error)
      return undefined
    }
  }

  /** Returns whether `live` was news. */
  function set(live: T): boolean {
    const key = keyOf(live.metadata)
    const known = objects.get(key)?.metadata.resourceVersion
    if (known !== undefined && !isNewer(live.metadata.resourceVersion, known)) return false
    objects.set(key, live)
    return true
  }

  return {
    get: (key) => objects.get(key),
    set: (live) => void set(live),
    keys: () => objects.keys(),
    onReplace: (list, version) => {
      const listed = new Set<string>()
      for (const object of list) {
        const live = read(object)
        if (!live) continue
        listed.add(keyOf(live.metadata))
        if (set(live)) options.onNews(keyOf(live.metadata))
      }
      for (const [key, { metadata }] of objects) {
        // What we wrote after the list was taken is not missing from it.
        if (listed.has(key) || isNewer(metadata.resourceVersion, version)) continue
        objects.delete(key)
        options.onNews(key)
      }
    },
    onChange: (type, object) => {
      const live = read(object)
      if (!live) return
      const key = keyOf(live.metadata)
      if (type !== 'DELETED') {
        if (set(live)) options.onNews(key)
        return
      }
      const known = objects.get(key)?.metadata.resourceVersion
      if (known !== undefined && isNewer(known, live.metadata.resourceVersion)) return
      objects.delete(key)
      options.onNews(key)
    },
  }
}

/**
 * Whether resourceVersion `a` is later than `b`. They are opaque by contract, but every API server
 * counts; where one does not, the later message wins.
 */
export function isNewer(a: string, b: string): boolean {
  const difference = Number(a) - Number(b)
  return Number.isNaN(difference) ? a !== b : difference > 0
}
