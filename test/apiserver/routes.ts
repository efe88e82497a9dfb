// From a request to its answer: special paths, discovery and the verbs of resources. Watches, faults and
// sockets are the server's business.

import type { Cluster } from './cluster.ts'
import { type FieldValidation, parseBody } from './decode.ts'
import { discover, versionInfo } from './discovery.ts'
import { type Encoding, encodeLoose, viewOf } from './encode.ts'
import { isMap, type Json } from './json.ts'
import { emptyOpenApi, OPENAPI_PROTOBUF, openApi } from './openapi.ts'
import { decodeProtobuf, PROTOBUF } from './protobuf.ts'
import { getObject, listObjects } from './read.ts'
import { removeObject } from './remove.ts'
import type { RequestInfo } from './request-info.ts'
import type { Resource } from './resource.ts'
import {
  type ApiError,
  forbidden,
  invalid,
  methodNotAllowed,
  NoSuchPath,
  unsupported,
} from './status.ts'
import { createObject, patchObject, patchTypeOf, updateObject, type WriteRequest } from './write.ts'

/** A request with everything that its answer depends on. */
export interface Exchange {
  readonly info: RequestInfo
  readonly accept: string
  readonly contentType: string
  readonly userAgent: string
  readonly body: Uint8Array
  readonly user: string
}

/** An answer that is complete when it is sent. */
export interface Answer {
  readonly code: number
  readonly body: string
  readonly contentType: string
  readonly warnings: readonly string[]
}

/** What routing needs of the server. */
export interface Routing {
  readonly cluster: Cluster
  readonly orphan: (uid: string) => void
  readonly metrics: () => string
}

/** Answers anything but a watch. Throws ApiError. */
export function answer(routing: Routing, exchange: Exchange): Answer {
  const { info } = exchange
  const special = specialPath(routing, exchange)
  if (special !== undefined) return special
  if (!info.isApi) throw new NoSuchPath()
  const { registry } = routing.cluster
  if (info.resource === '') {
    const found = discover(registry, info)
    if (found === undefined) throw new NoSuchPath()
    return json(200, JSON.stringify(found), [])
  }
  const resource = resourceOf(routing.cluster, info)
  const warnings = resource.kind === 'Endpoints' ? [ENDPOINTS_DEPRECATED] : []
  const encoding = encodingOf(routing.cluster, exchange, resource)
  if (info.verb === 'get') return json(200, getObject(routing.cluster, info, encoding), warnings)
  if (info.verb === 'list') return json(200, listObjects(routing.cluster, info, encoding), warnings)
  return write(routing, exchange, encoding, warnings)
}

const ENDPOINTS_DEPRECATED =
  'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice'

/** The resource that a path names. Throws 404. */
export function resourceOf({ registry }: Cluster, info: RequestInfo): Resource {
  const resource = registry.byPath(info.group, info.version, info.resource)
  const { subresource } = info
  const isKnown = subresource === '' || (subresource === 'status' && resource?.hasStatus === true)
  if (resource === undefined || !isKnown) throw new NoSuchPath()
  if (!resource.isNamespaced && info.namespace !== '') throw new NoSuchPath()
  const needsNamespace = info.name !== '' || info.method === 'POST'
  if (resource.isNamespaced && info.namespace === '' && needsNamespace) throw methodNotAllowed()
  return resource
}

/** How the answer to a request is to be written. Throws 406. */
export function encodingOf(
  { nowMs }: Cluster,
  { info, accept }: Exchange,
  resource: Resource,
): Encoding {
  const view = viewOf(accept, info.method === 'GET')
  return { resource, view, includeObject: info.query.get('includeObject') ?? '', nowMs }
}

function specialPath(routing: Routing, { info, accept }: Exchange): Answer | undefined {
  const { path } = info
  const text = (body: string): Answer => {
    return { code: 200, body, contentType: 'text/plain; charset=utf-8', warnings: [] }
  }
  if (/^\/(healthz|livez|readyz)(\/|$)/.test(path)) return text('ok')
  if (path === '/metrics') return text(routing.metrics())
  if (path === '/version') return json(200, JSON.stringify(versionInfo), [])
  if (path === '/') return json(200, JSON.stringify({ paths: ['/api', '/apis', '/version'] }), [])
  if (!path.startsWith('/openapi/')) return undefined
  if (path === '/openapi/v2' && accept.startsWith(OPENAPI_PROTOBUF.accept)) {
    const { contentType } = OPENAPI_PROTOBUF
    return { code: 200, body: emptyOpenApi, contentType, warnings: [] }
  }
  const found = openApi(routing.cluster.registry, path)
  if (found === undefined) throw new NoSuchPath()
  return json(200, JSON.stringify(found), [])
}

function write(
  routing: Routing,
  exchange: Exchange,
  encoding: Encoding,
  warnings: readonly string[],
): Answer {
  const { cluster } = routing
  const { info, contentType } = exchange
  const request = writeRequestOf(exchange, encoding.resource)
  const finish = (code: number, object: Json): Answer => {
    const body = encodeLoose(isMap(object) ? object : {}, encoding)
    return json(code, body, [...warnings, ...request.warnings])
  }
  switch (info.verb) {
    case 'create': {
      if (info.name !== '') throw methodNotAllowed()
      const { code, object } = createObject(cluster, request, bodyOf(exchange))
      return finish(code, object)
    }
    case 'update': {
      if (info.name === '') throw methodNotAllowed()
      const { code, object } = updateObject(cluster, request, bodyOf(exchange))
      return finish(code, object)
    }
    case 'patch': {
      if (info.name === '') throw methodNotAllowed()
      const type = patchTypeOf(contentType)
      if (type !== 'apply' && info.query.has('force')) throw forceForbidden()
      const { code, object } = patchObject(cluster, request, type, bodyOf(exchange))
      return finish(code, object)
    }
    case 'delete': {
      if (info.subresource !== '') throw methodNotAllowed()
      const body = exchange.body.length === 0 ? {} : bodyOf(exchange)
      const policy = info.query.get('propagationPolicy')
      const options =
        policy === null || !isMap(body) ? body : { propagationPolicy: policy, ...body }
      const { orphan } = routing
      return finish(200, removeObject(cluster, { ...request, options, orphan }))
    }
    default:
      throw methodNotAllowed()
  }
}

function bodyOf({ body, contentType }: Exchange): Json {
  if (contentType.startsWith(PROTOBUF)) return decodeProtobuf(body)
  return parseBody(new TextDecoder().decode(body))
}

function writeRequestOf({ info, userAgent }: Exchange, resource: Resource): WriteRequest {
  const { query, namespace, name, subresource } = info
  const given = query.get('fieldManager') ?? ''
  return {
    resource,
    namespace,
    name,
    subresource,
    manager: given || userAgent.split('/')[0] || 'unknown',
    isManagerGiven: given !== '',
    force: query.get('force') === 'true',
    isDryRun: query.get('dryRun') === 'All',
    fieldValidation: fieldValidationOf(query.get('fieldValidation') ?? ''),
    warnings: [],
  }
}

const OPTIONS = { group: 'meta.k8s.io', kind: 'PatchOptions', plural: 'patchoptions' }

function fieldValidationOf(text: string): FieldValidation {
  if (text === '') return 'Warn'
  if (text === 'Ignore' || text === 'Warn' || text === 'Strict') return text
  const values = ['Ignore', 'Strict', 'Warn']
  throw invalid(OPTIONS, '', [unsupported('fieldValidation', text, values)])
}

function forceForbidden(): ApiError {
  return invalid(OPTIONS, '', [forbidden('force', 'may not be specified for non-apply patch')])
}

function json(code: number, body: string, warnings: readonly string[]): Answer {
  return { code, body, contentType: 'application/json', warnings }
}
