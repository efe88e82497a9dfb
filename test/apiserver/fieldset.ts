// Sets of field paths, the currency of server-side apply. A path element is written as fieldsV1 writes
// it: `f:spec`, `k:{"port":80,"protocol":"TCP"}`, `v:"x"`. Source: structured-merge-diff, fieldpath.

import { isMap, type Json, type JsonMap } from './json.ts'
import { childOf, type Schema } from './schema.ts'

/** A set of paths: the elements that are in it, and what is in it below each element. Never mutated. */
export interface FieldSet {
  readonly members: ReadonlySet<string>
  readonly children: ReadonlyMap<string, FieldSet>
}

/** The set without a path. */
export const emptySet: FieldSet = { members: new Set(), children: new Map() }

/** Collects paths; the one place where a set grows. */
export class FieldSetBuilder {
  readonly #members = new Set<string>()
  readonly #children = new Map<string, FieldSetBuilder>()

  insert(path: readonly string[], depth = 0): void {
    const element = path[depth]
    if (element === undefined) return
    if (depth === path.length - 1) this.#members.add(element)
    else this.#child(element).insert(path, depth + 1)
  }

  build(): FieldSet {
    const children = new Map<string, FieldSet>()
    for (const [element, child] of this.#children) children.set(element, child.build())
    return { members: this.#members, children }
  }

  #child(element: string): FieldSetBuilder {
    let child = this.#children.get(element)
    if (child === undefined) {
      child = new FieldSetBuilder()
      this.#children.set(element, child)
    }
    return child
  }
}

/** Whether no path is in the set. */
export function isEmptySet(set: FieldSet): boolean {
  return set.members.size === 0 && [...set.children.values()].every(isEmptySet)
}

/** The paths of either set. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  const children = new Map(a.children)
  for (const [element, child] of b.children) {
    const mine = children.get(element)
    children.set(element, mine === undefined ? child : union(mine, child))
  }
  return { members: a.members.union(b.members), children }
}

/** The paths of both sets. */
export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const children = new Map<string, FieldSet>()
  for (const [element, child] of a.children) {
    const other = b.children.get(element)
    if (other === undefined) continue
    const common = intersection(child, other)
    if (!isEmptySet(common)) children.set(element, common)
  }
  return { members: a.members.intersection(b.members), children }
}

/** The paths of `a` that are not in `b`; what lies below a path of `b` stays. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  const children = new Map<string, FieldSet>()
  for (const [element, child] of a.children) {
    const other = b.children.get(element)
    const rest = other === undefined ? child : difference(child, other)
    if (!isEmptySet(rest)) children.set(element, rest)
  }
  return { members: a.members.difference(b.members), children }
}

/** The paths of `a` that are neither in `b` nor below a path of `b`. */
export function differenceBelow(a: FieldSet, b: FieldSet): FieldSet {
  const children = new Map<string, FieldSet>()
  for (const [element, child] of a.children) {
    if (b.members.has(element)) continue
    const other = b.children.get(element)
    const rest = other === undefined ? child : differenceBelow(child, other)
    if (!isEmptySet(rest)) children.set(element, rest)
  }
  return { members: a.members.difference(b.members), children }
}

/** The set with every named field that something lies below made a member itself. */
export function withNamedFields(set: FieldSet, schema: Schema | undefined): FieldSet {
  const members = new Set(set.members)
  const children = new Map<string, FieldSet>()
  for (const [element, child] of set.children) {
    const name = fieldName(element)
    if (name !== undefined && schema?.properties.has(name)) members.add(element)
    const below = name === undefined ? schema?.items : childOf(schema, name)
    children.set(element, withNamedFields(child, below))
  }
  return { members, children }
}

/** Every path of the set, as lists of elements, in order. */
export function pathsOf(set: FieldSet, prefix: readonly string[] = []): readonly string[][] {
  const elements = [...new Set([...set.members, ...set.children.keys()])].sort()
  return elements.flatMap((element) => {
    const path = [...prefix, element]
    const child = set.children.get(element)
    return [
      ...(set.members.has(element) ? [path] : []),
      ...(child === undefined ? [] : pathsOf(child, path)),
    ]
  })
}

/** A path as conflicts print it: `.spec.ports[port=80,protocol="TCP"].targetPort`. */
export function printPath(path: readonly string[]): string {
  return path.map(printElement).join('')
}

/** fieldsV1 of a set. */
export function formatFields(set: FieldSet): JsonMap {
  const out: Record<string, Json> = {}
  for (const element of [...new Set([...set.members, ...set.children.keys()])].sort()) {
    const child = set.children.get(element)
    const below = child === undefined ? {} : formatFields(child)
    const both = set.members.has(element) && Object.keys(below).length > 0
    out[element] = both ? { '.': {}, ...below } : below
  }
  return out
}

/** Reads fieldsV1; undefined when it is not a field set. */
export function parseFields(json: Json | undefined): FieldSet | undefined {
  if (!isMap(json)) return undefined
  const members = new Set<string>()
  const children = new Map<string, FieldSet>()
  for (const [raw, below] of Object.entries(json)) {
    if (raw === '.') continue
    const element = canonical(raw)
    const child = parseFields(below)
    if (element === undefined || child === undefined || !isMap(below)) return undefined
    if ('.' in below || Object.keys(below).length === 0) members.add(element)
    if (!isEmptySet(child)) children.set(element, child)
  }
  return { members, children }
}

/** The element of a list item with these keys. */
export function keyElement(keys: JsonMap): string {
  const sorted: Record<string, Json> = {}
  for (const name of Object.keys(keys).sort()) sorted[name] = keys[name] ?? null
  return `k:${JSON.stringify(sorted)}`
}

/** The field name of an `f:` element, undefined for a list item. */
export function fieldName(element: string): string | undefined {
  return element.startsWith('f:') ? element.slice(2) : undefined
}

function canonical(raw: string): string | undefined {
  if (raw.startsWith('f:')) return raw
  if (!/^[kvi]:/.test(raw)) return undefined
  try {
    const value: Json = JSON.parse(raw.slice(2))
    return raw.startsWith('k:') && isMap(value)
      ? keyElement(value)
      : `${raw.slice(0, 2)}${JSON.stringify(value)}`
  } catch {
    return undefined
  }
}

function printElement(element: string): string {
  const name = fieldName(element)
  if (name !== undefined) return `.${name}`
  if (!element.startsWith('k:')) return `[=${element.slice(2)}]`
  const keys: Json = JSON.parse(element.slice(2))
  const parts = Object.entries(isMap(keys) ? keys : {})
  return `[${parts.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`
}
