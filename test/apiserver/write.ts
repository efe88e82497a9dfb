// POST, PUT, PATCH and apply: from a decoded body to what is committed, with ownership on the way.

import { applyFields } from './apply.ts'
import type { Cluster } from './cluster.ts'
import { timestamp } from './cluster.ts'
import { type Destination, insert, replace, type Written } from './commit.ts'
import { type Decoding, decodeConfig, decodeObject } from './decode.ts'
import { emptySet, type FieldSet } from './fieldset.ts'
import { type Json, type JsonMap, textAt } from './json.ts'
import { managersBefore, trackUpdate, type Writer } from './managed.ts'
import { type KubeObject, withMeta } from './object.ts'
import { jsonPatch, mergePatch, strategicPatch } from './patch.ts'
import {
  ApiError,
  badRequest,
  conflict,
  invalid,
  invalidValue,
  notFound,
  required,
} from './status.ts'

/** A write as the request asks for it. */
export interface WriteRequest extends Destination, Decoding {
  readonly namespace: string
  /** '' for a POST. */
  readonly name: string
  /** fieldManager, or the User-Agent up to its first slash. */
  readonly manager: string
  readonly isManagerGiven: boolean
  readonly force: boolean
}

/** The patch formats by media type. */
export const patchTypes = {
  'application/apply-patch+yaml': 'apply',
  'application/merge-patch+json': 'merge',
  'application/json-patch+json': 'json',
  'application/strategic-merge-patch+json': 'strategic',
} as const

/** How a patch is to be read. */
export type PatchType = (typeof patchTypes)[keyof typeof patchTypes]

/** POST. */
export function createObject(cluster: Cluster, request: WriteRequest, body: Json): Written {
  const decoded = inNamespace(decodeObject(body, request.resource, request), request)
  const object = named(cluster, request, decoded)
  if (textAt(object, 'metadata', 'resourceVersion') !== '') {
    throw new ApiError(
      500,
      'InternalError',
      'resourceVersion should not be set on objects to be created',
    )
  }
  return insertTracked(cluster, request, object)
}

/** PUT. */
export function updateObject(cluster: Cluster, request: WriteRequest, body: Json): Written {
  const { resource, name } = request
  const object = inNamespace(decodeObject(body, resource, request), request)
  checkName(object, name)
  const live = liveObject(cluster, request)
  if (live === undefined) {
    if (!resource.createsOnUpdate || request.subresource !== '') throw notFound(resource, name)
    return insertTracked(cluster, request, withMeta(object, { resourceVersion: undefined }))
  }
  const given = textAt(object, 'metadata', 'resourceVersion')
  if (given === '' && !resource.updatesUnconditionally) {
    const message = 'Invalid value: 0x0: must be specified for an update'
    const error = invalidValue('metadata.resourceVersion', 0, '')
    throw invalid({ ...resource, kind: resource.plural }, name, [{ ...error, message }])
  }
  checkPreconditions(request, live, object)
  return replaceTracked(cluster, request, live, object)
}

/** PATCH, in any of its formats. */
export function patchObject(
  cluster: Cluster,
  request: WriteRequest,
  type: PatchType,
  body: Json,
): Written {
  if (type === 'apply') return applyObject(cluster, request, body)
  const { resource, name } = request
  const live = liveObject(cluster, request)
  if (live === undefined) throw notFound(resource, name)
  if (type === 'strategic' && resource.isCustom) {
    const message =
      'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml'
    throw new ApiError(415, 'UnsupportedMediaType', message, {})
  }
  const patched = {
    merge: () => mergePatch(live, body),
    json: () => jsonPatch(live, body),
    strategic: () => strategicPatch(live, body, resource.kind),
  }[type]()
  const object = decodeObject(patched, resource, request)
  checkName(object, name)
  checkPreconditions(request, live, object)
  return replaceTracked(cluster, request, live, object)
}

function applyObject(cluster: Cluster, request: WriteRequest, body: Json): Written {
  const { resource, name } = request
  if (!request.isManagerGiven) {
    const subject = { group: 'meta.k8s.io', kind: 'PatchOptions', plural: 'patchoptions' }
    throw invalid(subject, '', [required('fieldManager', 'is required for apply patch')])
  }
  const decoded = decodeConfig(body, resource)
  const config = inNamespace(withMeta(decoded, { name: nameOf(decoded) || name }), request)
  checkName(config, name)
  const live = liveObject(cluster, request)
  if (live === undefined && request.subresource !== '') throw notFound(resource, name)
  if (live !== undefined) checkPreconditions(request, live, config)
  else checkAbsent(request, config)
  const base = live ?? skeletonOf(request)
  const applied = applyFields(base, config, writerOf(cluster, request), request.force)
  const quiet = { ...request, fieldValidation: 'Ignore' as const }
  const object = decodeObject(applied.object, resource, quiet)
  return live === undefined
    ? insert(cluster, request, object, applied.managers)
    : replace(cluster, request, live, object, applied.managers)
}

function insertTracked(cluster: Cluster, request: WriteRequest, object: JsonMap): Written {
  const base = skeletonOf(request)
  const before = managersBefore(base, object, request.subresource)
  const managers = trackUpdate(base, object, before, writerOf(cluster, request))
  return insert(cluster, request, object, managers)
}

function replaceTracked(
  cluster: Cluster,
  request: WriteRequest,
  live: KubeObject,
  object: JsonMap,
): Written {
  const before = managersBefore(live, object, request.subresource)
  const managers = trackUpdate(live, object, before, writerOf(cluster, request))
  return replace(cluster, request, live, object, managers)
}

function liveObject(cluster: Cluster, request: WriteRequest): KubeObject | undefined {
  const { resource, namespace, name } = request
  return cluster.store.get(resource.collection, namespace, name)?.object
}

function writerOf(cluster: Cluster, request: WriteRequest): Writer {
  const { resource, subresource, manager } = request
  return {
    manager,
    subresource,
    apiVersion: resource.apiVersion,
    schema: resource.schema,
    skeleton: resource.skeleton,
    ignored: ignoredBy(request),
    now: timestamp(cluster.nowMs()),
  }
}

function ignoredBy({ resource, subresource }: WriteRequest): FieldSet {
  if (subresource === 'status') return { members: new Set(['f:spec']), children: new Map() }
  return resource.hasStatus ? { members: new Set(['f:status']), children: new Map() } : emptySet
}

function skeletonOf({ resource }: WriteRequest): JsonMap {
  const { kind, apiVersion, skeleton } = resource
  return { kind, apiVersion, metadata: {}, ...skeleton }
}

function nameOf(object: JsonMap): string {
  return textAt(object, 'metadata', 'name')
}

function inNamespace(object: JsonMap, { resource, namespace }: WriteRequest): JsonMap {
  const given = textAt(object, 'metadata', 'namespace')
  if (!resource.isNamespaced) {
    return given === '' ? object : withMeta(object, { namespace: undefined })
  }
  if (given !== '' && given !== namespace) {
    const message = `the namespace of the provided object does not match the namespace sent on the request`
    throw badRequest(message)
  }
  return withMeta(object, { namespace })
}

function checkName(object: JsonMap, name: string): void {
  const given = nameOf(object)
  if (given === name) return
  const message = `the name of the object (${given}) does not match the name on the URL (${name})`
  throw badRequest(message)
}

/** The object with a name, made up from generateName where it has none. */
function named(cluster: Cluster, request: WriteRequest, object: JsonMap): JsonMap {
  if (nameOf(object) !== '') return object
  const prefix = textAt(object, 'metadata', 'generateName')
  if (prefix === '') {
    const error = required('metadata.name', 'name or generateName is required')
    throw invalid(request.resource, '', [error])
  }
  const { collection } = request.resource
  for (;;) {
    const name = `${prefix}${suffix()}`
    if (cluster.store.get(collection, request.namespace, name) === undefined) {
      return withMeta(object, { name })
    }
  }
}

/** Five characters without vowels, as Kubernetes makes them. */
function suffix(): string {
  const alphabet = 'bcdfghjklmnpqrstvwxz2456789'
  const random = crypto.getRandomValues(new Uint8Array(5))
  return [...random].map((byte) => alphabet[byte % alphabet.length]).join('')
}

function checkPreconditions(request: WriteRequest, live: KubeObject, object: JsonMap): void {
  const { resource, name } = request
  const uid = textAt(object, 'metadata', 'uid')
  if (uid !== '' && uid !== live.metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${live.metadata.uid}`
    throw conflict(resource, name, why)
  }
  const version = textAt(object, 'metadata', 'resourceVersion')
  if (version !== '' && version !== live.metadata.resourceVersion) throw conflict(resource, name)
}

function checkAbsent({ resource, name }: WriteRequest, config: JsonMap): void {
  const uid = textAt(config, 'metadata', 'uid')
  if (uid === '') return
  const why = `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`
  throw conflict(resource, name, why)
}

/** The patch format of a Content-Type. Throws 415. */
export function patchTypeOf(contentType: string): PatchType {
  const media = contentType.split(';')[0]?.trim().toLowerCase() ?? ''
  for (const [known, type] of Object.entries(patchTypes)) if (known === media) return type
  const accepted = Object.keys(patchTypes).join(', ')
  const message = `the body of the request was in an unknown format - accepted media types include: ${accepted}`
  throw new ApiError(415, 'UnsupportedMediaType', message, {})
}
