// Objects of a test server by name, without HTTP: the same rules as the API, no faults, no log.

import type { Cluster } from './cluster.ts'
import { isMap, type Json, type JsonMap, textAt } from './json.ts'
import { isKubeObject, type KubeObject, withMeta } from './object.ts'
import { removeObject } from './remove.ts'
import type { Resource } from './resource.ts'
import { createObject, patchObject, updateObject, type WriteRequest } from './write.ts'

/** The field manager of what tests write. */
const MANAGER = 'test'

/** Direct access for tests. Resources go by plural, kind or short name. Throws what the API answers. */
export class ObjectStore {
  readonly #cluster: Cluster
  readonly #orphan: (uid: string) => void

  constructor(cluster: Cluster, orphan: (uid: string) => void) {
    this.#cluster = cluster
    this.#orphan = orphan
  }

  /** The version of the last write. */
  get resourceVersion(): string {
    return String(this.#cluster.store.rv)
  }

  /** Creates an object; its namespace is `default` unless it says so. */
  create(object: unknown): KubeObject {
    const { body, request } = this.#prepare(object)
    return stored(createObject(this.#cluster, { ...request, name: '' }, body).object)
  }

  /** Replaces an object; without a resourceVersion whatever is there. */
  update(object: unknown): KubeObject {
    const { body, request } = this.#prepare(object)
    const { resource, namespace, name } = request
    const live = this.#cluster.store.get(resource.collection, namespace, name)?.object
    const version = textAt(body, 'metadata', 'resourceVersion') || live?.metadata.resourceVersion
    const given = withMeta(body, { resourceVersion: version })
    return stored(updateObject(this.#cluster, request, given).object)
  }

  /** Replaces the status of an object by the status given. */
  updateStatus(object: unknown): KubeObject {
    const { body, request } = this.#prepare(object)
    const status = { ...request, subresource: 'status' }
    return stored(
      patchObject(this.#cluster, status, 'merge', { status: body.status ?? null }).object,
    )
  }

  /** A merge patch. */
  patch(resource: string, namespace: string, name: string, patch: unknown): KubeObject {
    const request = this.#request(this.#resource(resource), namespace, name)
    return stored(patchObject(this.#cluster, request, 'merge', toJson(patch)).object)
  }

  /** The object as it is now. */
  get(resource: string, namespace: string, name: string): KubeObject | undefined {
    const found = this.#cluster.registry.byName(resource)
    if (found === undefined) return undefined
    return this.#cluster.store.get(found.collection, found.isNamespaced ? namespace : '', name)
      ?.object
  }

  /** All objects of a resource, of one namespace or of all. */
  list(resource: string, namespace = ''): readonly KubeObject[] {
    const { collection } = this.#resource(resource)
    return this.#cluster.store
      .snapshot(collection)
      .versions.map(({ object }) => object)
      .filter((object) => namespace === '' || object.metadata.namespace === namespace)
  }

  /** Deletes as the API does: finalizers hold it up, dependents follow. */
  delete(resource: string, namespace: string, name: string): void {
    const request = this.#request(this.#resource(resource), namespace, name)
    removeObject(this.#cluster, { ...request, options: {}, orphan: this.#orphan })
  }

  /** Creates or replaces every CustomResourceDefinition of a YAML text. */
  applyCrd(yaml: string): void {
    const parsed = toJson(Bun.YAML.parse(yaml))
    for (const crd of Array.isArray(parsed) ? parsed : [parsed]) {
      if (!isMap(crd) || crd.kind !== 'CustomResourceDefinition') continue
      const name = textAt(crd, 'metadata', 'name')
      if (this.get('customresourcedefinitions', '', name) === undefined) this.create(crd)
      else this.update(crd)
    }
  }

  #prepare(object: unknown): { readonly body: JsonMap; readonly request: WriteRequest } {
    const body = toJson(object)
    if (!isMap(body)) throw new Error('Cannot store what is not an object')
    const apiVersion = textAt(body, 'apiVersion')
    const kind = textAt(body, 'kind')
    const resource = this.#cluster.registry.byKind(apiVersion, kind)
    if (resource === undefined) {
      throw new Error(`Cannot store ${apiVersion} ${kind} as no resource has that kind`)
    }
    const namespace = textAt(body, 'metadata', 'namespace') || 'default'
    return { body, request: this.#request(resource, namespace, textAt(body, 'metadata', 'name')) }
  }

  #resource(name: string): Resource {
    const resource = this.#cluster.registry.byName(name)
    if (resource === undefined) throw new Error(`Cannot find resource "${name}"`)
    return resource
  }

  #request(resource: Resource, namespace: string, name: string): WriteRequest {
    return {
      resource,
      namespace: resource.isNamespaced ? namespace : '',
      name,
      subresource: '',
      manager: MANAGER,
      isManagerGiven: true,
      force: true,
      isDryRun: false,
      fieldValidation: 'Strict',
      warnings: [],
    }
  }
}

function stored(object: JsonMap): KubeObject {
  if (!isKubeObject(object)) throw new Error('Cannot read back what was stored')
  return object
}

function toJson(value: unknown): Json {
  return JSON.parse(JSON.stringify(value ?? null))
}
