// The status of a ClusterEndpoint as it stands in the cluster, and what it is made of. Pure.

import * as v from 'valibot'
import type { Health } from '../probes/health.ts'
import type { Family, FamilyPolicy } from './families.ts'
import {
  type HostTarget,
  portLabel,
  type RefusedHost,
  type ServicePort,
  type UnresolvedName,
} from './targets.ts'

/** Rows of `hosts[]` at most; the unhealthy come first. Source: an object must fit etcd's 1.5 MB. */
export const HOST_ROWS_MAX = 100

const time = v.pipe(v.string(), v.isoTimestamp())

const generation = v.pipe(
  v.number(),
  v.integer(),
  v.description('metadata.generation of the spec that was looked at.'),
)

const conditionSchema = v.object({
  type: v.pipe(
    v.string(),
    v.description(
      'Initialized, SyncServiceReady, SyncEndpointReady, Ready; DualStack with hosts of both families, NamesResolved with names among them.',
    ),
  ),
  status: v.pipe(v.picklist(['True', 'False', 'Unknown']), v.description('Whether it holds.')),
  reason: v.pipe(v.optional(v.string(), ''), v.description('One word for programs.')),
  message: v.pipe(v.optional(v.string(), ''), v.description('A sentence for people.')),
  lastTransitionTime: v.pipe(time, v.description('When status last changed.')),
  observedGeneration: v.optional(generation),
})

const hostSchema = v.object({
  port: v.pipe(v.string(), v.description('Name of the Service port, or its number.')),
  host: v.pipe(v.string(), v.description('Its address; a name that has none.')),
  name: v.pipe(v.optional(v.string()), v.description('The DNS name that leads to the address.')),
  targetPort: v.pipe(v.number(), v.integer(), v.description('The port that is probed there.')),
  healthy: v.pipe(v.boolean(), v.description('Whether it is published.')),
  reason: v.pipe(v.optional(v.string()), v.description('Why the host is out.')),
  since: v.pipe(v.optional(time), v.description('Since when it is healthy, or out.')),
})

/** `status` of a ClusterEndpoint; the CRD's OpenAPI is generated from it. */
export const statusSchema = v.object({
  phase: v.pipe(
    v.picklist(['Pending', 'Healthy', 'UnHealthy']),
    v.description('UnHealthy as soon as one host of one port is out, or nothing can be published.'),
  ),
  ready: v.pipe(v.optional(v.string(), ''), v.description('Healthy hosts of all hosts, like 3/4.')),
  clusterIP: v.pipe(v.optional(v.string()), v.description('Cluster IP of the Service.')),
  observedGeneration: v.optional(generation),
  conditions: v.pipe(
    v.optional(v.array(conditionSchema), []),
    v.description('What was done, and whether it worked.'),
  ),
  hosts: v.pipe(
    v.optional(v.array(hostSchema), []),
    v.description(`One row per port and host, those that are out first; at most ${HOST_ROWS_MAX}.`),
  ),
  hostsOmitted: v.optional(
    v.pipe(v.number(), v.integer(), v.description('Hosts for which hosts[] had no room.')),
  ),
})

export type Status = v.InferOutput<typeof statusSchema>
export type Condition = v.InferOutput<typeof conditionSchema>
export type HostRow = v.InferOutput<typeof hostSchema>

/** How the last attempt to bring an object up to date ended; undefined when there was none yet. */
export type SyncState =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: string; readonly message: string }
  | undefined

/** One host as it is known. */
export type ObservedHost = { readonly target: HostTarget; readonly health: Health }

/** What is known of the names among the hosts. */
export type ObservedNames = {
  readonly total: number
  /** Names about which no name server has said anything yet. */
  readonly unasked: readonly string[]
  /** Names whose last addresses are kept because name servers do not tell, and why. */
  readonly troubles: readonly { readonly name: string; readonly reason: string }[]
  readonly unresolved: readonly UnresolvedName[]
  /** Addresses beyond what is published, by name. */
  readonly leftOut: ReadonlyMap<string, number>
}

export type Observed = {
  readonly generation: number
  /** Why the spec cannot be used; empty when it can. */
  readonly issues: readonly string[]
  readonly hosts: readonly ObservedHost[]
  readonly refused: readonly RefusedHost[]
  readonly names: ObservedNames
  readonly ports: readonly ServicePort[]
  readonly clusterIP: string | undefined
  /** Those that the Service has; empty when that is not known. */
  readonly families: readonly Family[]
  /** What the spec says of them. */
  readonly familyPolicy: FamilyPolicy | undefined
  readonly service: SyncState
  /** Of all that carries the addresses. */
  readonly endpoints: SyncState
  /** What that is: Endpoints, EndpointSlices or both. */
  readonly carriers: string
  /** Whether every host has had its first attempt. */
  readonly isFirstRoundIn: boolean
}

/** Reads a status that stands in the cluster, from us or an earlier version; undefined if it is none of ours. */
export function readStatus(value: unknown): Status | undefined {
  const parsed = v.safeParse(statusSchema, value)
  return parsed.success ? parsed.output : undefined
}

/** What is remembered of `target` in a status, for a first health that does not lose its history. */
export function rowOf(status: Status | undefined, target: HostTarget): HostRow | undefined {
  const port = portLabel(target.servicePort)
  return status?.hosts.find(
    (row) =>
      row.port === port &&
      row.host === target.host &&
      row.targetPort === target.port &&
      // A host that is also refused (a second entry asks for another probe) has a row without a time.
      row.since !== undefined,
  )
}
