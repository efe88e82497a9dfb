// DELETE: preconditions, finalizers, and what becomes of the dependents.

import { type Cluster, timestamp } from './cluster.ts'
import { compact, type Json, type JsonMap, mapAt, textAt } from './json.ts'
import { finalizersOf, withMeta } from './object.ts'
import type { Resource } from './resource.ts'
import { conflict, notFound } from './status.ts'

/** A DELETE as the request asks for it. */
export interface RemoveRequest {
  readonly resource: Resource
  readonly namespace: string
  readonly name: string
  readonly isDryRun: boolean
  /** DeleteOptions of the body, if there was one. */
  readonly options: Json
  /** Called before an object is gone whose dependents are to stay. */
  readonly orphan: (uid: string) => void
}

/** Deletes, or marks as being deleted while finalizers are left. The answer is the object or a Status. */
export function removeObject(cluster: Cluster, request: RemoveRequest): JsonMap {
  const { resource, namespace, name, options } = request
  const live = cluster.store.get(resource.collection, namespace, name)?.object
  if (live === undefined) throw notFound(resource, name)
  const { uid, resourceVersion } = live.metadata
  const wanted = mapAt(options, 'preconditions')
  for (const [key, actual, label, fate] of [
    ['uid', uid, 'UID', 'deleted and then recreated'],
    ['resourceVersion', resourceVersion, 'ResourceVersion', 'modified'],
  ] as const) {
    const given = textAt(wanted, key)
    if (given === '' || given === actual) continue
    const why = `the ${label} in the precondition (${given}) does not match the ${label} in record (${actual}). The object might have been ${fate}`
    throw conflict({ ...resource, plural: resource.kind }, name, why)
  }
  if (request.isDryRun) return success(resource, name, uid)
  const orphans = textAt(options, 'propagationPolicy') === 'Orphan'
  if (orphans || mapAt(options).orphanDependents === true) request.orphan(uid)
  if (finalizersOf(live).length > 0) {
    if (live.metadata.deletionTimestamp !== undefined) return live
    const { generation } = live.metadata
    const marked = withMeta(live, {
      deletionTimestamp: timestamp(cluster.nowMs()),
      deletionGracePeriodSeconds: 0,
      generation: generation === undefined ? undefined : generation + 1,
    })
    return cluster.store.put(resource.collection, marked).object
  }
  const removed = cluster.store.remove(resource.collection, live)
  return resource.deleteReturnsObject && removed !== undefined
    ? removed.object
    : success(resource, name, uid)
}

function success(resource: Resource, name: string, uid: string): JsonMap {
  const group = resource.group === '' ? undefined : resource.group
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: compact({ name, group, kind: resource.plural, uid }),
  }
}
