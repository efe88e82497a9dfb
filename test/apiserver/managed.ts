// metadata.managedFields: who owns which field, and how POST, PUT and PATCH move ownership. What an apply
// does to it is in apply.ts. Source: apimachinery, util/managedfields.

import {
  difference,
  differenceBelow,
  emptySet,
  type FieldSet,
  formatFields,
  isEmptySet,
  parseFields,
  union,
} from './fieldset.ts'
import { compact, isMap, type Json, type JsonMap, listAt, mapAt, textAt } from './json.ts'
import { withMeta } from './object.ts'
import type { Schema } from './schema.ts'
import { type Comparison, compareValues, ListItemError } from './typed.ts'

/** One writer and the fields that it owns. */
export interface Manager {
  readonly manager: string
  readonly operation: 'Apply' | 'Update'
  readonly apiVersion: string
  readonly subresource: string
  /** RFC 3339; absent until the entry changes for the first time. */
  readonly time: string | undefined
  readonly fields: FieldSet
}

/** All writers of an object by identity. */
export type Managers = ReadonlyMap<string, Manager>

/** Who writes, and what the resource lets them own. */
export interface Writer {
  readonly manager: string
  readonly apiVersion: string
  readonly subresource: string
  readonly schema: Schema
  /** What the zero value of the type has: nobody owns that. */
  readonly skeleton: JsonMap
  /** Fields that this endpoint ignores, as `status` on the main one. */
  readonly ignored: FieldSet
  readonly now: string
}

/** Update managers that are kept apart; the oldest of more are folded into one. */
const UPDATERS_MAX = 10

/** Reads the owners out of an object; undefined when an entry is malformed. */
export function readManagers(object: JsonMap): Managers | undefined {
  const managers = new Map<string, Manager>()
  for (const entry of listAt(object, 'metadata', 'managedFields')) {
    const operation = textAt(entry, 'operation')
    const fields = parseFields(mapAt(entry, 'fieldsV1'))
    if (operation !== 'Apply' && operation !== 'Update') return undefined
    if (fields === undefined || textAt(entry, 'apiVersion') === '') return undefined
    const manager: Manager = {
      manager: textAt(entry, 'manager'),
      operation,
      apiVersion: textAt(entry, 'apiVersion'),
      subresource: textAt(entry, 'subresource'),
      time: textAt(entry, 'time') || undefined,
      fields,
    }
    managers.set(identity(manager), manager)
  }
  return managers
}

/** The object with its metadata.managedFields written anew. */
export function writeManagers(object: JsonMap, managers: Managers): JsonMap {
  const sorted = [...managers.values()].sort(
    (a, b) =>
      order(a.operation, b.operation) ||
      order(a.time ?? '', b.time ?? '') ||
      order(a.manager, b.manager) ||
      order(a.subresource, b.subresource),
  )
  return withMeta(object, { managedFields: sorted.length === 0 ? undefined : sorted.map(entryOf) })
}

/** The owners that a PUT or PATCH starts from: its own managedFields if it brings usable ones. */
export function managersBefore(live: JsonMap, next: JsonMap, subresource: string): Managers {
  const stored = readManagers(live) ?? new Map<string, Manager>()
  if (subresource !== '') return stored
  const given = listAt(next, 'metadata', 'managedFields')
  const [only] = given
  if (given.length === 1 && isMap(only) && Object.keys(only).length === 0) return new Map()
  const managers = readManagers(next)
  return managers === undefined || managers.size === 0 ? stored : managers
}

/** Moves ownership after a POST, PUT or PATCH: the writer owns what it added or changed. */
export function trackUpdate(
  live: JsonMap,
  next: JsonMap,
  before: Managers,
  writer: Writer,
): Managers {
  const isCreate = textAt(live, 'metadata', 'uid') === ''
  if (before.size === 0 && !isCreate) return before
  const compared = comparison(live, next, writer.schema)
  // An object that cannot be compared breaks a rule of its schema, which the validation will say.
  if (compared === undefined) return before
  const self = managerOf(writer, 'Update')
  const taken = ownable(union(compared.added, compared.modified), writer)
  const managers = new Map<string, Manager>()
  for (const [id, entry] of before) {
    const left = difference(
      difference(entry.fields, union(compared.added, compared.modified)),
      compared.removed,
    )
    if (!isEmptySet(left)) managers.set(id, { ...entry, fields: left })
  }
  if (isEmptySet(taken)) return managers
  const mine = managers.get(identity(self))?.fields ?? emptySet
  managers.set(identity(self), { ...self, fields: union(mine, taken) })
  return foldOldUpdaters(managers)
}

function comparison(live: JsonMap, next: JsonMap, schema: Schema): Comparison | undefined {
  try {
    return compareValues(unmanaged(live), unmanaged(next), schema)
  } catch (error) {
    if (error instanceof ListItemError) return undefined
    throw error
  }
}

/** The set without what has no owner: the server's own metadata and what the endpoint ignores. */
export function ownable(set: FieldSet, writer: Writer): FieldSet {
  return differenceBelow(difference(set, serverFields), writer.ignored)
}

const serverFields: FieldSet = {
  members: new Set(['f:apiVersion', 'f:kind', 'f:metadata']),
  children: new Map([
    [
      'f:metadata',
      {
        members: new Set(
          [
            ...['name', 'namespace', 'creationTimestamp', 'selfLink', 'uid', 'clusterName'],
            ...['generation', 'managedFields', 'resourceVersion'],
          ].map((name) => `f:${name}`),
        ),
        children: new Map(),
      },
    ],
  ]),
}

/** The entry of a writer that owns nothing yet. */
export function managerOf(writer: Writer, operation: 'Apply' | 'Update'): Manager {
  const { manager, apiVersion, subresource, now } = writer
  return { manager, operation, apiVersion, subresource, time: now, fields: emptySet }
}

function foldOldUpdaters(managers: ReadonlyMap<string, Manager>): Managers {
  const updaters = [...managers].filter(([, entry]) => entry.operation === 'Update')
  if (updaters.length <= UPDATERS_MAX) return managers
  updaters.sort(([, a], [, b]) => order(a.time ?? '', b.time ?? ''))
  const folded = new Map(managers)
  for (const [id, entry] of updaters.slice(0, updaters.length - UPDATERS_MAX + 1)) {
    folded.delete(id)
    const into = { ...entry, manager: 'ancient-changes', subresource: '' }
    const fields = union(folded.get(identity(into))?.fields ?? emptySet, entry.fields)
    folded.set(identity(into), { ...into, fields })
  }
  return folded
}

/** What makes two entries the same manager. */
export function identity({ manager, operation, apiVersion, subresource }: Manager): string {
  return JSON.stringify([manager, operation, operation === 'Apply' ? '' : apiVersion, subresource])
}

function entryOf(entry: Manager): Json {
  return compact({
    manager: entry.manager,
    operation: entry.operation,
    apiVersion: entry.apiVersion,
    time: entry.time,
    fieldsType: 'FieldsV1',
    fieldsV1: formatFields(entry.fields),
    subresource: entry.subresource === '' ? undefined : entry.subresource,
  })
}

/** The object without its managedFields. */
export function unmanaged(object: JsonMap): JsonMap {
  return withMeta(object, { managedFields: undefined })
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
