// Structural schemas: OpenAPI v3 of a CRD (or of a built-in kind) parsed once into what pruning,
// defaulting, validation and server-side apply ask for.

import { at, isList, isMap, type Json, type JsonMap, listAt, mapAt } from './json.ts'

/** How the items of a list are told apart when two writers merge it. */
export type ListType = 'atomic' | 'set' | 'map'

/** One node of a structural schema. Absent members are undefined or empty, never null. */
export interface Schema {
  readonly type: string
  readonly properties: ReadonlyMap<string, Schema>
  readonly additional: Schema | undefined
  readonly items: Schema | undefined
  readonly required: readonly string[]
  readonly enum: readonly Json[]
  readonly minimum: number | undefined
  readonly maximum: number | undefined
  readonly exclusiveMinimum: boolean
  readonly exclusiveMaximum: boolean
  readonly minLength: number | undefined
  readonly maxLength: number | undefined
  readonly minItems: number | undefined
  readonly maxItems: number | undefined
  readonly maxProperties: number | undefined
  readonly pattern: RegExp | undefined
  readonly format: string
  readonly nullable: boolean
  readonly default: Json | undefined
  readonly preserveUnknown: boolean
  readonly intOrString: boolean
  readonly listType: ListType
  readonly listKeys: readonly string[]
  readonly atomicMap: boolean
  /** Built-in kinds only: the Go field has no omitempty, so an empty value stays. */
  readonly keepEmpty: boolean
  /** Built-in kinds only: metav1.MicroTime, written with exactly six digits of a second. */
  readonly microTime: boolean
  readonly allOf: readonly Schema[]
  readonly anyOf: readonly Schema[]
  readonly oneOf: readonly Schema[]
  readonly not: Schema | undefined
  /** A property below this node has a default: lets defaulting skip the rest. */
  readonly hasDefaults: boolean
}

/** Reads an OpenAPI v3 schema. What it does not know is ignored. */
export function parseSchema(json: Json | undefined): Schema {
  const map = isMap(json) ? json : {}
  const properties = new Map<string, Schema>()
  for (const [name, child] of Object.entries(mapAt(map, 'properties'))) {
    properties.set(name, parseSchema(child))
  }
  const items = map.items === undefined ? undefined : parseSchema(map.items)
  const additional = isMap(map.additionalProperties)
    ? parseSchema(map.additionalProperties)
    : undefined
  const children = [...properties.values(), items, additional]
  return {
    ...limits(map),
    type: text(map.type),
    properties,
    additional,
    items,
    required: strings(map.required),
    enum: listAt(map, 'enum'),
    format: text(map.format),
    nullable: map.nullable === true,
    default: map.default,
    preserveUnknown:
      map['x-kubernetes-preserve-unknown-fields'] === true || map.additionalProperties === true,
    intOrString: map['x-kubernetes-int-or-string'] === true,
    listType: listTypeOf(map['x-kubernetes-list-type']),
    listKeys: strings(map['x-kubernetes-list-map-keys']),
    atomicMap: map['x-kubernetes-map-type'] === 'atomic',
    keepEmpty: map['x-keep-empty'] === true,
    microTime: map['x-micro-time'] === true,
    allOf: listAt(map, 'allOf').map(parseSchema),
    anyOf: listAt(map, 'anyOf').map(parseSchema),
    oneOf: listAt(map, 'oneOf').map(parseSchema),
    not: map.not === undefined ? undefined : parseSchema(map.not),
    hasDefaults: children.some(
      (child) => child !== undefined && (child.hasDefaults || child.default !== undefined),
    ),
  }
}

/** The schema of a map's value, undefined when it says nothing about that key. */
export function childOf(schema: Schema | undefined, key: string): Schema | undefined {
  return schema?.properties.get(key) ?? schema?.additional
}

function limits(map: JsonMap) {
  const pattern = at(map, 'pattern')
  return {
    minimum: number(map.minimum),
    maximum: number(map.maximum),
    exclusiveMinimum: map.exclusiveMinimum === true,
    exclusiveMaximum: map.exclusiveMaximum === true,
    minLength: number(map.minLength),
    maxLength: number(map.maxLength),
    minItems: number(map.minItems),
    maxItems: number(map.maxItems),
    maxProperties: number(map.maxProperties),
    pattern: typeof pattern === 'string' ? regExp(pattern) : undefined,
  }
}

/** Go's patterns may hold escapes that only the lax mode of JavaScript accepts. */
function regExp(pattern: string): RegExp {
  try {
    return new RegExp(pattern, 'u')
  } catch {
    return new RegExp(pattern)
  }
}

function listTypeOf(value: Json | undefined): ListType {
  return value === 'map' || value === 'set' ? value : 'atomic'
}

function text(value: Json | undefined): string {
  return typeof value === 'string' ? value : ''
}

function number(value: Json | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined
}

function strings(value: Json | undefined): readonly string[] {
  return isList(value) ? value.filter((item) => typeof item === 'string') : []
}
