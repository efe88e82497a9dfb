// A small client of the API server for tests: no cleverness, every call is one request.

import * as v from 'valibot'
import type { SliceApiVersion } from '../../crds/slices.ts'
import { type KubeObject, readObject } from './objects.ts'
import type { World } from './world.ts'

/** The kinds that tests touch, by their plural. */
export type Plural =
  | 'clusterendpoints'
  | 'services'
  | 'endpoints'
  | 'endpointslices'
  | 'events'
  | 'namespaces'

/** Where an object is; without a name, where its collection is. */
export type Place = {
  readonly plural: Plural
  /** Of ClusterEndpoints; ours if absent. */
  readonly group?: 'sealos.io' | 'sealyun.com'
  readonly namespace?: string
  readonly name?: string
}

/** How a patch says what it wants. */
export type PatchType = 'merge' | 'strategic-merge' | 'json'

/** A request that the API server refused. */
export class Refused extends Error {
  override readonly name = 'Refused'
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message)
  }
}

/** What becomes of the dependents of what is deleted. */
export type DeletePolicy = 'Background' | 'Foreground' | 'Orphan'

export type Api = {
  /** The path of an object or a collection. */
  readonly pathOf: (place: Place) => string
  /** Undefined when there is none. */
  readonly get: (place: Place) => Promise<KubeObject | undefined>
  readonly list: (place: Place) => Promise<{ items: KubeObject[]; resourceVersion: string }>
  /** Throws Refused, as the other writes do. */
  readonly create: (place: Place, object: unknown, manager?: string) => Promise<KubeObject>
  /** As `kubectl edit` does, unless another `manager` is given: it owns what it changes. */
  readonly patch: (
    place: Place,
    patch: unknown,
    type?: PatchType,
    manager?: string,
  ) => Promise<KubeObject>
  /** Server-side apply by `manager`. */
  readonly apply: (place: Place, object: unknown, manager: string) => Promise<KubeObject>
  /** Deletes an object; that there is none is no error. */
  readonly remove: (place: Place, policy?: DeletePolicy) => Promise<void>
}

const listSchema = v.object({
  metadata: v.object({ resourceVersion: v.string() }),
  items: v.array(v.unknown()),
})

export function createApi({
  request,
  sliceApiVersion,
}: Pick<World, 'request' | 'sliceApiVersion'>): Api {
  const pathOf = (place: Place) => `${rootOf(place, sliceApiVersion)}${insideOf(place)}`

  async function send(method: string, path: string, body?: unknown, type = 'application/json') {
    const answer = await request(path, {
      method,
      headers: { 'Content-Type': type, Accept: 'application/json', 'User-Agent': 'integration' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Refused(answer.status, messageIn(text))
    return JSON.parse(text)
  }

  return {
    pathOf,
    get: async (place) => {
      try {
        return readObject(await send('GET', pathOf(place)))
      } catch (error) {
        if (isNotFound(error)) return undefined
        throw error
      }
    },
    list: async (place) => {
      const { metadata, items } = v.parse(listSchema, await send('GET', pathOf(place)))
      return { items: items.map(readObject), resourceVersion: metadata.resourceVersion }
    },
    create: async (place, object, manager) => {
      const query = manager === undefined ? '' : `?fieldManager=${manager}`
      return readObject(await send('POST', `${pathOf(place)}${query}`, object))
    },
    patch: async (place, patch, type = 'merge', manager = 'kubectl-edit') => {
      const path = `${pathOf(place)}?fieldManager=${manager}`
      return readObject(await send('PATCH', path, patch, `application/${type}-patch+json`))
    },
    apply: async (place, object, manager) => {
      const path = `${pathOf(place)}?fieldManager=${manager}`
      return readObject(await send('PATCH', path, object, 'application/apply-patch+yaml'))
    },
    remove: async (place, propagationPolicy) => {
      try {
        await send('DELETE', pathOf(place), propagationPolicy && { propagationPolicy })
      } catch (error) {
        if (!isNotFound(error)) throw error
      }
    },
  }
}

/** The version in which an API server of `kubeVersion` (`v1.20.2`) serves EndpointSlices. */
export function sliceApiVersionOf(kubeVersion: string): SliceApiVersion {
  return kubeVersion.startsWith('v1.20.') ? 'discovery.k8s.io/v1beta1' : 'discovery.k8s.io/v1'
}

function rootOf({ plural, group = 'sealos.io' }: Place, sliceApiVersion: string): string {
  if (plural === 'clusterendpoints') return `/apis/${group}/v1beta1`
  return plural === 'endpointslices' ? `/apis/${sliceApiVersion}` : '/api/v1'
}

function insideOf({ plural, namespace, name }: Place): string {
  const inside = namespace === undefined ? '' : `/namespaces/${namespace}`
  return `${inside}/${plural}${name === undefined ? '' : `/${name}`}`
}

function isNotFound(error: unknown): boolean {
  return error instanceof Refused && error.status === 404
}

function messageIn(text: string): string {
  const parsed = v.safeParse(
    v.pipe(v.string(), v.parseJson(), v.object({ message: v.string() })),
    text,
  )
  return parsed.success ? parsed.output.message : text
}
