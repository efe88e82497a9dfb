// The Endpoints of a ClusterEndpoint: healthy hosts in canonical subsets. Pure.

import * as v from 'valibot'
import type { ClusterEndpoint } from './clusterendpoint.ts'
import { canonicalAddress } from './hosts.ts'
import { desiredMetadata, liveMetadataSchema, type Metadata, metadataDrift } from './metadata.ts'
import type { HostTarget } from './targets.ts'

/** With it, kube-controller-manager does not copy Endpoints into slices of its own. */
export const SKIP_MIRROR_LABEL = 'endpointslice.kubernetes.io/skip-mirror'

/** Endpoints as we apply them. `subsets` is always there, even if empty: only so is it ours. */
export type DesiredEndpoints = {
  readonly apiVersion: 'v1'
  readonly kind: 'Endpoints'
  readonly metadata: Metadata
  readonly subsets: readonly Subset[]
}

/** Every address serves every port. */
export type Subset = {
  readonly addresses: readonly { readonly ip: string }[]
  readonly ports: readonly EndpointPort[]
}

type EndpointPort = { readonly name?: string; readonly port: number; readonly protocol: string }

/**
 * The Endpoints of `cep` when exactly `healthy` answer. Blind to their order. `isMirrored`: whether
 * kube-controller-manager is to copy them into EndpointSlices.
 */
export function desiredEndpoints(
  cep: ClusterEndpoint,
  healthy: readonly HostTarget[],
  isMirrored = true,
): DesiredEndpoints {
  const metadata = desiredMetadata(cep)
  const skipMirror = { [SKIP_MIRROR_LABEL]: 'true' }
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: isMirrored
      ? metadata
      : { ...metadata, labels: { ...metadata.labels, ...skipMirror } },
    subsets: subsetsOf(
      healthy.map(({ host, port, servicePort: { name, protocol } }) => ({
        ip: host,
        port: { ...(name === '' ? {} : { name }), port, protocol },
      })),
    ),
  }
}

type Pair = { readonly ip: string; readonly port: EndpointPort }

/** Pairs as subsets: addresses that share the same set of ports share a subset; everything sorted. */
function subsetsOf(pairs: readonly Pair[]): Subset[] {
  const portsByIp = new Map<string, EndpointPort[]>()
  for (const { ip, port } of pairs) {
    const ports = portsByIp.get(ip)
    if (ports) ports.push(port)
    else portsByIp.set(ip, [port])
  }
  const subsets = new Map<string, { readonly ips: string[]; readonly ports: EndpointPort[] }>()
  for (const [ip, all] of portsByIp) {
    for (const ports of partsOf(all)) {
      const key = ports.map(portText).join()
      const subset = subsets.get(key)
      if (subset) subset.ips.push(ip)
      else subsets.set(key, { ips: [ip], ports })
    }
  }
  return [...subsets.keys()].sort().flatMap((key) => {
    const subset = subsets.get(key)
    return subset
      ? [{ addresses: subset.ips.sort().map((ip) => ({ ip })), ports: subset.ports }]
      : []
  })
}

/**
 * `ports` of one address, each once and sorted, parted so that no name occurs twice in a part: two
 * instances on one machine serve one Service port under two targetPorts.
 *
 * Source: an EndpointSlice, into which each subset is mirrored, refuses two ports of one name, and
 * Endpoints refuse a second port in a subset without a name.
 */
function partsOf(ports: EndpointPort[]): EndpointPort[][] {
  // So it is with nearly every address of thousands.
  if (ports.length === 1) return [ports]
  const byText = new Map(ports.map((port) => [portText(port), port]))
  const parts: EndpointPort[][] = []
  const seen = new Map<string, number>()
  for (const port of [...byText.values()].sort(byPort)) {
    const { name = '' } = port
    const index = seen.get(name) ?? 0
    seen.set(name, index + 1)
    const part = parts[index]
    if (part) part.push(port)
    else parts.push([port])
  }
  return parts
}

/** By the text of a port, so that the order is the same wherever the ports came from. */
function byPort(a: EndpointPort, b: EndpointPort): number {
  return portText(a) < portText(b) ? -1 : 1
}

function portText({ name = '', port, protocol }: EndpointPort): string {
  return `${name}/${protocol}/${port}`
}

const addressesSchema = v.nullish(
  v.array(
    v.object({
      ip: v.pipe(v.string(), v.transform(canonicalAddress)),
      hostname: v.optional(v.string(), ''),
    }),
  ),
  [],
)

const subsetsSchema = v.nullish(
  v.array(
    v.object({
      addresses: addressesSchema,
      notReadyAddresses: addressesSchema,
      ports: v.nullish(
        v.array(
          v.object({
            name: v.optional(v.string(), ''),
            port: v.number(),
            protocol: v.optional(v.string(), 'TCP'),
          }),
        ),
        [],
      ),
    }),
  ),
  [],
)

/** A subset of live Endpoints, with what is absent filled in. */
export type LiveSubset = v.InferOutput<typeof subsetsSchema>[number]

/** Reads the subsets of Endpoints as the API server sends them. Throws v.ValiError if they are none. */
export function readSubsets(value: unknown): readonly LiveSubset[] {
  return v.parse(v.object({ subsets: subsetsSchema }), value).subsets
}

const liveEndpointsSchema = v.pipe(
  v.object({ metadata: liveMetadataSchema, subsets: subsetsSchema }),
  v.transform(({ metadata, subsets }) => {
    const ready = subsets.flatMap(({ addresses, ports }) =>
      addresses.flatMap(({ ip }) => ports.map((port) => ({ ip, port }))),
    )
    const notReady = subsets.reduce((sum, each) => sum + each.notReadyAddresses.length, 0)
    return {
      metadata,
      /** `ip protocol port` of every ready address: what is published now, whatever the port is called. */
      published: new Set(ready.map(({ ip, port }) => publishedKey(ip, port))),
      /** The canonical text of the subsets, to compare by. */
      text: subsetsText(subsetsOf(ready), notReady),
    }
  }),
)

/** The part of live Endpoints that we look at. */
export type LiveEndpoints = v.InferOutput<typeof liveEndpointsSchema>

/** Reads Endpoints as the API server sends them. Throws v.ValiError if they are none. */
export function readEndpoints(value: unknown): LiveEndpoints {
  return v.parse(liveEndpointsSchema, value)
}

/** What of `desired` is not so in `live`, by field; empty when nothing is to be done. */
export function endpointsDrift(desired: DesiredEndpoints, live: LiveEndpoints): string[] {
  const drift = metadataDrift(desired.metadata, live.metadata)
  if (subsetsText(desired.subsets, 0) !== live.text) drift.push('subsets')
  return drift
}

/** Every ready address as `ip protocol port`, by whatever kind of object it is published. */
export type PublishedAddresses = { readonly published: ReadonlySet<string> }

/** Whether `live` is copied into EndpointSlices by kube-controller-manager. */
export function isMirrored({ metadata }: LiveEndpoints): boolean {
  return metadata.labels[SKIP_MIRROR_LABEL] !== 'true'
}

/** Whether `target` is among the addresses that `live` publishes. */
export function isPublished(
  { published }: PublishedAddresses,
  { host, port, servicePort }: HostTarget,
): boolean {
  return published.has(publishedKey(host, { port, protocol: servicePort.protocol }))
}

function publishedKey(ip: string, { port, protocol }: EndpointPort): string {
  return `${ip} ${protocol} ${port}`
}

function subsetsText(subsets: readonly Subset[], notReady: number): string {
  const text = subsets.map(
    ({ addresses, ports }) => `${addresses.map(({ ip }) => ip)}=${ports.map(portText)}`,
  )
  return notReady === 0 ? text.join(' ') : `${text.join(' ')} +${notReady} not ready`
}
