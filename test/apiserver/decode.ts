// From a request body to an object of a resource: text to JSON, unknown fields dropped (or refused, or
// warned of), Go types for the built-in kinds, defaults.

import { isMap, type Json, type JsonMap, mapAt, textAt } from './json.ts'
import type { Resource } from './resource.ts'
import { badRequest } from './status.ts'
import { fillDefaults, prune } from './structural.ts'
import { DecodeError, decodeTyped } from './typed-decode.ts'

/** What to do about fields that the schema does not know. */
export type FieldValidation = 'Ignore' | 'Warn' | 'Strict'

/** How a body is to be read. */
export interface Decoding {
  readonly fieldValidation: FieldValidation
  /** Warnings of this request are added here. */
  readonly warnings: string[]
}

/** Body text as JSON; YAML where it is not JSON. Throws 400. */
export function parseBody(text: string): Json {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (/^\s*[{[]/.test(text)) throw badRequest(`error decoding JSON: ${messageOf(error)}`)
  }
  try {
    return toJson(Bun.YAML.parse(text))
  } catch (error) {
    throw badRequest(`error parsing YAML: ${messageOf(error)}`)
  }
}

/** The object in a body, without unknown fields and with defaults. Throws 400. */
export function decodeObject(body: Json, resource: Resource, decoding: Decoding): JsonMap {
  return withDefaults(typed(knownFields(body, resource, decoding), resource), resource)
}

/** An apply configuration: as it is, since what it does not say is not meant. Throws 400. */
export function decodeConfig(body: Json, { apiVersion, kind }: Resource): JsonMap {
  if (!isMap(body)) throw badRequest('error decoding YAML: an apply patch must be an object')
  if (body.apiVersion !== apiVersion) {
    const given = textAt(body, 'apiVersion')
    const rule = `Specified patch version: ${given}, expected: ${apiVersion}`
    throw badRequest(`Incorrect version specified in apply patch. ${rule}`)
  }
  if (body.kind !== kind) {
    throw badRequest(
      `the kind in the data (${textAt(body, 'kind')}) does not match the expected kind (${kind})`,
    )
  }
  return body
}

function knownFields(body: Json, resource: Resource, decoding: Decoding): JsonMap {
  if (!isMap(body)) throw badRequest('the object provided is unrecognized (must be of type object)')
  const object = withType(body, resource)
  const unknown: string[] = []
  const pruned = prune(object, resource.schema, unknown)
  reportUnknown(unknown, resource, decoding)
  return isMap(pruned) ? pruned : {}
}

/** The object with what its versioned type adds. */
export function withDefaults(object: JsonMap, resource: Resource): JsonMap {
  const filled = fillDefaults(object, resource.schema)
  return resource.rules.fillDefaults(isMap(filled) ? filled : object)
}

/** The body with its type; that of a built-in kind may be left to the path. */
function withType(body: JsonMap, resource: Resource): JsonMap {
  const implied = resource.isCustom ? '' : resource.kind
  const kind = textAt(body, 'kind') || implied
  const apiVersion = textAt(body, 'apiVersion') || (implied && resource.apiVersion)
  if (kind === '') throw badRequest(`Object 'Kind' is missing in '${JSON.stringify(body)}'`)
  if (apiVersion !== resource.apiVersion || kind !== resource.kind) {
    const rule = `the API version in the data (${apiVersion}) does not match the expected API version (${resource.apiVersion})`
    if (apiVersion !== resource.apiVersion) throw badRequest(rule)
    throw badRequest(
      `the kind in the data (${kind}) does not match the expected kind (${resource.kind})`,
    )
  }
  return { ...body, kind, apiVersion }
}

function reportUnknown(unknown: readonly string[], resource: Resource, decoding: Decoding): void {
  if (unknown.length === 0 || decoding.fieldValidation === 'Ignore') return
  const texts = unknown.map((field) => `unknown field "${field}"`)
  if (decoding.fieldValidation === 'Warn') {
    decoding.warnings.push(...texts)
    return
  }
  throw badRequest(`${cannotHandle(resource)}: strict decoding error: ${texts.join(', ')}`)
}

function typed(object: JsonMap, resource: Resource): JsonMap {
  try {
    const metadataSchema = resource.schema.properties.get('metadata')
    if (resource.isCustom && metadataSchema !== undefined) {
      const metadata = decodeTyped(mapAt(object, 'metadata'), metadataSchema, 'metadata')
      return { ...object, metadata }
    }
    const decoded = decodeTyped(object, resource.schema)
    return isMap(decoded) ? decoded : {}
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw badRequest(`${cannotHandle(resource)}: ${error.message}`)
  }
}

function cannotHandle({ kind, version }: Resource): string {
  return `${kind} in version "${version}" cannot be handled as a ${kind}`
}

/** YAML can hold what JSON cannot (dates, undefined); a round trip settles it. */
function toJson(value: unknown): Json {
  return JSON.parse(JSON.stringify(value ?? null))
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
