// The last steps of every write: what the server fills in itself, the rules, and the store. A write that
// changes nothing is not stored.

import { type Cluster, NAMESPACES, timestamp } from './cluster.ts'
import { equal, isMap, type Json, type JsonMap, listAt, mapAt, textAt, withKey } from './json.ts'
import { type Managers, writeManagers } from './managed.ts'
import { validateMeta } from './names.ts'
import { finalizersOf, type KubeObject, withMeta } from './object.ts'
import type { Resource } from './resource.ts'
import { ApiError, alreadyExists, type FieldError, forbidden, invalid, notFound } from './status.ts'
import { validate } from './structural.ts'

/** Where a write goes. */
export interface Destination {
  readonly resource: Resource
  readonly subresource: string
  readonly isDryRun: boolean
}

/** What a write came to; the object is as stored, or as it would be in a dry run. */
export interface Written {
  readonly object: JsonMap
  readonly code: 200 | 201
}

/** Stores a new object. Throws 409 when the name is taken, 404 without its namespace, 422 by the rules. */
export function insert(
  cluster: Cluster,
  to: Destination,
  object: JsonMap,
  managers: Managers,
): Written {
  const { resource } = to
  const namespace = textAt(object, 'metadata', 'namespace')
  const name = textAt(object, 'metadata', 'name')
  checkNamespace(cluster, resource, namespace, name)
  const fresh = withMeta(object, {
    uid: crypto.randomUUID(),
    creationTimestamp: timestamp(cluster.nowMs()),
    generation: resource.hasGeneration ? 1 : undefined,
    resourceVersion: undefined,
    selfLink: undefined,
    deletionTimestamp: undefined,
    deletionGracePeriodSeconds: undefined,
  })
  const reset = resource.hasStatus ? withKey(fresh, 'status', resource.skeleton.status) : fresh
  const prepared = resource.rules.prepareCreate(reset)
  refuseInvalid(resource, prepared, undefined)
  if (cluster.store.get(resource.collection, namespace, name) !== undefined) {
    throw alreadyExists(resource, name)
  }
  if (to.isDryRun) return { object: arrange(writeManagers(prepared, managers)), code: 201 }
  const complete = writeManagers(resource.rules.claim(prepared, undefined), managers)
  return { object: cluster.store.put(resource.collection, arrange(complete)).object, code: 201 }
}

/** Stores a new state of an object, or removes it when it was waiting for its last finalizer. */
export function replace(
  cluster: Cluster,
  to: Destination,
  live: KubeObject,
  next: JsonMap,
  managers: Managers,
): Written {
  const { resource } = to
  const merged = keepServerFields(live, mergeSubresource(live, next, to))
  const prepared = resource.rules.prepareUpdate(merged, live)
  const counted = countGeneration(resource, prepared, live)
  refuseInvalid(resource, counted, live)
  const claimed = to.isDryRun ? counted : resource.rules.claim(counted, live)
  const complete = arrange(writeManagers(claimed, managers))
  if (isSame(complete, live)) return { object: live, code: 200 }
  if (to.isDryRun) return { object: complete, code: 200 }
  if (live.metadata.deletionTimestamp !== undefined && finalizersOf(complete).length === 0) {
    const removed = cluster.store.remove(resource.collection, live, complete)
    return { object: removed?.object ?? complete, code: 200 }
  }
  return { object: cluster.store.put(resource.collection, complete).object, code: 200 }
}

function checkNamespace(
  cluster: Cluster,
  resource: Resource,
  namespace: string,
  name: string,
): void {
  if (!resource.isNamespaced) return
  const found = cluster.store.get(NAMESPACES, '', namespace)
  if (found === undefined) {
    throw notFound({ group: '', kind: 'Namespace', plural: 'namespaces' }, namespace)
  }
  if (found.object.metadata.deletionTimestamp === undefined) return
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`
  const what = resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`
  throw new ApiError(403, 'Forbidden', `${what} "${name}" is forbidden: ${why}`)
}

/** /status changes the status only (and the metadata of built-in kinds), the main path all but it. */
function mergeSubresource(live: KubeObject, next: JsonMap, to: Destination): JsonMap {
  const { resource, subresource } = to
  if (subresource === 'status') {
    if (!resource.isCustom) return withKey(next, 'spec', live.spec)
    return withKey(live, 'status', next.status)
  }
  return resource.hasStatus ? withKey(next, 'status', live.status) : next
}

function keepServerFields(live: KubeObject, next: JsonMap): JsonMap {
  const { name, namespace, uid, resourceVersion, creationTimestamp, generation } = live.metadata
  const { deletionTimestamp, deletionGracePeriodSeconds } = live.metadata
  return withMeta(next, {
    ...{ name, namespace, uid, resourceVersion, creationTimestamp, generation },
    ...{ deletionTimestamp, deletionGracePeriodSeconds, selfLink: undefined },
  })
}

function countGeneration(resource: Resource, next: JsonMap, live: KubeObject): JsonMap {
  if (!resource.hasGeneration) return next
  const counted = Object.keys({ ...next, ...live }).filter(
    (key) => key !== 'metadata' && !(key === 'status' && resource.hasStatus),
  )
  if (counted.every((key) => equal(next[key], live[key]))) return next
  return withMeta(next, { generation: (live.metadata.generation ?? 0) + 1 })
}

function refuseInvalid(resource: Resource, object: JsonMap, live: JsonMap | undefined): void {
  const errors: FieldError[] = [...validateMeta(object, resource.rules.name)]
  if (live !== undefined && textAt(live, 'metadata', 'deletionTimestamp') !== '') {
    const before = finalizersOf(live)
    const added = finalizersOf(object).filter((item) => !before.includes(item))
    if (added.length > 0) {
      const rule = `no new finalizers can be added if the object is being deleted, found new finalizers ${JSON.stringify(added)}`
      errors.push(forbidden('metadata.finalizers', rule))
    }
  }
  if (resource.isCustom) errors.push(...validate(object, resource.schema))
  errors.push(...resource.rules.validate(object, live))
  if (errors.length > 0) throw invalid(resource, textAt(object, 'metadata', 'name'), errors)
}

/** kind, apiVersion and metadata first: the order in which people read. */
function arrange(object: JsonMap): JsonMap {
  const { kind = '', apiVersion = '', metadata = {}, ...rest } = object
  return { kind, apiVersion, metadata, ...rest }
}

/** Equal but for the times in managedFields, which alone are no change. */
function isSame(next: JsonMap, live: KubeObject): boolean {
  const meta = mapAt(next, 'metadata')
  if (!equal({ ...next, metadata: {} }, { ...live, metadata: {} })) return false
  const { managedFields: _next, ...nextRest } = meta
  const { managedFields: _live, ...liveRest } = live.metadata
  return equal(nextRest, liveRest) && equal(timeless(meta), timeless(live.metadata))
}

function timeless(meta: JsonMap): Json {
  const entries = listAt(meta, 'managedFields').map((entry) =>
    isMap(entry) ? withKey(entry, 'time', undefined) : entry,
  )
  // Their order follows the times.
  return entries.map((entry) => JSON.stringify(entry)).sort()
}
