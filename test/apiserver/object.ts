// The shape that every stored object has, and the way from untrusted JSON to it.

import { isMap, type Json, type JsonMap, listAt, mapAt, textAt } from './json.ts'

/** metadata of a stored object: the server has filled what is not optional here. */
export interface ObjectMeta extends JsonMap {
  readonly name: string
  readonly uid: string
  readonly resourceVersion: string
  readonly creationTimestamp: string
  readonly namespace?: string
  readonly deletionTimestamp?: string
  readonly generation?: number
}

/** An object as it is stored and sent. */
export interface KubeObject extends JsonMap {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
}

/** One entry of metadata.ownerReferences. */
export interface OwnerReference {
  readonly kind: string
  readonly name: string
  readonly uid: string
}

/** Whether JSON has everything that a stored object has. */
export function isKubeObject(value: Json): value is KubeObject {
  if (!isMap(value) || typeof value.apiVersion !== 'string') return false
  const meta = mapAt(value, 'metadata')
  return typeof value.kind === 'string' && [meta.name, meta.uid, meta.resourceVersion].every(isText)
}

/** metadata.labels, never undefined. */
export function labelsOf(object: JsonMap): JsonMap {
  return mapAt(object, 'metadata', 'labels')
}

/** metadata.finalizers, never undefined. */
export function finalizersOf(object: JsonMap): readonly Json[] {
  return listAt(object, 'metadata', 'finalizers')
}

/** metadata.ownerReferences, as far as they are well formed. */
export function ownersOf(object: JsonMap): readonly OwnerReference[] {
  return listAt(object, 'metadata', 'ownerReferences').map((owner) => ({
    kind: textAt(owner, 'kind'),
    name: textAt(owner, 'name'),
    uid: textAt(owner, 'uid'),
  }))
}

/** The object with some of its metadata replaced; a member that is undefined is removed. */
export function withMeta(
  object: JsonMap,
  changes: { readonly [key: string]: Json | undefined },
): JsonMap {
  const metadata: Record<string, Json> = {}
  for (const [key, value] of Object.entries({ ...mapAt(object, 'metadata'), ...changes })) {
    if (value !== undefined) metadata[key] = value
  }
  return { ...object, metadata }
}

function isText(value: Json | undefined): boolean {
  return typeof value === 'string' && value !== ''
}
