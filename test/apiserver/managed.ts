// metadata.managedFields: who owns which field, and how writes move ownership. An apply is a three-way
// merge against what the same manager applied before. Source: apimachinery, util/managedfields.

import {
  difference,
  differenceBelow,
  emptySet,
  type FieldSet,
  formatFields,
  intersection,
  isEmptySet,
  parseFields,
  pathsOf,
  printPath,
  union,
  withNamedFields,
} from './fieldset.ts'
import { compact, isMap, type Json, type JsonMap, listAt, mapAt, textAt } from './json.ts'
import { withMeta } from './object.ts'
import type { Schema } from './schema.ts'
import { ApiError, badRequest } from './status.ts'
import { compareValues, fieldSetOf, ListItemError, mergeValues, removeFields } from './typed.ts'

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
  /** Fields that this endpoint ignores, as `status` on the main one. */
  readonly ignored: FieldSet
  readonly now: string
}

/** What an apply comes to: the merged object without managedFields, and the owners. */
export interface Applied {
  readonly object: JsonMap
  readonly managers: Managers
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
  const compared = compareValues(unmanaged(live), unmanaged(next), writer.schema)
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

/** Server-side apply. Throws 409 with every conflicting field unless forced. */
export function applyFields(
  live: JsonMap,
  config: JsonMap,
  writer: Writer,
  force: boolean,
): Applied {
  try {
    return mergeApplied(live, config, writer, force)
  } catch (error) {
    if (!(error instanceof ListItemError)) throw error
    const id = `${textAt(config, 'metadata', 'namespace')}/${textAt(config, 'metadata', 'name')}`
    const gv = writer.apiVersion.includes('/') ? writer.apiVersion : `/${writer.apiVersion}`
    const what = `${id}; ${gv}, Kind=${textAt(config, 'kind')}`
    const message = `failed to create typed patch object (${what}): ${error.message}`
    throw new ApiError(500, 'InternalError', message, { causes: [{ message }] })
  }
}

function mergeApplied(live: JsonMap, config: JsonMap, writer: Writer, force: boolean): Applied {
  if ('managedFields' in mapAt(config, 'metadata')) {
    throw badRequest('metadata.managedFields must be nil')
  }
  const { schema } = writer
  const base = unmanaged(live)
  const before = managersBeforeApply(live, base, writer)
  const self = managerOf(writer, 'Apply')
  const last = before.get(identity(self))
  const fields = ownable(fieldSetOf(config, schema), writer)
  const managers = new Map(before).set(identity(self), { ...self, fields, time: last?.time })
  const merged = mergeValues(base, config, schema)
  const object = pruneApplied(isMap(merged) ? merged : {}, last?.fields, managers, schema)
  const compared = compareValues(base, object, schema)
  const changed = union(compared.added, compared.modified)
  yieldFields({ managers, self: identity(self), changed, removed: compared.removed, force })
  const owned = managers.get(identity(self))
  const isSame = isEmptySet(changed) && isEmptySet(compared.removed)
  if (owned !== undefined && !(isSame && last !== undefined)) {
    managers.set(identity(self), { ...owned, time: writer.now })
  }
  if (isEmptySet(fields)) managers.delete(identity(self))
  return { object, managers }
}

/** An object without owners gets one for all it has, before somebody applies for the first time. */
function managersBeforeApply(live: JsonMap, base: JsonMap, writer: Writer): Managers {
  const stored = readManagers(live) ?? new Map<string, Manager>()
  if (stored.size > 0 || textAt(live, 'metadata', 'uid') === '') return stored
  const self = managerOf({ ...writer, manager: 'before-first-apply' }, 'Update')
  const { added } = compareValues({}, base, writer.schema)
  const fields = ownable(added, writer)
  return isEmptySet(fields) ? stored : new Map([[identity(self), { ...self, fields }]])
}

/** Takes away what this manager applied last time, not this time, and nobody else owns. */
function pruneApplied(
  merged: JsonMap,
  last: FieldSet | undefined,
  managers: Managers,
  schema: Schema,
): JsonMap {
  if (last === undefined || isEmptySet(last)) return merged
  const named = (set: FieldSet) => withNamedFields(set, schema)
  const all = named(fieldSetOf(merged, schema))
  const owned = [...managers.values()].reduce((sum, { fields }) => union(sum, fields), emptySet)
  const pruned = removeFields(merged, named(last), schema) ?? {}
  const kept = union(named(fieldSetOf(pruned, schema)), named(owned))
  const addedBack = removeFields(merged, difference(all, kept), schema) ?? {}
  const gone = difference(all, named(fieldSetOf(addedBack, schema)))
  const rest = removeFields(merged, intersection(gone, named(last)), schema)
  return isMap(rest) ? rest : {}
}

interface Yielding {
  readonly managers: Map<string, Manager>
  readonly self: string
  readonly changed: FieldSet
  readonly removed: FieldSet
  readonly force: boolean
}

/** The other managers lose what changed; not forced, that is a conflict. */
function yieldFields({ managers, self, changed, removed, force }: Yielding): void {
  const conflicts: Manager[] = []
  for (const [id, entry] of [...managers]) {
    if (id === self) continue
    const lost = intersection(entry.fields, changed)
    if (!isEmptySet(lost)) conflicts.push({ ...entry, fields: lost })
    const left = difference(difference(entry.fields, lost), removed)
    if (isEmptySet(left)) managers.delete(id)
    else managers.set(id, { ...entry, fields: left })
  }
  if (!force && conflicts.length > 0) throw applyConflict(conflicts)
}

function applyConflict(conflicts: readonly Manager[]): ApiError {
  const causes = conflicts.flatMap((conflict) =>
    pathsOf(conflict.fields).map((path) => ({
      reason: 'FieldManagerConflict',
      message: `conflict with ${printManager(conflict)}`,
      field: printPath(path),
    })),
  )
  const count = `Apply failed with ${causes.length} conflict${causes.length === 1 ? '' : 's'}`
  const parts = conflicts.map((conflict) => {
    const fields = pathsOf(conflict.fields).map(printPath)
    const who = printManager(conflict)
    if (fields.length === 1) return `conflict with ${who}: ${fields[0]}`
    return `conflicts with ${who}:\n${fields.map((field) => `- ${field}`).join('\n')}`
  })
  return new ApiError(409, 'Conflict', `${count}: ${parts.join('\n')}`, { causes })
}

function printManager({ manager, subresource, operation, apiVersion }: Manager): string {
  const below = subresource === '' ? '' : ` with subresource "${subresource}"`
  const using = operation === 'Update' ? ` using ${apiVersion}` : ''
  return `"${manager}"${below}${using}`
}

/** Fields of metadata that belong to the server, and those that the endpoint ignores, have no owner. */
function ownable(set: FieldSet, writer: Writer): FieldSet {
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

function managerOf(writer: Writer, operation: 'Apply' | 'Update'): Manager {
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

function identity({ manager, operation, apiVersion, subresource }: Manager): string {
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

function unmanaged(object: JsonMap): JsonMap {
  return withMeta(object, { managedFields: undefined })
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
