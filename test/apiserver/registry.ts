// Which resources the server has right now: the built-in ones and those of the applied CRDs.

import { resourcesOfCrd } from './crd.ts'
import type { JsonMap } from './json.ts'
import { textAt } from './json.ts'
import type { Resource } from './resource.ts'

/** Finds resources by what paths and objects call them. */
export class Registry {
  readonly #builtIn: readonly Resource[]
  readonly #custom = new Map<string, readonly Resource[]>()
  #byPath = new Map<string, Resource>()

  constructor(builtIn: readonly Resource[]) {
    this.#builtIn = builtIn
    this.#index()
  }

  /** All resources; of several versions of one the storage version comes first. */
  all(): readonly Resource[] {
    return [...this.#builtIn, ...[...this.#custom.values()].flat()]
  }

  /** The resource of `/apis/<group>/<version>/.../<plural>`. */
  byPath(group: string, version: string, plural: string): Resource | undefined {
    return this.#byPath.get(`${group}/${version}/${plural}`)
  }

  /** The resource of an object. */
  byKind(apiVersion: string, kind: string): Resource | undefined {
    return this.all().find((item) => item.apiVersion === apiVersion && item.kind === kind)
  }

  /** The resource by plural, singular, kind or short name, or `plural.group`. */
  byName(name: string): Resource | undefined {
    return this.all().find(
      (item) =>
        [item.plural, item.singular, item.kind, `${item.plural}.${item.group}`].includes(name) ||
        item.shortNames.includes(name),
    )
  }

  /** Serves what a definition says, from now on. */
  define(crd: JsonMap): void {
    this.#custom.set(textAt(crd, 'metadata', 'name'), resourcesOfCrd(crd))
    this.#index()
  }

  /** Stops serving a definition; returns what it had. */
  undefine(crd: JsonMap): readonly Resource[] {
    const name = textAt(crd, 'metadata', 'name')
    const gone = this.#custom.get(name) ?? []
    this.#custom.delete(name)
    this.#index()
    return gone
  }

  #index(): void {
    this.#byPath = new Map(
      this.all().map((item) => [`${item.group}/${item.version}/${item.plural}`, item]),
    )
  }
}
