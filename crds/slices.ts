// The EndpointSlices of a ClusterEndpoint: every host, healthy or not, in slices that change as little
// as can be. Pure.

import * as v from 'valibot'
import type { ClusterEndpoint } from './clusterendpoint.ts'
import { type Family, familyOf } from './families.ts'
import { canonicalAddress } from './hosts.ts'
import { desiredMetadata, liveMetadataSchema, type Metadata, metadataDrift } from './metadata.ts'
import { type HostTarget, portLabel, type ServicePort } from './targets.ts'

/** The label by which the Service of a slice is found, and the one that says who keeps the slice. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name'
export const SLICE_MANAGER_LABEL = 'endpointslice.kubernetes.io/managed-by'
export const SLICE_MANAGER = 'endpoints-operator.sealos.io'

/** Endpoints of one slice. Source: the API server refuses more than 1,000. */
export const SLICE_ENDPOINTS_MAX = 1_000

/** `v1beta1` is all that Kubernetes 1.20 has; 1.25 has it no more. */
export type SliceApiVersion = 'discovery.k8s.io/v1' | 'discovery.k8s.io/v1beta1'

/** A slice as we apply it. */
export type DesiredSlice = {
  readonly apiVersion: SliceApiVersion
  readonly kind: 'EndpointSlice'
  readonly metadata: Metadata
  readonly addressType: Family
  readonly ports: readonly SlicePort[]
  readonly endpoints: readonly SliceEndpoint[]
}

type SlicePort = { readonly name: string; readonly protocol: string; readonly port: number }

type SliceEndpoint = {
  readonly addresses: readonly [string]
  readonly conditions: { readonly ready: boolean; readonly serving?: boolean }
}

/** A target, and whether it is to be sent to. */
export type JudgedTarget = { readonly target: HostTarget; readonly isHealthy: boolean }

/** All hosts that share slices: one Service port, one port on the hosts, one family. */
type Group = {
  readonly servicePort: ServicePort
  readonly prefix: string
  readonly family: Family
  readonly port: SlicePort
  readonly isHealthyBy: Map<string, boolean>
}

/**
 * The slices of `cep`, given those that stand: an endpoint stays in the slice in which it is, a new
 * one fills the first hole, and a slice is opened when all are full. Blind to the order of `hosts`.
 */
export function desiredSlices(
  cep: ClusterEndpoint,
  apiVersion: SliceApiVersion,
  hosts: readonly JudgedTarget[],
  standing: readonly LiveSlice[],
): DesiredSlice[] {
  const standingBy = Map.groupBy(standing, ({ metadata: { name } }) => prefixOf(name))
  return groupsOf(cep, hosts).flatMap(({ prefix, family, port, isHealthyBy }) => {
    const shares = shared([...isHealthyBy.keys()].sort(), standingBy.get(prefix) ?? [])
    return shares.map(([index, addresses]) => ({
      apiVersion,
      kind: 'EndpointSlice' as const,
      metadata: sliceMetadata(cep, `${prefix}${index}`),
      addressType: family,
      ports: [port],
      endpoints: addresses.map((address) =>
        sliceEndpoint(apiVersion, address, isHealthyBy.get(address) ?? false),
      ),
    }))
  })
}

/** The ClusterEndpoint that a slice of this name belongs to, if it is ours. Its own name holds no dot. */
export function ownerOfSlice(name: string): string {
  return name.slice(0, Math.max(name.indexOf('.'), 0))
}

function groupsOf({ metadata }: ClusterEndpoint, hosts: readonly JudgedTarget[]): Group[] {
  const groups = new Map<string, Group>()

  function groupOf({ host, port, servicePort }: HostTarget): Group {
    const family = familyOf(host)
    // The dot parts `a` with a port `b-c` from `a-b` with a port `c`; 150 characters at most.
    const prefix = `${metadata.name}.${portLabel(servicePort)}-${port}-${family.toLowerCase()}-`
    const known = groups.get(prefix)
    if (known) return known
    const { name, protocol } = servicePort
    const isHealthyBy = new Map<string, boolean>()
    const group = { servicePort, prefix, family, port: { name, protocol, port }, isHealthyBy }
    groups.set(prefix, group)
    return group
  }

  let group: Group | undefined
  for (const { target, isHealthy } of hosts) {
    // Hosts of one group come one after another: what it is called is put together once.
    if (!group || !isOf(group, target)) group = groupOf(target)
    group.isHealthyBy.set(target.host, isHealthy)
  }
  return [...groups.values()].sort((a, b) => (a.prefix < b.prefix ? -1 : 1))
}

function isOf({ servicePort, port, family }: Group, target: HostTarget): boolean {
  return (
    servicePort === target.servicePort &&
    port.port === target.port &&
    family === familyOf(target.host)
  )
}

function prefixOf(name: string): string {
  return name.slice(0, name.lastIndexOf('-') + 1)
}

/** `addresses`, which are sorted, as what each slice of a group holds, by the slice's number. */
function shared(
  addresses: readonly string[],
  standing: readonly LiveSlice[],
): [index: number, addresses: readonly string[]][] {
  if (standing.length === 0 && addresses.length <= SLICE_ENDPOINTS_MAX) return [[0, addresses]]
  const homeless = new Set(addresses)
  const shares = new Map<number, string[]>()
  const byIndex = standing
    .map((slice) => [indexOf(slice), slice] as const)
    .filter(([index]) => index !== undefined)
    .sort(([a = 0], [b = 0]) => a - b)
  for (const [index = 0, slice] of byIndex) {
    // Deleted from as it is kept: an address that stands twice stays where it is first.
    const kept = slice.addresses.filter((address) => homeless.delete(address))
    if (kept.length > 0) shares.set(index, kept)
  }
  const waiting = [...homeless]
  for (const share of shares.values()) {
    share.push(...waiting.splice(0, Math.max(SLICE_ENDPOINTS_MAX - share.length, 0)))
  }
  for (let index = 0; waiting.length > 0; index++) {
    if (!shares.has(index)) shares.set(index, waiting.splice(0, SLICE_ENDPOINTS_MAX))
  }
  return [...shares].sort(([a], [b]) => a - b).map(([index, share]) => [index, share.sort()])
}

/** The number at the end of a slice's name; undefined if we never gave it that name. */
function indexOf({ metadata: { name } }: LiveSlice): number | undefined {
  const text = name.slice(name.lastIndexOf('-') + 1)
  return /^(0|[1-9]\d{0,3})$/.test(text) ? Number(text) : undefined
}

function sliceMetadata(cep: ClusterEndpoint, name: string): Metadata {
  const metadata = desiredMetadata(cep)
  const labels = {
    ...metadata.labels,
    [SERVICE_NAME_LABEL]: cep.metadata.name,
    [SLICE_MANAGER_LABEL]: SLICE_MANAGER,
  }
  return { ...metadata, name, labels }
}

function sliceEndpoint(apiVersion: SliceApiVersion, ip: string, ready: boolean): SliceEndpoint {
  // Where v1beta1 is all there is, `serving` is not yet known, or known and dropped.
  const isServingKnown = apiVersion === 'discovery.k8s.io/v1'
  return { addresses: [ip], conditions: isServingKnown ? { ready, serving: ready } : { ready } }
}

const liveSliceSchema = v.pipe(
  v.object({
    metadata: liveMetadataSchema,
    addressType: v.optional(v.string(), ''),
    ports: v.nullish(
      v.array(
        v.object({
          name: v.nullish(v.string(), ''),
          protocol: v.nullish(v.string(), 'TCP'),
          port: v.nullish(v.number(), 0),
        }),
      ),
      [],
    ),
    endpoints: v.nullish(
      v.array(
        v.looseObject({
          addresses: v.nullish(v.array(v.pipe(v.string(), v.transform(canonicalAddress))), []),
          conditions: v.nullish(
            v.object({ ready: v.nullish(v.boolean()), serving: v.nullish(v.boolean()) }),
            {},
          ),
        }),
      ),
      [],
    ),
  }),
  v.transform(({ metadata, addressType, ports, endpoints }) => ({
    metadata,
    addressType,
    ports,
    /** Every address in it, sorted. */
    addresses: endpoints.flatMap(({ addresses }) => addresses).sort(),
    /** Those that are not sent to. Source: the API says that an unknown `ready` counts as true. */
    out: new Set(
      endpoints.flatMap(({ addresses, conditions: { ready } }) =>
        (ready ?? true) ? [] : addresses,
      ),
    ),
    /** Whether every endpoint has the form that ours have: one address, and nothing else said of it. */
    isPlain: endpoints.every(
      ({ addresses, conditions: { ready, serving }, ...more }) =>
        addresses.length === 1 &&
        typeof ready === 'boolean' &&
        (serving ?? ready) === ready &&
        Object.keys(more).length === 0,
    ),
  })),
)

/** The part of a live EndpointSlice that we look at. */
export type LiveSlice = v.InferOutput<typeof liveSliceSchema>

/** Reads an EndpointSlice of either version as the API server sends it. Throws v.ValiError if it is none. */
export function readSlice(value: unknown): LiveSlice {
  return v.parse(liveSliceSchema, value)
}

/** What of `desired` is not so in `live`, by field; empty when nothing is to be done. */
export function sliceDrift(desired: DesiredSlice, live: LiveSlice): string[] {
  const drift = metadataDrift(desired.metadata, live.metadata)
  if (desired.addressType !== live.addressType) drift.push('addressType')
  if (portsText(desired.ports) !== portsText(live.ports)) drift.push('ports')
  if (!isSameHealth(desired.endpoints, live)) drift.push('endpoints')
  return drift
}

function isSameHealth(endpoints: readonly SliceEndpoint[], live: LiveSlice): boolean {
  return (
    live.isPlain &&
    endpoints.length === live.addresses.length &&
    endpoints.every(({ addresses: [address], conditions: { ready } }, index) => {
      return live.addresses[index] === address && live.out.has(address) !== ready
    })
  )
}

function portsText(ports: readonly SlicePort[]): string {
  return ports.map(({ name, protocol, port }) => `${name}/${protocol}/${port}`).join()
}

/** `ip protocol port` of all that `slices` send to, as Endpoints tell it (LiveEndpoints.published). */
export function publishedBy(slices: Iterable<LiveSlice>): Set<string> {
  const published = new Set<string>()
  for (const { addresses, out, ports } of slices) {
    for (const address of addresses) {
      if (out.has(address)) continue
      for (const { protocol, port } of ports) published.add(`${address} ${protocol} ${port}`)
    }
  }
  return published
}
