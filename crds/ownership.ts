// Field ownership of server-side apply (metadata.managedFields): who owns what, and how leftovers of
// other managers become ours, so that our next apply removes them. Pure.

/** A tree of FieldsV1: keys are `f:name` for fields and `k:{...}` for list items, `.` for existence. */
export type Fields = { readonly [key: string]: Fields }

/** What is read of an entry of managedFields; whatever else is in it is kept. */
type Entry = {
  readonly manager?: string
  readonly operation?: string
  readonly subresource?: string
  readonly fieldsV1?: unknown
}

/** Keys directly under `path` that `manager` owns by apply, without their `f:`. */
export function ownedKeys(
  managedFields: readonly unknown[],
  manager: string,
  path: readonly string[],
): string[] {
  const owned = entriesOf(managedFields).find((entry) => isApplyOf(entry, manager))
  const keys = Object.keys(at(owned?.fieldsV1, path) ?? {})
  return keys.filter((key) => key.startsWith('f:')).map((key) => key.slice(2))
}

/** Items under the list at `path` that anybody but `manager`'s apply owns, or nobody at all. */
export function foreignItems(
  managedFields: readonly unknown[],
  manager: string,
  path: readonly string[],
  itemKeys: readonly string[],
): string[] {
  const entries = entriesOf(managedFields)
  const owners = (key: string) => entries.filter(({ fieldsV1 }) => at(fieldsV1, [...path, key]))
  return itemKeys.filter((key) => {
    const own = owners(key)
    return own.length === 0 || own.some((entry) => !isApplyOf(entry, manager))
  })
}

/**
 * `managedFields` in which `manager` alone owns, by apply, the list items `itemKeys` under `path`:
 * an apply that does not name them then removes them. All that others own besides stays theirs.
 *
 * Source: the idea of client-go util/csaupgrade, which takes everything; here only what must go.
 */
export function takeItems(
  managedFields: readonly unknown[],
  manager: string,
  path: readonly string[],
  itemKeys: readonly string[],
): unknown[] {
  const others = managedFields.flatMap((value) => {
    const [entry] = entriesOf([value])
    if (entry && isApplyOf(entry, manager)) return []
    const fields = fieldsOf(entry)
    // What we cannot read stays as it is, like all that is not ours to touch.
    if (!fields) return [value]
    const fieldsV1 = itemKeys.reduce<Fields | undefined>(
      (kept, key) => kept && without(kept, [...path, key]),
      fields,
    )
    return fieldsV1 ? [{ ...entry, fieldsV1 }] : []
  })
  const ours = entriesOf(managedFields).find((entry) => isApplyOf(entry, manager)) ?? {
    manager,
    operation: 'Apply',
    apiVersion: 'v1',
    fieldsType: 'FieldsV1',
  }
  const fieldsV1 = itemKeys.reduce<Fields>(
    (fields, key) => withItem(fields, [...path, key]),
    fieldsOf(ours) ?? {},
  )
  return [...others, { ...ours, fieldsV1 }]
}

/** The key of a Service port among the items of `f:spec` `f:ports`. */
export function portItemKey(port: number, protocol: string): string {
  return `k:${JSON.stringify({ port, protocol })}`
}

function entriesOf(managedFields: readonly unknown[]): Entry[] {
  return managedFields.filter(isEntry)
}

// By hand, not by a schema: each object that is read has a hundred nodes, and is read on every change.

function isEntry(value: unknown): value is Entry {
  if (!isMap(value)) return false
  return (
    isTextIfAny(value.manager) && isTextIfAny(value.operation) && isTextIfAny(value.subresource)
  )
}

function isTextIfAny(value: unknown): boolean {
  return value === undefined || typeof value === 'string'
}

function isFields(value: unknown): value is Fields {
  return isMap(value) && Object.values(value).every(isFields)
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isApplyOf(entry: Entry, manager: string): boolean {
  return entry.manager === manager && entry.operation === 'Apply' && !entry.subresource
}

function fieldsOf(entry: Entry | undefined): Fields | undefined {
  const fields = entry?.fieldsV1
  return isFields(fields) ? fields : undefined
}

/** The node at `path` of what should be a tree of fields: only the way there is looked at. */
function at(
  fields: unknown,
  path: readonly string[],
): Readonly<Record<string, unknown>> | undefined {
  let node = fields
  for (const key of path) node = isMap(node) ? node[key] : undefined
  return isMap(node) ? node : undefined
}

/** `fields` less the node at `path`; undefined when nothing is left. Emptied parents go too: `{}` would claim them. */
function without(fields: Fields, path: readonly string[]): Fields | undefined {
  const [key, ...rest] = path
  if (key === undefined) return undefined
  const child = fields[key]
  if (child === undefined) return fields
  const { [key]: _, ...others } = fields
  const kept = without(child, rest)
  if (kept !== undefined) return { ...others, [key]: kept }
  return Object.keys(others).some((other) => other !== '.') ? others : undefined
}

/** `fields` with the item at `path`, owned as a whole. */
function withItem(fields: Fields, path: readonly string[]): Fields {
  const [key, ...rest] = path
  if (key === undefined) return { '.': {}, ...fields }
  return { ...fields, [key]: withItem(fields[key] ?? {}, rest) }
}
