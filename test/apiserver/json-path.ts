// The little of JSONPath that printer columns use: `.a.b`, `.list[0].x`, `.list[*].x`, `.a['b.c']`,
// `.conditions[?(@.type=="Ready")].status`.

import { equal, isList, isMap, type Json } from './json.ts'

type Step = (value: Json) => readonly Json[]

const parsed = new Map<string, readonly Step[]>()

/** The first value at a path, as a cell shows it; undefined when there is none. */
export function jsonPath(value: Json, path: string): string | number | boolean | undefined {
  let steps = parsed.get(path)
  if (steps === undefined) {
    steps = parse(path)
    parsed.set(path, steps)
  }
  let values: readonly Json[] = [value]
  for (const step of steps) values = values.flatMap(step)
  const [found] = values
  if (found === undefined || found === null) return undefined
  return typeof found === 'object' ? JSON.stringify(found) : found
}

const PART =
  /\.([A-Za-z_$][\w$\-/\\.]*?)(?=[.[]|$)|\[(\d+)\]|\[\*\]|\['([^']+)'\]|\[\?\(@\.([\w.]+)\s*==\s*("[^"]*"|'[^']*'|[\w.-]+)\)\]/gy

function parse(path: string): readonly Step[] {
  const text = path.startsWith('.') || path.startsWith('[') ? path : `.${path}`
  const steps: Step[] = []
  let end = 0
  for (const match of text.matchAll(PART)) {
    const [all, name, index, quoted, key, wanted] = match
    end = match.index + all.length
    const field = name ?? quoted
    if (field !== undefined) steps.push(child(field.replaceAll('\\.', '.')))
    else if (index !== undefined) steps.push((value) => item(value, Number(index)))
    else if (key !== undefined) steps.push(filter(key, literal(wanted ?? '')))
    else steps.push((value) => (isList(value) ? value : []))
  }
  return end === text.length ? steps : [() => []]
}

function child(name: string): Step {
  return (value) => {
    const found = isMap(value) ? value[name] : undefined
    return found === undefined ? [] : [found]
  }
}

function item(value: Json, index: number): readonly Json[] {
  return isList(value) ? value.slice(index, index + 1) : []
}

function filter(key: string, wanted: Json): Step {
  const steps = key.split('.').map(child)
  return (value) => {
    if (!isList(value)) return []
    return value.filter((element) => {
      let found: readonly Json[] = [element]
      for (const step of steps) found = found.flatMap(step)
      return equal(found[0], wanted)
    })
  }
}

function literal(text: string): Json {
  if (/^["']/.test(text)) return text.slice(1, -1)
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
