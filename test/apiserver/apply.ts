// Server-side apply: a three-way merge of the live object, the configuration and what the same manager
// applied before, with conflicts by field. Source: structured-merge-diff, merge/update.go.

import {
  difference,
  emptySet,
  type FieldSet,
  intersection,
  isEmptySet,
  pathsOf,
  printPath,
  union,
  withNamedFields,
} from './fieldset.ts'
import { isMap, type JsonMap, mapAt, textAt } from './json.ts'
import {
  identity,
  type Manager,
  type Managers,
  managerOf,
  ownable,
  readManagers,
  unmanaged,
  type Writer,
} from './managed.ts'
import type { Schema } from './schema.ts'
import { ApiError, badRequest } from './status.ts'
import { compareValues, fieldSetOf, mergeValues, removeFields } from './typed.ts'
import { typedProblem } from './typed-check.ts'

/** What an apply comes to: the merged object without managedFields, and the owners. */
export interface Applied {
  readonly object: JsonMap
  readonly managers: Managers
}

/**
 * Server-side apply. Throws 409 with every conflicting field unless forced, and 500 (so the real one
 * answers) when the configuration is no value of the schema.
 */
export function applyFields(
  live: JsonMap,
  config: JsonMap,
  writer: Writer,
  force: boolean,
): Applied {
  if ('managedFields' in mapAt(config, 'metadata')) {
    throw badRequest('metadata.managedFields must be nil')
  }
  const problem = typedProblem(config, writer.schema)
  if (problem === undefined) return mergeApplied(live, config, writer, force)
  const id = `${textAt(config, 'metadata', 'namespace')}/${textAt(config, 'metadata', 'name')}`
  const gv = writer.apiVersion.includes('/') ? writer.apiVersion : `/${writer.apiVersion}`
  const what = `${id}; ${gv}, Kind=${textAt(config, 'kind')}`
  throw new ApiError(500, '', `failed to create typed patch object (${what}): ${problem}`)
}

function mergeApplied(live: JsonMap, config: JsonMap, writer: Writer, force: boolean): Applied {
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
  const { added } = compareValues(writer.skeleton, base, writer.schema)
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
    if (causes.length === 1) return `conflict with ${who}: ${fields[0]}`
    return `conflicts with ${who}:\n${fields.map((field) => `- ${field}`).join('\n')}`
  })
  return new ApiError(409, 'Conflict', `${count}: ${parts.join('\n')}`, { causes })
}

function printManager({ manager, subresource, operation, apiVersion }: Manager): string {
  const below = subresource === '' ? '' : ` with subresource "${subresource}"`
  const using = operation === 'Update' ? ` using ${apiVersion}` : ''
  return `"${manager}"${below}${using}`
}
