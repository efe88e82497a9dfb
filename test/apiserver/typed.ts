// What a schema makes of a value for server-side apply: which paths it has, what differs between two
// values, what a merge of two gives, what is left without some paths. Source: structured-merge-diff, typed.

import { emptySet, type FieldSet, FieldSetBuilder, keyElement, printPath } from './fieldset.ts'
import { equal, isList, isMap, type Json, type JsonMap } from './json.ts'
import { childOf, type Schema } from './schema.ts'

/** The paths by which two values differ. */
export interface Comparison {
  readonly added: FieldSet
  readonly modified: FieldSet
  readonly removed: FieldSet
}

/** An associative list whose item cannot be told apart from the others. */
export class ListItemError extends Error {}

/** Every path of a value. Throws ListItemError. */
export function fieldSetOf(value: Json, schema: Schema | undefined): FieldSet {
  const set = new FieldSetBuilder()
  collect({ value, schema, path: [], set })
  return set.build()
}

interface Collecting {
  readonly value: Json
  readonly schema: Schema | undefined
  readonly path: readonly string[]
  readonly set: FieldSetBuilder
}

function collect({ value, schema, path, set }: Collecting): void {
  if (isLeaf(value, schema)) {
    set.insert(path)
  } else if (isList(value)) {
    for (const [index, item] of value.entries()) {
      const below = [...path, listElement({ item, index, schema, path })]
      collect({ value: item, schema: schema?.items, path: below, set })
      set.insert(below)
    }
  } else if (isMap(value)) {
    for (const [key, child] of Object.entries(value)) {
      const below = [...path, `f:${key}`]
      collect({ value: child, schema: childOf(schema, key), path: below, set })
      const empty = child === null || (isMap(child) && Object.keys(child).length === 0)
      if (empty || !schema?.properties.has(key)) set.insert(below)
    }
  }
}

/** The paths that are new, gone or different in `next`. Throws ListItemError. */
export function compareValues(
  live: JsonMap,
  next: JsonMap,
  schema: Schema | undefined,
): Comparison {
  const found = {
    added: new FieldSetBuilder(),
    modified: new FieldSetBuilder(),
    removed: new FieldSetBuilder(),
  }
  compareAt({ live, next, schema, path: [] }, found)
  const { added, modified, removed } = found
  return { added: added.build(), modified: modified.build(), removed: removed.build() }
}

interface Pair {
  readonly live: Json | undefined
  readonly next: Json | undefined
  readonly schema: Schema | undefined
  readonly path: readonly string[]
}

type Found = { readonly [kind in keyof Comparison]: FieldSetBuilder }

function compareAt(pair: Pair, found: Found): void {
  const { live, next, schema, path } = pair
  const known = next === undefined ? live : next
  if (known === undefined) return
  const bothEmpty = isEmptyMap(live) && isEmptyMap(next)
  const leaf = isLeaf(known, schema) || bothEmpty || (live !== undefined && isLeaf(live, schema))
  if (!leaf) compareBelow(pair, found)
  if (live === undefined) found.added.insert(path)
  else if (next === undefined) found.removed.insert(path)
  else if (leaf && !equal(live, next)) found.modified.insert(path)
}

function compareBelow({ live, next, schema, path }: Pair, found: Found): void {
  if (isList(live) || isList(next)) {
    const before = indexItems(isList(live) ? live : [], schema, path)
    const after = indexItems(isList(next) ? next : [], schema, path)
    for (const element of new Set([...before.keys(), ...after.keys()])) {
      const below = [...path, element]
      const pair = { live: before.get(element), next: after.get(element), schema: schema?.items }
      compareAt({ ...pair, path: below }, found)
    }
    return
  }
  const before = isMap(live) ? live : {}
  const after = isMap(next) ? next : {}
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (before[key] === after[key]) continue
    const pair = { live: before[key], next: after[key], schema: childOf(schema, key) }
    compareAt({ ...pair, path: [...path, `f:${key}`] }, found)
  }
}

/** `config` laid over `live`: maps and associative lists are merged, anything else is replaced. */
export function mergeValues(
  live: Json | undefined,
  config: Json,
  schema: Schema | undefined,
): Json {
  if (live === undefined || isLeaf(config, schema)) return config
  if (isList(config)) return isList(live) ? mergeLists(live, config, schema) : config
  if (!isMap(config) || !isMap(live)) return config
  const out: Record<string, Json> = { ...live }
  for (const [key, value] of Object.entries(config)) {
    out[key] = mergeValues(live[key], value, childOf(schema, key))
  }
  return out
}

function mergeLists(
  live: readonly Json[],
  config: readonly Json[],
  schema: Schema | undefined,
): Json {
  const before = indexItems(live, schema, [])
  const wanted = indexItems(config, schema, [])
  const lefts = [...before.keys()]
  const rights = [...wanted.keys()]
  const shared = rights.filter((element) => before.has(element))
  const merged = new Set<string>()
  const out: Json[] = []
  // The order of the config rules; items that only the live list has keep their place between.
  for (let l = 0, r = 0; l < lefts.length || r < rights.length; ) {
    const left = lefts[l]
    const right = rights[r]
    const laterShared = left !== right && wanted.has(left ?? '') && shared[merged.size] !== left
    if (left !== undefined && (merged.has(left) || (right !== undefined && laterShared))) l += 1
    else if (left !== undefined && !wanted.has(left)) {
      out.push(before.get(left) ?? null)
      l += 1
    } else if (right !== undefined) {
      out.push(mergeValues(before.get(right), wanted.get(right) ?? null, schema?.items))
      if (before.has(right)) merged.add(right)
      r += 1
    }
  }
  return out
}

/** The value without the paths of the set; undefined when nothing is left of it. */
export function removeFields(
  value: Json,
  set: FieldSet,
  schema: Schema | undefined,
): Json | undefined {
  if (isLeaf(value, schema)) return value
  if (isList(value)) {
    const rest = value.flatMap((item, index) => {
      const element = listElement({ item, index, schema, path: [] })
      if (set.members.has(element)) return []
      return removeFields(item, set.children.get(element) ?? emptySet, schema?.items) ?? []
    })
    return rest.length === 0 && value.length > 0 ? undefined : rest
  }
  if (!isMap(value)) return value
  const out: Record<string, Json> = {}
  for (const [key, child] of Object.entries(value)) {
    if (set.members.has(`f:${key}`)) continue
    const below = set.children.get(`f:${key}`)
    const rest = below === undefined ? child : removeFields(child, below, childOf(schema, key))
    if (rest !== undefined) out[key] = rest
  }
  return Object.keys(out).length === 0 && Object.keys(value).length > 0 ? undefined : out
}

/** Whether a value is owned as one piece: a scalar, an atomic list or map. */
function isLeaf(value: Json, schema: Schema | undefined): boolean {
  if (isList(value)) return schema === undefined || schema.listType === 'atomic'
  if (isMap(value)) return schema?.atomicMap === true
  return true
}

function isEmptyMap(value: Json | undefined): boolean {
  return value === undefined || (isMap(value) && Object.keys(value).length === 0)
}

function indexItems(
  items: readonly Json[],
  schema: Schema | undefined,
  path: readonly string[],
): ReadonlyMap<string, Json> {
  const index = new Map<string, Json>()
  for (const [position, item] of items.entries()) {
    const element = listElement({ item, index: position, schema, path })
    if (!index.has(element)) index.set(element, item)
  }
  return index
}

/** An item with the list that it is in. */
export interface ListItem {
  readonly item: Json
  readonly index: number
  readonly schema: Schema | undefined
  readonly path: readonly string[]
}

/** The path element of one item of a list. Throws ListItemError. */
export function listElement({ item, index, schema, path }: ListItem): string {
  if (schema?.listType === 'set') return `v:${JSON.stringify(item)}`
  const keys: Record<string, Json> = {}
  for (const name of schema?.listKeys ?? []) {
    const value = isMap(item) ? (item[name] ?? schema?.items?.properties.get(name)?.default) : null
    if (value === undefined || value === null) {
      const rule = `associative list with keys has an element that omits key field "${name}" (and doesn't have default value)`
      throw new ListItemError(`${printPath(path)}: element ${index}: ${rule}`)
    }
    keys[name] = value
  }
  return keyElement(keys)
}
