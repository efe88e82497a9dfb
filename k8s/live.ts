// What stands in the cluster under our label, as far as we know: fed by a watch and by the answers to
// our own writes, whichever is newer.

import * as v from 'valibot'
import { keyOf, type Named } from './paths.ts'
import type { Change } from './reflector.ts'
import { isNewer } from './versions.ts'

type Versioned = { readonly metadata: Named & { readonly resourceVersion: string } }

export type LiveCache<T extends Versioned> = {
  readonly get: (key: string) => T | undefined
  /**
   * Reads and remembers the answer to a write, unless that or something newer is known: then returns what
   * is. Throws if it cannot be read.
   */
  readonly learn: (answer: unknown) => T
  readonly keys: () => Iterable<string>
  readonly onReplace: (objects: readonly unknown[], version: string) => void
  readonly onChange: (type: Change, object: unknown) => void
}

export type LiveOptions<T> = {
  /** Reads an object; `known` is what is known of the one of this name so far. */
  readonly read: (object: unknown, known: T | undefined) => T
  /** Told when a watch said something that was not known yet. */
  readonly onNews: (key: string) => void
  /** Told of an object that could not be read; it is passed over. */
  readonly onUnreadable: (error: unknown) => void
}

const versionedSchema = v.object({
  metadata: v.object({ namespace: v.string(), name: v.string(), resourceVersion: v.string() }),
})

/** Deletions remembered: those that the answer to a write, or an event that comes late, could undo. */
const BURIED_MAX = 1_000

export function createLiveCache<T extends Versioned>(options: LiveOptions<T>): LiveCache<T> {
  const objects = new Map<string, T>()
  /** Version at which a key was deleted, oldest deletion first. */
  const buried = new Map<string, string>()
  /** Version of the last list: what is that old and was not in it is gone. */
  let listed = ''

  function read(object: unknown): T | undefined {
    try {
      const { metadata } = v.parse(versionedSchema, object)
      return options.read(object, objects.get(keyOf(metadata)))
    } catch (error) {
      options.onUnreadable(error)
      return undefined
    }
  }

  /** Whether it is no news: most of what a watch tells are our own writes, whose answers were read. */
  function isKnown(object: unknown): boolean {
    const parsed = v.safeParse(versionedSchema, object)
    return parsed.success && !isLater(parsed.output)
  }

  function isLater({ metadata }: Versioned): boolean {
    const key = keyOf(metadata)
    const known = objects.get(key)?.metadata.resourceVersion ?? buried.get(key) ?? listed
    return known === '' || isNewer(metadata.resourceVersion, known)
  }

  /** Returns whether `live` was news. */
  function set(live: T): boolean {
    if (!isLater(live)) return false
    const key = keyOf(live.metadata)
    objects.set(key, live)
    buried.delete(key)
    return true
  }

  function forgetVersions(): void {
    buried.clear()
    for (const [key, live] of objects) {
      objects.set(key, { ...live, metadata: { ...live.metadata, resourceVersion: '0' } })
    }
  }

  function bury(key: string, version: string): void {
    buried.delete(key)
    buried.set(key, version)
    const [oldest] = buried.keys()
    if (buried.size > BURIED_MAX && oldest !== undefined) buried.delete(oldest)
  }

  return {
    get: (key) => objects.get(key),
    learn: (answer) => {
      const { metadata } = v.parse(versionedSchema, answer)
      const known = objects.get(keyOf(metadata))
      // The watch is often faster than the answer.
      if (known && !isNewer(metadata.resourceVersion, known.metadata.resourceVersion)) return known
      const live = options.read(answer, known)
      set(live)
      return live
    },
    keys: () => objects.keys(),
    onReplace: (list, version) => {
      const present = new Set<string>()
      // A cluster that was restored from a backup: no version from before can be compared.
      if (listed !== '' && isNewer(listed, version)) forgetVersions()
      listed = ''
      for (const object of list) {
        const live = read(object)
        if (!live) continue
        present.add(keyOf(live.metadata))
        if (set(live)) options.onNews(keyOf(live.metadata))
      }
      listed = version
      for (const [key, { metadata }] of objects) {
        // What we wrote after the list was taken is not missing from it.
        if (present.has(key) || isNewer(metadata.resourceVersion, version)) continue
        objects.delete(key)
        options.onNews(key)
      }
    },
    onChange: (type, object) => {
      if (type !== 'DELETED' && isKnown(object)) return
      const live = read(object)
      if (!live) return
      const key = keyOf(live.metadata)
      if (type !== 'DELETED') {
        if (set(live)) options.onNews(key)
        return
      }
      const { resourceVersion } = live.metadata
      const known = objects.get(key)?.metadata.resourceVersion
      if (known !== undefined && isNewer(known, resourceVersion)) return
      if (isNewer(resourceVersion, buried.get(key) ?? '')) bury(key, resourceVersion)
      if (objects.delete(key)) options.onNews(key)
    },
  }
}
