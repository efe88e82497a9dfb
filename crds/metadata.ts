// Metadata of what we publish: what is carried over from the ClusterEndpoint, what marks it as ours,
// and whether a live object still says so. Pure.

import * as v from 'valibot'
import { API_VERSION, type ClusterEndpoint, KIND } from './clusterendpoint.ts'
import { ownedKeys } from './ownership.ts'
import { stringMap } from './string-map.ts'

/** Field manager of all that we apply. */
export const FIELD_MANAGER = 'endpoints-operator'

/** The label by which we find what we published. */
export const MANAGED_LABEL = 'sealos.io/managed-by'
export const MANAGED_VALUE = 'endpoints-operator'

/**
 * Marks by which tools know their own objects. Carried over, they would make Helm, Argo CD, Flux,
 * Rancher or kubectl take the Service for theirs and prune or revert it.
 */
const TOOL_MARKS = [
  'kubectl.kubernetes.io/',
  'meta.helm.sh/',
  'helm.sh/',
  'helm.toolkit.fluxcd.io/',
  'kustomize.toolkit.fluxcd.io/',
  'fluxcd.io/',
  'argocd.argoproj.io/',
  'objectset.rio.cattle.io/',
  'kapp.k14s.io/',
  'app.kubernetes.io/managed-by',
]

export type Metadata = {
  readonly name: string
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly ownerReferences: readonly OwnerReference[]
}

type OwnerReference = {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
  readonly controller: true
  readonly blockOwnerDeletion: false
}

/** Metadata of the Service and the Endpoints of `cep`. */
export function desiredMetadata({ metadata }: ClusterEndpoint): Metadata {
  const { name, namespace, uid, labels, annotations } = metadata
  const owner = { apiVersion: API_VERSION, kind: KIND, name, uid } as const
  return {
    name,
    namespace,
    labels: { ...withoutToolMarks(labels), [MANAGED_LABEL]: MANAGED_VALUE },
    annotations: withoutToolMarks(annotations),
    // Blocking the owner's deletion would need a right to its finalizers, for nothing.
    ownerReferences: [{ ...owner, controller: true, blockOwnerDeletion: false }],
  }
}

/** Labels or annotations less the marks of tools. */
export function withoutToolMarks(
  entries: Readonly<Record<string, string>>,
): Record<string, string> {
  const isCarried = (key: string) => !TOOL_MARKS.some((mark) => key.startsWith(mark))
  return Object.fromEntries(Object.entries(entries).filter(([key]) => isCarried(key)))
}

/** The part of a live object's metadata that we look at. */
export const liveMetadataSchema = v.pipe(
  v.object({
    name: v.string(),
    namespace: v.string(),
    uid: v.string(),
    resourceVersion: v.string(),
    labels: v.nullish(stringMap, {}),
    annotations: v.nullish(stringMap, {}),
    deletionTimestamp: v.optional(v.string()),
    ownerReferences: v.nullish(
      v.array(
        v.object({
          apiVersion: v.string(),
          kind: v.string(),
          name: v.string(),
          uid: v.string(),
          controller: v.nullish(v.boolean(), false),
        }),
      ),
      [],
    ),
    managedFields: v.nullish(v.array(v.unknown()), []),
  }),
  v.transform(({ managedFields, ...rest }) => ({
    ...rest,
    /** Keys of labels and annotations that stand there because we applied them. */
    ownedLabels: ownedKeys(managedFields, FIELD_MANAGER, ['f:metadata', 'f:labels']),
    ownedAnnotations: ownedKeys(managedFields, FIELD_MANAGER, ['f:metadata', 'f:annotations']),
  })),
)

export type LiveMetadata = v.InferOutput<typeof liveMetadataSchema>

/** What of `desired` is not so in `live`, by field; empty when nothing is to be done. */
export function metadataDrift(desired: Metadata, live: LiveMetadata): string[] {
  const drift: string[] = []
  if (mapDrifts(desired.labels, live.labels, live.ownedLabels)) drift.push('labels')
  if (mapDrifts(desired.annotations, live.annotations, live.ownedAnnotations)) {
    drift.push('annotations')
  }
  const uid = desired.ownerReferences[0]?.uid
  if (controllerOf(live)?.uid !== uid) drift.push('ownerReferences')
  return drift
}

/** The one owner that controls `live`, if any. */
export function controllerOf(
  live: LiveMetadata,
): LiveMetadata['ownerReferences'][number] | undefined {
  return live.ownerReferences.find((owner) => owner.controller)
}

/** Whether a wished entry is missing or wrong, or one that we applied is not wished any more. */
function mapDrifts(
  desired: Readonly<Record<string, string>>,
  live: Readonly<Record<string, string>>,
  owned: readonly string[],
): boolean {
  const isWrong = Object.entries(desired).some(([key, value]) => live[key] !== value)
  return isWrong || owned.some((key) => Object.hasOwn(live, key) && !Object.hasOwn(desired, key))
}
