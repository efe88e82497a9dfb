// Whether an apply configuration is a value of its schema at all: server-side apply refuses unknown fields
// and wrong types before any other rule is asked. Source: structured-merge-diff, typed/validate.go.

import { printPath } from './fieldset.ts'
import { isList, isMap, type Json } from './json.ts'
import { childOf, type Schema } from './schema.ts'
import { ListItemError, listElement } from './typed.ts'

/** Why a configuration cannot be merged, one line for each reason; undefined if it can. */
export function typedProblem(value: Json, schema: Schema): string | undefined {
  const problems: string[] = []
  check(value, schema, [], problems)
  if (problems.length < 2) return problems[0]
  return ['errors:', ...problems.map((problem) => `  ${problem}`)].join('\n')
}

type Path = readonly string[]

function check(value: Json, schema: Schema, path: Path, problems: string[]): void {
  if (value === null) return
  const expected = isScalar(schema) ? scalarProblem(value, schema) : shapeProblem(value, schema)
  if (expected !== undefined) {
    problems.push(`${printPath(path)}: expected ${expected}, got ${shown(value)}`)
  } else if (isList(value)) checkItems(value, schema, path, problems)
  else if (isMap(value)) {
    for (const [key, child] of Object.entries(value)) {
      const below = [...path, `f:${key}`]
      const known = childOf(schema, key)
      if (known !== undefined) check(child, known, below, problems)
      else if (schema.properties.size > 0 && !schema.preserveUnknown) {
        problems.push(`${printPath(below)}: field not declared in schema`)
      }
    }
  }
}

function checkItems(value: readonly Json[], schema: Schema, path: Path, problems: string[]): void {
  const seen = new Set<string>()
  for (const [index, item] of value.entries()) {
    const element = elementOrProblem(item, index, schema, path)
    if (element instanceof ListItemError) {
      problems.push(element.message)
      return
    }
    if (schema.listType !== 'atomic' && seen.has(element)) {
      const key = printPath([element])
      problems.push(`${printPath(path)}: duplicate entries for key ${key}`)
    }
    seen.add(element)
    if (schema.items !== undefined) check(item, schema.items, [...path, element], problems)
  }
}

function elementOrProblem(
  item: Json,
  index: number,
  schema: Schema,
  path: Path,
): string | ListItemError {
  if (schema.listType === 'atomic') return `i:${index}`
  try {
    return listElement({ item, index, schema, path })
  } catch (error) {
    if (error instanceof ListItemError) return error
    throw error
  }
}

function isScalar({ type, intOrString }: Schema): boolean {
  return intOrString || ['string', 'integer', 'number', 'boolean'].includes(type)
}

function scalarProblem(value: Json, { type, intOrString }: Schema): string | undefined {
  if (intOrString) return isMap(value) || isList(value) ? 'scalar' : undefined
  if (type === 'string') return typeof value === 'string' ? undefined : 'string'
  if (type === 'boolean') return typeof value === 'boolean' ? undefined : 'boolean'
  return typeof value === 'number' ? undefined : 'numeric (int or float)'
}

function shapeProblem(value: Json, { type }: Schema): string | undefined {
  if (type === 'array') return isList(value) ? undefined : 'list'
  if (type === 'object') return isMap(value) ? undefined : 'map'
  return undefined
}

function shown(value: Json): string {
  return typeof value === 'string'
    ? 'string'
    : `&value.valueUnstructured{Value:${JSON.stringify(value)}}`
}
