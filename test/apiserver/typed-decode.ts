// What decoding into a Go type does to JSON of a built-in kind: refuse wrong types, drop what omitempty
// drops, rewrite times. Custom resources stay as they are and never come through here.

import { isList, isMap, type Json } from './json.ts'
import type { Schema } from './schema.ts'
import { isDateTime } from './structural.ts'

/** A value that the Go type cannot hold; the message is Go's. */
export class DecodeError extends Error {}

/** The value as the Go type would write it back. Throws DecodeError. */
export function decodeTyped(value: Json, schema: Schema, path = ''): Json {
  if (value === null) return null
  if (schema.intOrString) return scalar(value, ['integer', 'string'], 'intstr.IntOrString', path)
  switch (schema.type) {
    case 'object':
      return decodeMap(value, schema, path)
    case 'array':
      if (!isList(value)) throw mismatch(value, '[]', path)
      return value.map((item) => {
        if (schema.items === undefined) return item
        return decodeTyped(item, schema.items, path)
      })
    case 'integer':
      return scalar(value, ['integer'], schema.format || 'int32', path)
    case 'boolean':
      return scalar(value, ['boolean'], 'bool', path)
    case 'string':
      scalar(value, ['string'], 'string', path)
      return schema.format === 'date-time' ? decodeTime(String(value), schema) : value
    default:
      return value
  }
}

function decodeMap(value: Json, schema: Schema, path: string): Json {
  if (!isMap(value)) throw mismatch(value, 'struct', path)
  const out: Record<string, Json> = {}
  for (const [key, child] of Object.entries(value)) {
    const field = schema.properties.get(key)
    const known = field ?? schema.additional
    const below = path === '' ? key : `${path}.${key}`
    const decoded = known === undefined ? child : decodeTyped(child, known, below)
    const isEmpty = decoded === null || (field !== undefined && isZero(decoded))
    if (known === undefined || known.keepEmpty ? decoded !== null : !isEmpty) out[key] = decoded
  }
  return out
}

/** Zero values of strings, lists and maps; numbers and booleans are pointers often enough to stay. */
function isZero(value: Json): boolean {
  if (isList(value)) return value.length === 0
  if (isMap(value)) return Object.keys(value).length === 0
  return value === ''
}

function scalar(value: Json, types: readonly string[], goType: string, path: string): Json {
  const actual = Number.isInteger(value) ? 'integer' : typeof value
  if (!types.includes(actual)) throw mismatch(value, goType, path)
  return value
}

function mismatch(value: Json, goType: string, path: string): DecodeError {
  const actual = isList(value) ? 'array' : isMap(value) ? 'object' : jsonType(value)
  return new DecodeError(
    `json: cannot unmarshal ${actual} into Go struct field .${path} of type ${goType}`,
  )
}

function jsonType(value: Json): string {
  if (typeof value === 'boolean') return 'bool'
  return typeof value === 'number' ? `number ${value}`.trim() : typeof value
}

const MICRO = '2006-01-02T15:04:05.000000Z07:00'
const SECONDS = '2006-01-02T15:04:05Z07:00'

/** metav1.Time drops fractions; metav1.MicroTime wants exactly six digits (or more) of them. */
function decodeTime(value: string, schema: Schema): string {
  const layout = schema.microTime ? MICRO : SECONDS
  const micro = /\.\d{6,}(Z|[+-]\d{2}:\d{2})$/.test(value)
  if (!isDateTime(value) || (schema.microTime && !micro)) {
    const shown = JSON.stringify(value)
    const rest = schema.microTime && isDateTime(value) ? value.slice(19) : value
    const part = schema.microTime && isDateTime(value) ? '.000000' : '2006'
    const why = `cannot parse ${JSON.stringify(rest)} as ${JSON.stringify(part)}`
    throw new DecodeError(`parsing time ${shown} as ${JSON.stringify(layout)}: ${why}`)
  }
  const seconds = `${new Date(value).toISOString().slice(0, 19)}`
  if (!schema.microTime) return `${seconds}Z`
  return `${seconds}.${(/\.(\d{6})/.exec(value)?.[1] ?? '').padEnd(6, '0')}Z`
}
