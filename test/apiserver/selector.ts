// labelSelector and fieldSelector: from their text to a predicate over objects.

import { at, type JsonMap, textAt } from './json.ts'
import { labelsOf } from './object.ts'
import type { Resource } from './resource.ts'
import { type ApiError, badRequest } from './status.ts'

/** Whether an object is selected. */
export type Selector = (object: JsonMap) => boolean

/** Selects everything; lets the caller skip the work. */
export const everything: Selector = () => true

/** `a=b,c!=d,e,!f,g in (x,y),h notin (z)`. Throws 400. */
export function parseLabelSelector(text: string): Selector {
  const parts = splitTerms(text)
  if (parts.length === 0) return everything
  const terms = parts.map(labelTerm)
  return (object) => {
    const labels = labelsOf(object)
    return terms.every((term) => term(labels))
  }
}

/** `metadata.name=x`, and the fields that a kind allows besides. Throws 400. */
export function parseFieldSelector(text: string, resource: Resource): Selector {
  const parts = splitTerms(text)
  if (parts.length === 0) return everything
  const terms = parts.map((part) => fieldTerm(part, resource))
  return (object) => terms.every((term) => term(object))
}

/** The name that a field selector asks for, when it asks for exactly one. */
export function nameIn(fieldSelector: string): string | undefined {
  return /(?:^|,)metadata\.name==?([^,]+)/.exec(fieldSelector)?.[1]
}

const TERM = /^([A-Za-z0-9_./-]+)\s*(?:(==|=|!=)\s*([A-Za-z0-9_.-]*)|\s(in|notin)\s*\(([^()]*)\))?$/

function labelTerm(part: string): (labels: JsonMap) => boolean {
  if (part.startsWith('!')) {
    const key = part.slice(1).trim()
    return (labels) => labels[key] === undefined
  }
  const [, key, sign, value, word, list] = TERM.exec(part) ?? []
  if (key === undefined) throw badRequest(`unable to parse requirement: found '${part}'`)
  if (word !== undefined) {
    const values = new Set((list ?? '').split(',').map((item) => item.trim()))
    const has = (labels: JsonMap) => values.has(String(labels[key]))
    if (word === 'in') return (labels) => labels[key] !== undefined && has(labels)
    return (labels) => labels[key] === undefined || !has(labels)
  }
  if (sign === undefined) return (labels) => labels[key] !== undefined
  if (sign === '!=') return (labels) => labels[key] !== value
  return (labels) => labels[key] === value
}

/** Fields that can be selected besides metadata.name and metadata.namespace. */
const SELECTABLE: { readonly [kind: string]: readonly string[] } = {
  Event: [
    ...['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].map(
      (field) => `involvedObject.${field}`,
    ),
    ...['reason', 'reportingComponent', 'source', 'type'],
  ],
  Service: ['spec.clusterIP', 'spec.type'],
  Namespace: ['status.phase', 'name'],
}

function fieldTerm(part: string, resource: Resource): Selector {
  const [, field, sign, value] = /^([^=!]+)(==|=|!=)(.*)$/.exec(part) ?? []
  if (field === undefined || value === undefined) {
    throw badRequest(`invalid selector: '${part}'; can't understand '${part}'`)
  }
  const isMeta = field === 'metadata.name' || field === 'metadata.namespace'
  if (!isMeta && !SELECTABLE[resource.kind]?.includes(field)) {
    throw unknownField(field, resource)
  }
  const path = field.split('.')
  const read = (object: JsonMap) =>
    field === 'source' ? textAt(object, 'source', 'component') : String(at(object, ...path) ?? '')
  return sign === '!=' ? (object) => read(object) !== value : (object) => read(object) === value
}

function unknownField(field: string, resource: Resource): ApiError {
  if (resource.isCustom || SELECTABLE[resource.kind] !== undefined) {
    return badRequest(`field label not supported: ${field}`)
  }
  const known = 'only "metadata.name", "metadata.namespace"'
  return badRequest(`"${field}" is not a known field selector: ${known}`)
}

/** Splits at commas that are not inside parentheses. */
function splitTerms(text: string): readonly string[] {
  const parts = text.split(/,(?![^(]*\))/).map((part) => part.trim())
  return parts.filter((part) => part !== '')
}
