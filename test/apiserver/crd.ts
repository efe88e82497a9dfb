// From an applied CustomResourceDefinition to the resources that it serves.

import { crdColumns } from './columns.ts'
import { isMap, type JsonMap, listAt, mapAt, textAt } from './json.ts'
import { withObjectFields } from './kinds.ts'
import { dnsSubdomain } from './names.ts'
import { noRules, type Resource } from './resource.ts'
import { parseSchema } from './schema.ts'

/** The resources of a definition, one for each served version; the storage version comes first. */
export function resourcesOfCrd(crd: JsonMap): readonly Resource[] {
  return listAt(crd, 'spec', 'versions')
    .filter(isMap)
    .filter((version) => version.served === true)
    .sort((a, b) => Number(b.storage === true) - Number(a.storage === true))
    .map((version) => toResource(mapAt(crd, 'spec'), version))
}

function toResource(spec: JsonMap, version: JsonMap): Resource {
  const names = mapAt(spec, 'names')
  const group = textAt(spec, 'group')
  const plural = textAt(names, 'plural')
  const apiVersion = `${group}/${textAt(version, 'name')}`
  const openapi = withObjectFields(mapAt(version, 'schema', 'openAPIV3Schema'))
  return {
    group,
    version: textAt(version, 'name'),
    apiVersion,
    collection: `${group}/${plural}`,
    plural,
    kind: textAt(names, 'kind'),
    singular: textAt(names, 'singular'),
    listKind: textAt(names, 'listKind'),
    shortNames: listAt(names, 'shortNames').map(String),
    categories: listAt(names, 'categories').map(String),
    isNamespaced: textAt(spec, 'scope') === 'Namespaced',
    isCustom: true,
    hasStatus: mapAt(version, 'subresources').status !== undefined,
    hasGeneration: true,
    createsOnUpdate: false,
    updatesUnconditionally: false,
    deleteReturnsObject: false,
    schema: parseSchema(openapi),
    openapi,
    skeleton: {},
    columns: crdColumns(listAt(version, 'additionalPrinterColumns')),
    rules: { ...noRules, name: dnsSubdomain },
  }
}
