// CustomResourceDefinitions themselves: defaults, what is refused, and the status of an accepted one.

import { isMap, type Json, type JsonMap, listAt, mapAt, textAt } from './json.ts'
import { dnsSubdomain } from './names.ts'
import { noRules, type Rules } from './resource.ts'
import { type FieldError, invalidValue, required, unsupported } from './status.ts'

/** The rules of CustomResourceDefinitions. */
export const crdRules: Rules = {
  ...noRules,
  name: dnsSubdomain,
  fillDefaults,
  prepareCreate: accept,
  prepareUpdate: (object, live) =>
    accept({ ...object, ...(live.status === undefined ? {} : { status: live.status }) }),
  validate,
}

function fillDefaults(object: JsonMap): JsonMap {
  const spec = mapAt(object, 'spec')
  const names = mapAt(spec, 'names')
  const kind = textAt(names, 'kind')
  return {
    ...object,
    spec: {
      conversion: { strategy: 'None' },
      ...spec,
      names: { listKind: `${kind}List`, singular: kind.toLowerCase(), ...names },
    },
  }
}

/** Every valid definition is accepted and established at once. */
function accept(object: JsonMap): JsonMap {
  const status = mapAt(object, 'status')
  const storage = listAt(object, 'spec', 'versions').find(
    (version) => isMap(version) && version.storage === true,
  )
  const stored = new Set([...listAt(status, 'storedVersions'), textAt(storage, 'name')])
  return {
    ...object,
    status: {
      conditions: [
        condition(status, 'NamesAccepted', 'NoConflicts', 'no conflicts found'),
        condition(
          status,
          'Established',
          'InitialNamesAccepted',
          'the initial names have been accepted',
        ),
      ],
      acceptedNames: mapAt(object, 'spec', 'names'),
      storedVersions: [...stored],
    },
  }
}

function condition(status: JsonMap, type: string, reason: string, message: string): Json {
  const before = listAt(status, 'conditions').find((item) => textAt(item, 'type') === type)
  const lastTransitionTime =
    textAt(before, 'lastTransitionTime') || `${new Date().toISOString().slice(0, 19)}Z`
  return { lastTransitionTime, message, reason, status: 'True', type }
}

function validate(object: JsonMap): readonly FieldError[] {
  const spec = mapAt(object, 'spec')
  const names = mapAt(spec, 'names')
  const errors: FieldError[] = []
  const group = textAt(spec, 'group')
  const expected = `${textAt(names, 'plural')}.${group}`
  const name = textAt(object, 'metadata', 'name')
  if (name !== expected) {
    const rule = 'must be spec.names.plural+"."+spec.group'
    errors.push(invalidValue('metadata.name', name, rule))
  }
  for (const key of ['plural', 'singular', 'kind', 'listKind']) {
    if (textAt(names, key) === '') errors.push(required(`spec.names.${key}`))
  }
  if (group === '') errors.push(required('spec.group'))
  const scope = textAt(spec, 'scope')
  if (!['Cluster', 'Namespaced'].includes(scope)) {
    errors.push(unsupported('spec.scope', scope, ['Cluster', 'Namespaced']))
  }
  const versions = listAt(spec, 'versions')
  const storage = versions.filter((version) => isMap(version) && version.storage === true)
  if (storage.length !== 1) {
    const rule = 'must have exactly one version marked as storage version'
    errors.push(invalidValue('spec.versions', versions.length, rule))
  }
  for (const [index, version] of versions.entries()) {
    const path = `spec.versions[${index}].schema.openAPIV3Schema`
    const schema = isMap(version) ? mapAt(version, 'schema').openAPIV3Schema : undefined
    if (schema === undefined) errors.push(required(path, 'schemas are required'))
    else errors.push(...validateStructure(schema, path))
  }
  return errors
}

/** The rules of a structural schema that a hand-written CRD is likely to break. */
function validateStructure(schema: Json, path: string): readonly FieldError[] {
  if (!isMap(schema)) return [invalidValue(path, schema, 'must be an object')]
  const loose =
    schema['x-kubernetes-int-or-string'] === true ||
    schema['x-kubernetes-preserve-unknown-fields'] === true
  const errors: FieldError[] = []
  if (schema.type === undefined && !loose) {
    errors.push(required(`${path}.type`, 'must not be empty for specified object fields'))
  }
  if (schema.properties !== undefined && schema.additionalProperties !== undefined) {
    const rule = 'additionalProperties and properties are mutually exclusive'
    errors.push({ ...invalidValue(path, '', rule), reason: 'FieldValueForbidden' })
  }
  if (schema.type === 'array' && schema.items === undefined) {
    errors.push(required(`${path}.items`, 'must be specified'))
  }
  if (schema['x-kubernetes-list-type'] === 'map') {
    errors.push(...validateListKeys(schema, path))
  }
  for (const [name, child] of Object.entries(mapAt(schema, 'properties'))) {
    errors.push(...validateStructure(child, `${path}.properties[${name}]`))
  }
  if (isMap(schema.items)) errors.push(...validateStructure(schema.items, `${path}.items`))
  if (isMap(schema.additionalProperties)) {
    const below = `${path}.additionalProperties`
    errors.push(...validateStructure(schema.additionalProperties, below))
  }
  return errors
}

function validateListKeys(schema: JsonMap, path: string): readonly FieldError[] {
  const keys = listAt(schema, 'x-kubernetes-list-map-keys')
  if (keys.length === 0) return [required(`${path}.x-kubernetes-list-map-keys`)]
  const items = mapAt(schema, 'items')
  return keys.flatMap((key) => {
    const name = String(key)
    const property = mapAt(items, 'properties')[name]
    if (property === undefined) {
      const rule = 'entries must all be names of item properties'
      return [invalidValue(`${path}.x-kubernetes-list-map-keys`, key, rule)]
    }
    const isNeeded = listAt(items, 'required').includes(name)
    if (isNeeded || mapAt(property).default !== undefined) return []
    const field = `${path}.items.properties[${name}].default`
    return [
      required(
        field,
        'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
      ),
    ]
  })
}
