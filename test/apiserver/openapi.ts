// OpenAPI: the least that makes kubectl validate on the server, explain fields and compute patches.

import { isList, isMap, type Json, type JsonMap, withKey } from './json.ts'
import type { Registry } from './registry.ts'
import type { Resource } from './resource.ts'

/** The document of an /openapi path, undefined if there is none. */
export function openApi(registry: Registry, path: string): Json | undefined {
  if (path === '/openapi/v2') return { swagger: '2.0', info: INFO, paths: {}, definitions: {} }
  if (path === '/openapi/v3') return index(registry)
  const place = path.slice('/openapi/v3/'.length)
  const resources = registry.all().filter((item) => placeOf(item) === place)
  return path.startsWith('/openapi/v3/') && resources.length > 0 ? document(resources) : undefined
}

/** How kubectl asks for version 2, and how a server names it: Go cannot parse the type with an @. */
export const OPENAPI_PROTOBUF = {
  accept: 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf',
  contentType: 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf',
}

/** A version 2 document without a definition, in protobuf: field 1, `swagger`, is "2.0". */
export const emptyOpenApi = '\n\x032.0'

const INFO = { title: 'Kubernetes', version: 'v1.36.2' }

function index(registry: Registry): Json {
  const paths: Record<string, Json> = {}
  for (const resource of registry.all()) {
    const place = placeOf(resource)
    // The hash only has to change when the document does; clients cache by it.
    const hash = Bun.hash(JSON.stringify(document([resource]))).toString(16)
    paths[place] = { serverRelativeURL: `/openapi/v3/${place}?hash=${hash}` }
  }
  return { paths }
}

function placeOf(resource: Resource): string {
  return resource.group === '' ? `api/${resource.version}` : `apis/${resource.apiVersion}`
}

function document(resources: readonly Resource[]): Json {
  const paths: Record<string, Json> = {}
  const schemas: Record<string, Json> = {}
  for (const resource of resources) {
    const base = `/${placeOf(resource)}`
    const { plural } = resource
    const list = resource.isNamespaced
      ? `${base}/namespaces/{namespace}/${plural}`
      : `${base}/${plural}`
    const gvk = { group: resource.group, version: resource.version, kind: resource.kind }
    paths[list] = { post: operation('post', gvk) }
    paths[`${list}/{name}`] = { put: operation('put', gvk), patch: operation('patch', gvk) }
    schemas[schemaName(resource)] = {
      ...published(resource.openapi),
      'x-kubernetes-group-version-kind': [gvk],
    }
  }
  return { openapi: '3.0.0', info: INFO, paths, components: { schemas } }
}

function operation(verb: string, gvk: JsonMap): Json {
  const names = ['dryRun', 'fieldManager', 'fieldValidation']
  return {
    parameters: names.map((name) => ({ name, in: 'query', schema: { type: 'string' } })),
    responses: { '200': { description: 'OK' } },
    'x-kubernetes-action': verb,
    'x-kubernetes-group-version-kind': gvk,
  }
}

function schemaName({ group, version, kind }: Resource): string {
  const parts = group === '' ? ['io', 'k8s', 'api', 'core'] : group.split('.').reverse()
  return [...parts, version, kind].join('.')
}

/** A schema without this server's own extensions. */
function published(schema: JsonMap): JsonMap {
  const out: Record<string, Json> = {}
  for (const [key, value] of Object.entries(without(schema, 'x-keep-empty', 'x-micro-time'))) {
    if (isMap(value)) out[key] = published(value)
    else
      out[key] = isList(value) ? value.map((item) => (isMap(item) ? published(item) : item)) : value
  }
  return out
}

function without(map: JsonMap, ...keys: readonly string[]): JsonMap {
  return keys.reduce((rest, key) => withKey(rest, key, undefined), map)
}
