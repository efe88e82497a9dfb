// The three patch formats that are computed from the live object: merge patch, JSON patch and strategic
// merge patch. Server-side apply is in managed.ts.

import { equal, isList, isMap, type Json, type JsonMap } from './json.ts'
import { ApiError, badRequest } from './status.ts'

/** RFC 7386. */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isMap(patch)) return patch
  const out: Record<string, Json> = { ...(isMap(target) ? target : {}) }
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete out[key]
    else out[key] = mergePatch(out[key], value)
  }
  return out
}

/** RFC 6902. Throws 422 when an operation cannot be done, 400 when it is none. */
export function jsonPatch(target: Json, patch: Json): Json {
  if (!isList(patch)) throw badRequest('error decoding patch: a JSON patch must be a list')
  return patch.reduce(patchOnce, target)
}

function patchOnce(target: Json, operation: Json): Json {
  if (!isMap(operation)) throw badRequest('error decoding patch: an operation must be an object')
  const { op, path, from, value } = operation
  if (typeof path !== 'string') throw badRequest('error decoding patch: path is missing')
  const steps = pointer(path)
  switch (op) {
    case 'test':
      if (equal(read(target, steps), value)) return target
      throw unprocessable()
    case 'add':
      return write(target, steps, value ?? null, 'add')
    case 'replace':
      read(target, steps)
      return write(target, steps, value ?? null, 'replace')
    case 'remove':
      read(target, steps)
      return write(target, steps, undefined, 'replace')
    case 'copy':
    case 'move': {
      const source = pointer(String(from))
      const moved = read(target, source)
      const base = op === 'move' ? write(target, source, undefined, 'replace') : target
      return write(base, steps, moved, 'add')
    }
    default:
      throw badRequest(`error decoding patch: unexpected kind: ${JSON.stringify(op)}`)
  }
}

function pointer(path: string): readonly string[] {
  if (path === '') return []
  return path
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function read(target: Json, steps: readonly string[]): Json {
  let current: Json | undefined = target
  for (const step of steps) {
    if (isList(current)) current = current[Number(step)]
    else current = isMap(current) ? current[step] : undefined
    if (current === undefined) throw unprocessable()
  }
  return current ?? null
}

function write(
  target: Json,
  steps: readonly string[],
  value: Json | undefined,
  mode: 'add' | 'replace',
): Json {
  const [step, ...rest] = steps
  if (step === undefined) return value ?? null
  if (isList(target)) return writeItem(target, steps, value, mode)
  if (!isMap(target)) throw unprocessable()
  const out: Record<string, Json> = { ...target }
  if (rest.length > 0) {
    const below = target[step]
    if (below === undefined) throw unprocessable()
    out[step] = write(below, rest, value, mode)
  } else if (value === undefined) delete out[step]
  else out[step] = value
  return out
}

function writeItem(
  target: readonly Json[],
  [step = '', ...rest]: readonly string[],
  value: Json | undefined,
  mode: 'add' | 'replace',
): Json {
  const index = step === '-' ? target.length : Number(step)
  if (!Number.isInteger(index) || index < 0 || index > target.length) {
    throw unprocessable()
  }
  if (rest.length > 0) return target.with(index, write(target[index] ?? null, rest, value, mode))
  if (value === undefined) return target.toSpliced(index, 1)
  return target.toSpliced(index, mode === 'add' ? 0 : 1, value)
}

/** Lists that strategic merge patch merges, by field name: the key of an item, '' for scalars. */
const MERGE_KEYS: { readonly [kind: string]: { readonly [field: string]: string } } = {
  Service: { ports: 'port', conditions: 'type' },
  Namespace: { conditions: 'type' },
}
const META_KEYS: { readonly [field: string]: string } = { ownerReferences: 'uid', finalizers: '' }

/** Strategic merge patch with its directives, for the kinds of this server. */
export function strategicPatch(target: Json | undefined, patch: Json, kind: string): Json {
  return strategic(target, patch, { ...META_KEYS, ...MERGE_KEYS[kind] })
}

type Keys = { readonly [field: string]: string }

function strategic(target: Json | undefined, patch: Json, keys: Keys): Json {
  if (!isMap(patch)) return patch
  if (patch.$patch === 'replace') return without$(patch)
  if (patch.$patch === 'delete') return {}
  const base = isMap(target) ? target : {}
  const out: Record<string, Json> = {}
  const retained = patch.$retainKeys
  for (const [key, value] of Object.entries(base)) {
    if (!isList(retained) || retained.includes(key)) out[key] = value
  }
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith('$')) continue
    const mergeKey = keys[key]
    if (value === null) delete out[key]
    else if (isList(value) && mergeKey !== undefined) {
      out[key] = strategicList(out[key], value, mergeKey, keys)
    } else out[key] = strategic(out[key], value, keys)
  }
  for (const [key, value] of Object.entries(patch)) {
    const [directive, field] = key.split('/')
    if (field === undefined || !isList(value)) continue
    const list = out[field]
    if (!isList(list)) continue
    if (directive === '$deleteFromPrimitiveList') {
      out[field] = list.filter((item) => !value.some((gone) => equal(gone, item)))
    } else if (directive === '$setElementOrder') {
      out[field] = ordered(list, value, keys[field] ?? '')
    }
  }
  return out
}

function strategicList(
  target: Json | undefined,
  patch: readonly Json[],
  mergeKey: string,
  keys: Keys,
): Json {
  const out: Json[] = isList(target) ? [...target] : []
  if (patch.some((item) => isMap(item) && item.$patch === 'replace')) {
    return patch.filter((item) => !isMap(item) || item.$patch === undefined)
  }
  for (const item of patch) {
    const index = out.findIndex((other) => isSameItem(other, item, mergeKey))
    if (isMap(item) && item.$patch === 'delete') {
      if (index >= 0) out.splice(index, 1)
    } else if (index >= 0) out[index] = strategic(out[index], item, keys)
    else out.push(isMap(item) ? without$(item) : item)
  }
  return out
}

/** Whether a patch (or an order) speaks of this item. A port of a patch may leave out its protocol. */
function isSameItem(item: Json, patch: Json, mergeKey: string): boolean {
  if (mergeKey === '' || !isMap(item) || !isMap(patch)) return equal(item, patch)
  const isOtherProtocol = patch.protocol !== undefined && item.protocol !== patch.protocol
  return equal(item[mergeKey], patch[mergeKey]) && !(mergeKey === 'port' && isOtherProtocol)
}

/** Items in the order asked for; those that the order does not name keep their place at the end. */
function ordered(list: readonly Json[], order: readonly Json[], mergeKey: string): Json {
  const rank = (item: Json) => {
    const index = order.findIndex((other) => isSameItem(item, other, mergeKey))
    return index < 0 ? order.length : index
  }
  return [...list].sort((a, b) => rank(a) - rank(b))
}

function without$(map: JsonMap): JsonMap {
  return Object.fromEntries(Object.entries(map).filter(([key]) => !key.startsWith('$')))
}

/** The API server does not say which operation failed. */
function unprocessable(): ApiError {
  const message = 'the server rejected our request due to an error in our request'
  return new ApiError(422, 'Invalid', message, {})
}
