// What the API server does with custom resources by their schema: drop unknown fields, fill defaults,
// refuse what breaks a rule. Messages follow kube-openapi's validation.

import { equal, isList, isMap, type Json, type JsonMap } from './json.ts'
import { childOf, type Schema } from './schema.ts'
import {
  duplicate,
  type FieldError,
  invalidValue,
  required,
  tooMany,
  unsupported,
} from './status.ts'

/**
 * The value without the fields that the schema does not know; their paths go to `unknown`. A null
 * where none may be counts as absent.
 */
export function prune(value: Json, schema: Schema, unknown: string[], path = ''): Json {
  if (isList(value)) {
    const { items } = schema
    if (items === undefined) return value
    return value.map((item, index) => prune(item, items, unknown, `${path}[${index}]`))
  }
  if (!isMap(value)) return value
  const out: Record<string, Json> = {}
  for (const [key, child] of Object.entries(value)) {
    const known = childOf(schema, key)
    const below = path === '' ? key : `${path}.${key}`
    if (child === null && known?.nullable === false) continue
    if (known !== undefined) out[key] = prune(child, known, unknown, below)
    else if (schema.preserveUnknown) out[key] = child
    else unknown.push(below)
  }
  return out
}

/** The value with the defaults of the schema filled in. */
export function fillDefaults(value: Json, schema: Schema): Json {
  if (!schema.hasDefaults) return value
  if (isList(value)) {
    const { items } = schema
    return items === undefined ? value : value.map((item) => fillDefaults(item, items))
  }
  if (!isMap(value)) return value
  const out: Record<string, Json> = { ...value }
  for (const [key, child] of schema.properties) {
    if (out[key] === undefined && child.default !== undefined) out[key] = child.default
    const current = out[key]
    if (current !== undefined) out[key] = fillDefaults(current, child)
  }
  for (const key of Object.keys(out)) {
    const current = out[key]
    if (schema.properties.has(key) || schema.additional === undefined || current === undefined) {
      continue
    }
    out[key] = fillDefaults(current, schema.additional)
  }
  return out
}

/** Every rule of the schema that the value breaks. */
export function validate(value: Json, schema: Schema, path = ''): readonly FieldError[] {
  const errors: FieldError[] = []
  check(value, schema, path, errors)
  return errors
}

function check(value: Json, schema: Schema, path: string, errors: FieldError[]): void {
  if (value === null && schema.nullable) return
  const type = typeError(value, schema, path)
  if (type !== undefined) {
    errors.push(type)
    return
  }
  if (schema.enum.length > 0 && !schema.enum.some((item) => equal(item, value))) {
    errors.push(unsupported(path, value, schema.enum.map(String)))
  }
  if (typeof value === 'number') checkNumber(value, schema, path, errors)
  else if (typeof value === 'string') checkText(value, schema, path, errors)
  else if (isList(value)) checkList(value, schema, path, errors)
  else if (isMap(value)) checkMap(value, schema, path, errors)
  checkCombinations(value, schema, path, errors)
}

function typeError(value: Json, schema: Schema, path: string): FieldError | undefined {
  const actual = typeOf(value)
  const where = path === '' ? '<nil>' : path
  if (schema.intOrString) {
    if (actual === 'integer' || actual === 'string') return undefined
    const rule = `${where} in body must be of type integer,string: "${actual}"`
    return invalidValue(where, actual, rule)
  }
  const { type } = schema
  if (type === '' || type === actual || (type === 'number' && actual === 'integer'))
    return undefined
  return invalidValue(where, actual, `${where} in body must be of type ${type}: "${actual}"`)
}

/** The API server shows the type of a value that is not a scalar. */
function shown(value: Json): Json {
  return isMap(value) || isList(value) || value === null ? typeOf(value) : value
}

function typeOf(value: Json): string {
  if (value === null) return 'null'
  if (isList(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value
}

function checkNumber(value: number, schema: Schema, path: string, errors: FieldError[]): void {
  const { minimum, maximum } = schema
  const broken = (rule: string) => {
    errors.push(invalidValue(path, value, `${path} in body should be ${rule}`))
  }
  if (minimum !== undefined && (schema.exclusiveMinimum ? value <= minimum : value < minimum)) {
    broken(`greater than ${schema.exclusiveMinimum ? '' : 'or equal to '}${minimum}`)
  }
  if (maximum !== undefined && (schema.exclusiveMaximum ? value >= maximum : value > maximum)) {
    broken(`less than ${schema.exclusiveMaximum ? '' : 'or equal to '}${maximum}`)
  }
  if (schema.format === 'int32' && (value > 2147483647 || value < -2147483648)) {
    broken('of type int32')
  }
}

function checkText(value: string, schema: Schema, path: string, errors: FieldError[]): void {
  const length = [...value].length
  if (schema.minLength !== undefined && length < schema.minLength) {
    const rule = `${path} in body should be at least ${schema.minLength} chars long`
    errors.push(invalidValue(path, value, rule))
  }
  if (schema.maxLength !== undefined && length > schema.maxLength) {
    const message = `Too long: may not be more than ${schema.maxLength} bytes`
    errors.push({ field: path, reason: 'FieldValueTooLong', message })
  }
  if (schema.pattern !== undefined && !schema.pattern.test(value)) {
    const rule = `${path} in body should match '${schema.pattern.source}'`
    errors.push(invalidValue(path, value, rule))
  }
  if (schema.format === 'date-time' && !isDateTime(value)) {
    const rule = `${path} in body must be of type date-time: ${JSON.stringify(value)}`
    errors.push(invalidValue(path, value, rule))
  }
}

function checkList(
  value: readonly Json[],
  schema: Schema,
  path: string,
  errors: FieldError[],
): void {
  if (schema.maxItems !== undefined && value.length > schema.maxItems) {
    errors.push(tooMany(path, value.length, schema.maxItems))
  }
  if (schema.minItems !== undefined && value.length < schema.minItems) {
    const rule = `${path} in body should have at least ${schema.minItems} items`
    errors.push(invalidValue(path, value.length, rule))
  }
  const seen = new Set<string>()
  for (const [index, item] of value.entries()) {
    if (schema.items !== undefined) check(item, schema.items, `${path}[${index}]`, errors)
    if (schema.listType === 'atomic') continue
    const identity = listIdentity(item, schema)
    if (seen.has(JSON.stringify(identity))) errors.push(duplicate(`${path}[${index}]`, identity))
    seen.add(JSON.stringify(identity))
  }
}

function listIdentity(item: Json, schema: Schema): Json {
  if (schema.listType === 'set' || !isMap(item)) return item
  const keys: Record<string, Json> = {}
  for (const key of schema.listKeys) keys[key] = item[key] ?? null
  return keys
}

function checkMap(value: JsonMap, schema: Schema, path: string, errors: FieldError[]): void {
  for (const name of schema.required) {
    if (value[name] === undefined) errors.push(required(join(path, name)))
  }
  if (schema.maxProperties !== undefined && Object.keys(value).length > schema.maxProperties) {
    errors.push(tooMany(path, Object.keys(value).length, schema.maxProperties))
  }
  for (const [key, child] of Object.entries(value)) {
    const known = childOf(schema, key)
    if (known !== undefined) check(child, known, join(path, key), errors)
  }
}

function checkCombinations(value: Json, schema: Schema, path: string, errors: FieldError[]): void {
  const where = path === '' ? '<nil>' : path
  const passes = (other: Schema) => validate(value, other, path).length === 0
  for (const other of schema.allOf) check(value, other, path, errors)
  if (schema.anyOf.length > 0 && !schema.anyOf.some(passes)) {
    const rule = `${where} in body must validate at least one schema (anyOf)`
    errors.push(invalidValue(where, shown(value), rule))
  }
  if (schema.oneOf.length > 0 && schema.oneOf.filter(passes).length !== 1) {
    const rule = `${where} in body must validate one and only one schema (oneOf)`
    errors.push(invalidValue(where, shown(value), rule))
  }
  if (schema.not !== undefined && passes(schema.not)) {
    const rule = `${where} in body must not validate the schema (not)`
    errors.push(invalidValue(where, shown(value), rule))
  }
}

/** RFC 3339 as Go accepts it. */
export function isDateTime(value: string): boolean {
  const pattern = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/
  return pattern.test(value) && !Number.isNaN(Date.parse(value))
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`
}
