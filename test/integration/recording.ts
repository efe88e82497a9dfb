// Every version of every object of a kind, as a watch tells it, with the moment at which it was told.

import * as v from 'valibot'
import { jsonLines } from '../../k8s/lines.ts'
import type { Api, Place, Plural } from './api.ts'
import { type KubeObject, readObject } from './objects.ts'
import type { World } from './world.ts'

/** One version; `object` is undefined once it is deleted. `atMs` is monotonic. */
export type Version = { readonly object: KubeObject | undefined; readonly atMs: number }

/** A version, and whose it is. */
export type Told = Version & { readonly name: string }

export type Recording = {
  /** As it stands now; undefined when there is none. */
  readonly latest: (namespace: string, name: string) => KubeObject | undefined
  /** Every version since the recording began, oldest first. */
  readonly versions: (namespace: string, name: string) => readonly Version[]
  /** Every version of every object of a namespace, in the order in which they were told. */
  readonly story: (namespace: string) => readonly Told[]
  /** Everything that stands in a namespace now. */
  readonly all: (namespace: string) => KubeObject[]
  readonly stop: () => Promise<void>
}

const eventSchema = v.object({ type: v.string(), object: v.unknown() })

/** Begins to record all objects of a kind in all namespaces. Throws when the watch cannot be had. */
export async function startRecording(world: World, api: Api, plural: Plural): Promise<Recording> {
  const histories = new Map<string, Version[]>()
  const stories = new Map<string, Told[]>()
  const stop = new AbortController()

  function note(object: KubeObject, isDeleted: boolean): void {
    const key = keyOf(object.metadata.namespace, object.metadata.name)
    const history = histories.get(key) ?? []
    histories.set(key, history)
    const version = { object: isDeleted ? undefined : object, atMs: performance.now() }
    history.push(version)
    const { namespace, name } = object.metadata
    const story = stories.get(namespace) ?? []
    stories.set(namespace, story)
    story.push({ ...version, name })
  }

  const place: Place = { plural }
  const { items, resourceVersion } = await api.list(place)
  for (const item of items) note(item, false)
  const path = `${api.pathOf(place)}?watch=true&resourceVersion=${resourceVersion}`
  const answer = await world.request(path, { signal: stop.signal })
  const { body } = answer
  if (!answer.ok || !body) throw new Error(`Cannot watch ${plural}: HTTP ${answer.status}`)
  const following = (async () => {
    try {
      for await (const line of jsonLines(body)) {
        const { type, object } = v.parse(eventSchema, line)
        note(readObject(object), type === 'DELETED')
      }
    } catch (error) {
      if (!stop.signal.aborted) throw error
    }
    if (!stop.signal.aborted) throw new Error(`The watch of ${plural} ended`)
  })()

  const versions = (namespace: string, name: string) => histories.get(keyOf(namespace, name)) ?? []
  return {
    versions,
    story: (namespace) => stories.get(namespace) ?? [],
    latest: (namespace, name) => versions(namespace, name).at(-1)?.object,
    all: (namespace) =>
      [...histories.values()].flatMap((history) => {
        const object = history.at(-1)?.object
        return object?.metadata.namespace === namespace ? [object] : []
      }),
    stop: async () => {
      stop.abort()
      await following
    },
  }
}

function keyOf(namespace: string, name: string): string {
  return `${namespace}/${name}`
}
