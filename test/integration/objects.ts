// Objects of the API server as the tests look at them: parsed once, and the questions asked of them.

import * as v from 'valibot'
import { hostPort } from '../../crds/hosts.ts'
import { type Status, statusSchema } from '../../crds/status.ts'

const stringMap = v.optional(v.record(v.string(), v.string()), {})

const metadataSchema = v.object({
  name: v.string(),
  namespace: v.optional(v.string(), ''),
  uid: v.string(),
  resourceVersion: v.string(),
  generation: v.optional(v.number(), 0),
  labels: stringMap,
  annotations: stringMap,
  finalizers: v.optional(v.array(v.string()), []),
  deletionTimestamp: v.optional(v.string()),
  ownerReferences: v.optional(
    v.array(v.object({ kind: v.string(), name: v.string(), uid: v.string() })),
    [],
  ),
})

const objectSchema = v.looseObject({ metadata: metadataSchema })

/** Any object: its metadata, and the rest as it came. */
export type KubeObject = v.InferOutput<typeof objectSchema>

/** Reads an object. Throws v.ValiError if it is none. */
export function readObject(value: unknown): KubeObject {
  return v.parse(objectSchema, value)
}

const serviceSpecSchema = v.looseObject({
  type: v.optional(v.string(), ''),
  clusterIP: v.optional(v.string(), ''),
  sessionAffinity: v.optional(v.string(), ''),
  ports: v.optional(
    v.array(
      v.object({
        name: v.optional(v.string(), ''),
        protocol: v.optional(v.string(), ''),
        port: v.number(),
        targetPort: v.optional(v.union([v.number(), v.string()]), ''),
        nodePort: v.optional(v.number()),
      }),
    ),
    [],
  ),
})

export type ServiceSpec = v.InferOutput<typeof serviceSpecSchema>

/** `spec` of a Service. Throws when there is none. */
export function serviceSpec(service: KubeObject | undefined): ServiceSpec {
  return v.parse(serviceSpecSchema, service?.spec)
}

/** The ports of a Service, like `web TCP 80 -> 8080`, sorted; empty when there is no Service. */
export function servicePorts(service: KubeObject | undefined): string[] {
  if (!service) return []
  return serviceSpec(service)
    .ports.map(({ name, protocol, port, targetPort }) =>
      `${name} ${protocol} ${port} -> ${targetPort}`.trim(),
    )
    .sort()
}

const subsetsSchema = v.optional(
  v.array(
    v.object({
      addresses: v.optional(v.array(v.object({ ip: v.string() })), []),
      notReadyAddresses: v.optional(v.array(v.object({ ip: v.string() })), []),
      ports: v.optional(
        v.array(
          v.object({
            name: v.optional(v.string(), ''),
            port: v.number(),
            protocol: v.optional(v.string(), ''),
          }),
        ),
        [],
      ),
    }),
  ),
  [],
)

/** What Endpoints publish, like `web TCP 10.33.40.151:80`, sorted; empty when there are none. */
export function published(endpoints: KubeObject | undefined): string[] {
  return v
    .parse(subsetsSchema, endpoints?.subsets)
    .flatMap(({ addresses, ports }) =>
      addresses.flatMap(({ ip }) =>
        ports.map(({ name, port, protocol }) => `${name} ${protocol} ${ip}:${port}`.trim()),
      ),
    )
    .sort()
}

const sliceSchema = v.object({
  addressType: v.string(),
  ports: v.nullish(
    v.array(v.object({ name: v.string(), protocol: v.string(), port: v.number() })),
    [],
  ),
  endpoints: v.nullish(
    v.array(
      v.object({
        addresses: v.array(v.string()),
        conditions: v.object({ ready: v.boolean(), serving: v.optional(v.boolean()) }),
      }),
    ),
    [],
  ),
})

/** An EndpointSlice, and every endpoint like `web TCP 10.33.40.151:80`, with a `!` before one that is not ready. */
export type Slice = v.InferOutput<typeof sliceSchema> & {
  readonly name: string
  readonly resourceVersion: string
  readonly object: KubeObject
  readonly told: readonly string[]
}

/** Reads an EndpointSlice. Throws v.ValiError if it is none. */
export function readSlice(object: KubeObject): Slice {
  const slice = v.parse(sliceSchema, object)
  const { name, resourceVersion } = object.metadata
  const told = slice.endpoints.flatMap(({ addresses, conditions: { ready } }) =>
    addresses.flatMap((ip) =>
      slice.ports.map(
        ({ name, protocol, port }) =>
          `${ready ? '' : '!'}${`${name} ${protocol}`.trim()} ${hostPort(ip, port)}`,
      ),
    ),
  )
  return { ...slice, name, resourceVersion, object, told }
}

/** The status of a ClusterEndpoint; undefined while it has none. Throws on one that is not as the CRD says. */
export function cepStatus(cep: KubeObject | undefined): Status | undefined {
  return cep?.status === undefined ? undefined : v.parse(statusSchema, cep.status)
}

const eventSchema = v.object({
  involvedObject: v.object({ kind: v.string(), name: v.optional(v.string(), '') }),
  type: v.optional(v.string(), ''),
  reason: v.optional(v.string(), ''),
  message: v.optional(v.string(), ''),
  count: v.optional(v.number(), 1),
})

/** An Event, as far as people see it. */
export type EventTold = v.InferOutput<typeof eventSchema>

/** Reads an Event. Throws v.ValiError if it is none. */
export function readEvent(object: KubeObject): EventTold {
  return v.parse(eventSchema, object)
}
