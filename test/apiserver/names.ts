// The naming rules of Kubernetes that objects, labels and ports have to keep. Source: apimachinery,
// util/validation. Each rule returns what is wrong as text, or undefined.

import { isMap, type Json, type JsonMap, listAt, mapAt, textAt } from './json.ts'
import { type FieldError, forbidden, invalidValue, required } from './status.ts'

/** A rule about one string. */
export type NameRule = (value: string) => string | undefined

/** lower case RFC 1123 label, as of ports and namespaces. */
export const dnsLabel = rule(
  /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
  63,
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
)

/** RFC 1035 label, as of Services. */
export const dns1035Label = rule(
  /^[a-z]([-a-z0-9]*[a-z0-9])?$/,
  63,
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
)

/** RFC 1123 subdomain, as of most objects. */
export const dnsSubdomain = rule(
  /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
  253,
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
)

const qualifiedPart = rule(
  /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/,
  63,
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
)

/** The value of a label. */
export const labelValue = rule(
  /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/,
  63,
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
)

/** The key of a label or an annotation: `prefix/name` or `name`. */
export function qualifiedName(value: string): string | undefined {
  const parts = value.split('/')
  const name = parts.at(-1) ?? ''
  if (parts.length > 2) return 'a qualified name must have at most one prefix'
  if (parts.length === 2) {
    const prefix = dnsSubdomain(parts[0] ?? '')
    if (prefix !== undefined) return `prefix part ${prefix}`
  }
  return qualifiedPart(name)
}

/** An IANA service name, as a targetPort by name. */
export function portName(value: string): string | undefined {
  if (value.length > 15) return 'must be no more than 15 characters'
  if (!/^[-a-z0-9]+$/i.test(value)) {
    return 'must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)'
  }
  if (!/[a-z]/i.test(value)) return 'must contain at least one letter (a-z)'
  if (value.includes('--')) return 'must not contain consecutive hyphens'
  return value.startsWith('-') || value.endsWith('-')
    ? 'must not begin or end with a hyphen'
    : undefined
}

/** What is wrong with the metadata of an object that is about to be stored. */
export function validateMeta(object: JsonMap, nameRule: NameRule): readonly FieldError[] {
  const meta = mapAt(object, 'metadata')
  const wrong = nameRule(textAt(meta, 'name'))
  return [
    ...(wrong === undefined ? [] : [invalidValue('metadata.name', meta.name, wrong)]),
    ...validateLabels(mapAt(meta, 'labels')),
    ...Object.keys(mapAt(meta, 'annotations')).flatMap((key) =>
      broken('metadata.annotations', key, qualifiedName(key.toLowerCase())),
    ),
    ...listAt(meta, 'finalizers').flatMap((item) =>
      broken('metadata.finalizers', item, qualifiedName(String(item))),
    ),
    ...validateOwners(listAt(meta, 'ownerReferences')),
  ]
}

function validateLabels(labels: JsonMap): readonly FieldError[] {
  return Object.entries(labels).flatMap(([key, value]) => [
    ...broken('metadata.labels', key, qualifiedName(key)),
    ...broken('metadata.labels', value, labelValue(String(value))),
  ])
}

function validateOwners(owners: readonly Json[]): readonly FieldError[] {
  const path = 'metadata.ownerReferences'
  const controllers = owners.filter((owner) => isMap(owner) && owner.controller === true)
  const errors = owners.flatMap((owner, index) =>
    ['apiVersion', 'kind', 'name', 'uid'].flatMap((key) =>
      textAt(owner, key) === '' ? [required(`${path}[${index}].${key}`, 'must not be empty')] : [],
    ),
  )
  if (controllers.length < 2) return errors
  return [...errors, forbidden(path, 'Only one reference can have Controller set to true.')]
}

function broken(field: string, value: Json, wrong: string | undefined): readonly FieldError[] {
  return wrong === undefined ? [] : [invalidValue(field, value, wrong)]
}

function rule(pattern: RegExp, lengthMax: number, text: string): NameRule {
  return (value) => {
    if (value.length > lengthMax) return `must be no more than ${lengthMax} characters`
    return pattern.test(value) ? undefined : text
  }
}
