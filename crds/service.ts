// The Service of a ClusterEndpoint: what is applied, what is read of a live one, what may not be touched. Pure.

import * as v from 'valibot'
import { API_VERSION, type ClusterEndpoint, KIND } from './clusterendpoint.ts'
import { FAMILIES, type FamilyWish, familiesDrift, isOtherPrimary } from './families.ts'
import { LEGACY_GROUP } from './legacy.ts'
import {
  controllerOf,
  desiredMetadata,
  FIELD_MANAGER,
  type LiveMetadata,
  liveMetadataSchema,
  type Metadata,
  metadataDrift,
} from './metadata.ts'
import { foreignItems, portItemKey } from './ownership.ts'
import { stringMap } from './string-map.ts'
import type { ServicePort } from './targets.ts'

/** The path of Service ports in FieldsV1. */
export const PORTS_PATH = ['f:spec', 'f:ports'] as const

/** A Service as we apply it: only fields that we mean. The type is not among them: NodePort stays NodePort. */
export type DesiredService = {
  readonly apiVersion: 'v1'
  readonly kind: 'Service'
  readonly metadata: Metadata
  readonly spec: FamilyWish & {
    readonly clusterIP?: string
    readonly ports: readonly ServicePort[]
  }
}

/** The Service that `ports` of `cep` ask for. Ports are sorted, so that equal specs give equal bytes. */
export function desiredService(
  cep: ClusterEndpoint,
  clusterIP: string,
  ports: readonly ServicePort[],
  families: FamilyWish = {},
): DesiredService {
  const sorted = [...ports].sort(byPort)
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: desiredMetadata(cep),
    spec: { ...(clusterIP === '' ? {} : { clusterIP }), ...families, ports: sorted },
  }
}

const livePortSchema = v.object({
  name: v.optional(v.string(), ''),
  protocol: v.optional(v.string(), 'TCP'),
  port: v.number(),
  targetPort: v.optional(v.union([v.number(), v.string()])),
})

const liveServiceSchema = v.object({
  metadata: liveMetadataSchema,
  spec: v.object({
    type: v.optional(v.string(), 'ClusterIP'),
    clusterIP: v.optional(v.string(), ''),
    ipFamilies: v.nullish(v.array(v.picklist(FAMILIES)), []),
    ipFamilyPolicy: v.nullish(v.string(), ''),
    selector: v.nullish(stringMap, {}),
    ports: v.nullish(v.array(livePortSchema), []),
  }),
})

const managedSchema = v.object({
  metadata: v.object({ managedFields: v.nullish(v.array(v.unknown()), []) }),
})

/** The part of a live Service that we look at. */
export type LiveService = v.InferOutput<typeof liveServiceSchema> & {
  /** Ports (FieldsV1 item keys) that somebody else owns, or nobody: our apply alone would not remove them. */
  readonly foreignPorts: readonly string[]
}

/** Reads a Service as the API server sends it. Throws v.ValiError if it is none. */
export function readService(value: unknown): LiveService {
  const live = v.parse(liveServiceSchema, value)
  const { managedFields } = v.parse(managedSchema, value).metadata
  const keys = live.spec.ports.map(({ port, protocol }) => portItemKey(port, protocol))
  return { ...live, foreignPorts: foreignItems(managedFields, FIELD_MANAGER, PORTS_PATH, keys) }
}

/** What of `desired` is not so in `live`, by field; empty when nothing is to be done. */
export function serviceDrift(desired: DesiredService, live: LiveService): string[] {
  const drift = metadataDrift(desired.metadata, live.metadata)
  const text = (ports: readonly v.InferOutput<typeof livePortSchema>[]) =>
    ports
      .map(({ name, protocol, port, targetPort }) => `${protocol} ${port} ${name} ${targetPort}`)
      .sort()
  if (text(desired.spec.ports).join() !== text(live.spec.ports).join()) drift.push('ports')
  return [...drift, ...familiesDrift(desired.spec, live.spec)]
}

/** Ports of `live` that `desired` does not name and that our apply alone would not remove. */
export function leftoverPorts(desired: DesiredService, live: LiveService): string[] {
  const wanted = new Set(
    desired.spec.ports.map(({ port, protocol }) => portItemKey(port, protocol)),
  )
  return live.foreignPorts.filter((key) => !wanted.has(key))
}

/** Reason of a refusal that passes by itself. */
export const PREDECESSOR = 'BelongsToPredecessor'

/** Reasons of refusals that concern one immutable field only. */
const CLUSTER_IP_DIFFERS = 'ClusterIPDiffers'
const IP_FAMILY_DIFFERS = 'IPFamilyDiffers'

/** Whether a refusal concerns one immutable field only: of a Service of our own, all but that goes on. */
export function isPartial({ reason }: Refusal): boolean {
  return reason === CLUSTER_IP_DIFFERS || reason === IP_FAMILY_DIFFERS
}

/** Why we must keep our hands off something live, for a condition. */
export type Refusal = { readonly reason: string; readonly message: string }

/** Why `live` may not be taken over for `cep`; undefined when it may. */
export function serviceRefusal(
  cep: ClusterEndpoint,
  desired: DesiredService,
  live: LiveService,
): Refusal | undefined {
  const { selector, type, clusterIP } = live.spec
  const controlled = controllerRefusal(cep, 'Service', live.metadata)
  if (controlled) return controlled
  if (Object.keys(selector).length > 0) {
    return refusal(
      'ServiceHasSelector',
      'Cannot take over the Service as it has a selector, so its endpoints belong to another controller; rename the ClusterEndpoint, or delete the Service if nobody needs it',
    )
  }
  if (type === 'ExternalName' || type === 'LoadBalancer') {
    return refusal(
      'ServiceTypeNotSupported',
      `Cannot take over the Service as it is of type ${type}; make it ClusterIP or NodePort, or rename the ClusterEndpoint`,
    )
  }
  const asked = desired.spec.clusterIP
  if (asked !== undefined && asked !== clusterIP) {
    return refusal(
      CLUSTER_IP_DIFFERS,
      `Cannot change the clusterIP of the Service from ${clusterIP} to ${asked} as it is immutable; set spec.clusterIP to ${clusterIP}, or delete the Service to have it made anew`,
    )
  }
  if (isOtherPrimary(desired.spec, live.spec)) {
    const [primary = ''] = live.spec.ipFamilies
    return refusal(
      IP_FAMILY_DIFFERS,
      `Cannot change the primary family of the Service from ${primary} to ${desired.spec.ipFamilies?.[0]} as it is immutable; put ${primary} first in spec.ipFamilies, or delete the Service to have it made anew`,
    )
  }
  return undefined
}

/** Why an object that has a controller may not be taken over for `cep`; undefined when it may. */
export function controllerRefusal(
  cep: ClusterEndpoint,
  kind: 'Service' | 'Endpoints' | 'EndpointSlice',
  live: LiveMetadata,
): Refusal | undefined {
  const controller = controllerOf(live)
  if (!controller || controller.uid === cep.metadata.uid) return undefined
  const isNamesake = controller.kind === KIND && controller.name === cep.metadata.name
  if (isNamesake && controller.apiVersion === API_VERSION) {
    return refusal(
      PREDECESSOR,
      `Cannot take over the ${kind} as it belongs to a deleted ClusterEndpoint of the same name; it is made anew once the garbage collector has removed it`,
    )
  }
  if (isNamesake && controller.apiVersion.startsWith(`${LEGACY_GROUP}/`)) {
    return refusal(
      'ControlledByOther',
      `Cannot take over the ${kind} as it belongs to a ${KIND} of ${LEGACY_GROUP}; run endpoints-operator migrate`,
    )
  }
  return refusal(
    'ControlledByOther',
    `Cannot take over the ${kind} as ${controller.kind} "${controller.name}" controls it; remove that owner reference or rename the ClusterEndpoint`,
  )
}

function refusal(reason: string, message: string): Refusal {
  return { reason, message }
}

function byPort(a: ServicePort, b: ServicePort): number {
  return a.port - b.port || (a.protocol < b.protocol ? -1 : 1)
}
