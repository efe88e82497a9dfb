// OpenAPI schemas of the built-in kinds, cut down to the fields that this server knows. One source for
// pruning, field types, server-side apply and what /openapi publishes. No rules beyond types here.

import { type JsonMap, mapAt } from './json.ts'

const string: JsonMap = { type: 'string' }
const text: JsonMap = { type: 'string', 'x-keep-empty': true }
const integer: JsonMap = { type: 'integer', format: 'int32' }
const bool: JsonMap = { type: 'boolean' }
const time: JsonMap = { type: 'string', format: 'date-time' }
/** metav1.MicroTime, which Go parses with exactly six digits. */
const microTime: JsonMap = { type: 'string', format: 'date-time', 'x-micro-time': true }
const strings: JsonMap = { type: 'object', additionalProperties: text }
const anything: JsonMap = { 'x-kubernetes-preserve-unknown-fields': true }

function object(properties: JsonMap, required: readonly string[] = []): JsonMap {
  return required.length === 0
    ? { type: 'object', properties }
    : { type: 'object', properties, required }
}

function list(items: JsonMap, type = 'atomic', keys: readonly string[] = []): JsonMap {
  const base = { type: 'array', items, 'x-kubernetes-list-type': type }
  return keys.length === 0 ? base : { ...base, 'x-kubernetes-list-map-keys': keys }
}

function atomic(schema: JsonMap): JsonMap {
  return { ...schema, 'x-kubernetes-map-type': 'atomic' }
}

function kept(schema: JsonMap): JsonMap {
  return { ...schema, 'x-keep-empty': true }
}

/** metadata of every object. */
export const objectMetaSchema: JsonMap = object({
  name: string,
  generateName: string,
  namespace: string,
  selfLink: string,
  uid: string,
  resourceVersion: string,
  generation: { type: 'integer', format: 'int64' },
  creationTimestamp: time,
  deletionTimestamp: time,
  deletionGracePeriodSeconds: { type: 'integer', format: 'int64' },
  labels: strings,
  annotations: strings,
  ownerReferences: list(
    atomic(
      object(
        {
          apiVersion: string,
          kind: string,
          name: string,
          uid: string,
          controller: bool,
          blockOwnerDeletion: bool,
        },
        ['apiVersion', 'kind', 'name', 'uid'],
      ),
    ),
    'map',
    ['uid'],
  ),
  finalizers: list(string, 'set'),
  managedFields: list(
    object({
      manager: string,
      operation: string,
      apiVersion: string,
      time,
      fieldsType: string,
      fieldsV1: kept({ type: 'object', ...anything }),
      subresource: string,
    }),
  ),
})

const objectReference: JsonMap = atomic(
  object({
    kind: string,
    namespace: string,
    name: string,
    uid: string,
    apiVersion: string,
    resourceVersion: string,
    fieldPath: string,
  }),
)

const condition: JsonMap = object({
  type: string,
  status: string,
  observedGeneration: { type: 'integer', format: 'int64' },
  lastTransitionTime: time,
  reason: text,
  message: text,
})

const service = object({
  spec: object({
    ports: list(
      object({
        name: string,
        protocol: string,
        appProtocol: string,
        port: integer,
        targetPort: { 'x-kubernetes-int-or-string': true },
        nodePort: integer,
      }),
      'map',
      ['port', 'protocol'],
    ),
    selector: atomic(strings),
    clusterIP: string,
    clusterIPs: list(string),
    type: string,
    externalIPs: list(string),
    sessionAffinity: string,
    loadBalancerIP: string,
    loadBalancerSourceRanges: list(string),
    externalName: string,
    externalTrafficPolicy: string,
    healthCheckNodePort: integer,
    publishNotReadyAddresses: bool,
    sessionAffinityConfig: object({ clientIP: object({ timeoutSeconds: integer }) }),
    ipFamilies: list(string),
    ipFamilyPolicy: string,
    allocateLoadBalancerNodePorts: bool,
    loadBalancerClass: string,
    internalTrafficPolicy: string,
    trafficDistribution: string,
  }),
  status: object({
    loadBalancer: kept(
      object({
        ingress: list(
          object({
            ip: string,
            hostname: string,
            ipMode: string,
            ports: list(object({ port: integer, protocol: string, error: string })),
          }),
        ),
      }),
    ),
    conditions: list(condition, 'map', ['type']),
  }),
})

const endpointAddress = atomic(
  object({ ip: text, hostname: string, nodeName: string, targetRef: objectReference }),
)

const endpoints = object({
  subsets: list(
    object({
      addresses: list(endpointAddress),
      notReadyAddresses: list(endpointAddress),
      ports: list(
        atomic(object({ name: string, port: integer, protocol: string, appProtocol: string })),
      ),
    }),
  ),
})

const endpointSlice = object({
  addressType: text,
  endpoints: kept(
    list(
      object({
        addresses: kept(list(string, 'set')),
        conditions: kept(object({ ready: bool, serving: bool, terminating: bool })),
        hostname: string,
        targetRef: objectReference,
        deprecatedTopology: strings,
        nodeName: string,
        zone: string,
        hints: object({
          forZones: list(object({ name: string })),
          forNodes: list(object({ name: string })),
        }),
      }),
    ),
  ),
  ports: kept(
    list(
      atomic(
        object({
          name: kept({ ...string, default: '' }),
          protocol: { ...string, default: 'TCP' },
          port: integer,
          appProtocol: string,
        }),
      ),
    ),
  ),
})

const lease = object({
  spec: object({
    holderIdentity: text,
    leaseDurationSeconds: integer,
    acquireTime: microTime,
    renewTime: microTime,
    leaseTransitions: integer,
    strategy: string,
    preferredHolder: string,
  }),
})

const event = object({
  involvedObject: kept(objectReference),
  reason: string,
  message: string,
  source: kept(object({ component: string, host: string })),
  firstTimestamp: time,
  lastTimestamp: time,
  count: integer,
  type: string,
  eventTime: microTime,
  series: object({ count: integer, lastObservedTime: microTime }),
  action: string,
  related: objectReference,
  reportingComponent: text,
  reportingInstance: text,
})

const namespace = object({
  spec: object({ finalizers: list(string) }),
  status: object({ phase: string, conditions: list(condition, 'map', ['type']) }),
})

const names = object({
  plural: text,
  singular: string,
  shortNames: list(string),
  kind: text,
  listKind: string,
  categories: list(string),
})

const customResourceDefinition = object({
  spec: object({
    group: text,
    names: kept(names),
    scope: text,
    conversion: object({ strategy: text, webhook: { type: 'object', ...anything } }),
    preserveUnknownFields: bool,
    versions: list(
      object({
        name: text,
        served: bool,
        storage: bool,
        deprecated: bool,
        deprecationWarning: string,
        schema: object({ openAPIV3Schema: { type: 'object', ...anything } }),
        subresources: object({
          status: kept({ type: 'object', ...anything }),
          scale: object({
            specReplicasPath: text,
            statusReplicasPath: text,
            labelSelectorPath: text,
          }),
        }),
        additionalPrinterColumns: list(
          object({
            name: text,
            type: text,
            format: string,
            description: string,
            priority: integer,
            jsonPath: text,
          }),
        ),
        selectableFields: list(object({ jsonPath: text })),
      }),
    ),
  }),
  status: object({
    conditions: list(condition, 'map', ['type']),
    acceptedNames: kept(names),
    storedVersions: list(string),
    observedGeneration: { type: 'integer', format: 'int64' },
  }),
})

/** Schema of the built-in kinds by kind name, without apiVersion, kind and metadata. */
export const builtInSchemas = {
  Service: service,
  Endpoints: endpoints,
  EndpointSlice: endpointSlice,
  Lease: lease,
  Event: event,
  Namespace: namespace,
  CustomResourceDefinition: customResourceDefinition,
} satisfies Record<string, JsonMap>

/** A kind's schema completed with apiVersion, kind and metadata. */
export function withObjectFields(schema: JsonMap): JsonMap {
  const own = mapAt(schema, 'properties')
  const properties = { ...own, apiVersion: string, kind: string, metadata: objectMetaSchema }
  return { ...schema, type: 'object', properties }
}
