// The JSON that the API server moves around: plain immutable data and the few questions asked of it.

/** Any JSON value. Stored objects are shared between readers, so nothing is ever changed in place. */
export type Json = null | boolean | number | string | readonly Json[] | JsonMap

/** A JSON object. */
export interface JsonMap {
  readonly [key: string]: Json
}

/** Whether a value is a JSON object (not null, not a list). */
export function isMap(value: unknown): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether a value is a JSON list. */
export function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value)
}

/** The value at a path of keys, undefined as soon as a step is missing or not a map. */
export function at(value: Json | undefined, ...path: readonly string[]): Json | undefined {
  let current = value
  for (const key of path) {
    if (!isMap(current)) return undefined
    current = current[key]
  }
  return current
}

/** The map at a path, an empty one if there is none. */
export function mapAt(value: Json | undefined, ...path: readonly string[]): JsonMap {
  const found = at(value, ...path)
  return isMap(found) ? found : {}
}

/** The list at a path, an empty one if there is none. */
export function listAt(value: Json | undefined, ...path: readonly string[]): readonly Json[] {
  const found = at(value, ...path)
  return isList(found) ? found : []
}

/** The string at a path, '' if there is none. */
export function textAt(value: Json | undefined, ...path: readonly string[]): string {
  const found = at(value, ...path)
  return typeof found === 'string' ? found : ''
}

/** A copy of the map with one key set, or removed when the value is undefined. */
export function withKey(map: JsonMap, key: string, value: Json | undefined): JsonMap {
  if (value !== undefined) return map[key] === value ? map : { ...map, [key]: value }
  if (!(key in map)) return map
  const { [key]: _, ...rest } = map
  return rest
}

/** A copy of the map without the keys whose value is undefined: a literal with optional parts. */
export function compact(map: { readonly [key: string]: Json | undefined }): JsonMap {
  const out: Record<string, Json> = {}
  for (const key in map) {
    const value = map[key]
    if (value !== undefined) out[key] = value
  }
  return out
}

/** Deep equality; the order of keys does not count. */
export function equal(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true
  if (isList(a)) {
    if (!isList(b) || a.length !== b.length) return false
    return a.every((item, index) => equal(item, b[index]))
  }
  if (!isMap(a) || !isMap(b)) return false
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  return keys.every((key) => key in b && equal(a[key], b[key]))
}
