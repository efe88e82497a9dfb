// A ClusterEndpoint for a Service and Endpoints that stand, such that the operator takes both over in
// place. Pure.

import { API_VERSION, type ClusterEndpoint, KIND, parseSpec } from './clusterendpoint.ts'
import { type LiveEndpoints, type LiveSubset, readEndpoints, readSubsets } from './endpoints.ts'
import { controllerOf } from './metadata.ts'
import {
  controllerRefusal,
  desiredService,
  type LiveService,
  readService,
  serviceRefusal,
} from './service.ts'
import { planOf } from './targets.ts'

export const PROBE_CHOICES = ['tcp', 'http', 'udp', 'grpc', 'none'] as const
export type ProbeChoice = (typeof PROBE_CHOICES)[number]

export type ImportOptions = { readonly periodSeconds: number; readonly probe: ProbeChoice }

/** A ClusterEndpoint as it is written in a file. */
export type Manifest = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace: string }
  readonly spec: {
    readonly clusterIP?: string
    readonly periodSeconds: number
    readonly ports: readonly PortManifest[]
  }
}

type PortManifest = {
  readonly name?: string
  readonly protocol: string
  readonly port: number
  readonly targetPort: number
  readonly hosts: readonly string[]
  readonly [probe: string]: unknown
}

/** `notes` are complete sentences about what a person should look at. */
export type Imported =
  | { readonly ok: true; readonly manifest: Manifest; readonly notes: readonly string[] }
  | { readonly ok: false; readonly why: string }

type LivePort = LiveService['spec']['ports'][number]

/**
 * The ClusterEndpoint that publishes what `service` and `endpoints` publish, or why the operator would not
 * take them over. Addresses that are not ready are hosts too: the probe says what becomes of them.
 */
export function importService(
  service: unknown,
  endpoints: unknown,
  options: ImportOptions,
): Imported {
  const live = readService(service)
  const subsets = readSubsets(endpoints)
  const notes: string[] = []
  const ports = servicePorts(live, subsets).flatMap((port) =>
    entriesOf(port, subsets, { ...options, note: (text) => notes.push(text) }),
  )
  const { name, namespace } = live.metadata
  const { clusterIP } = live.spec
  const manifest = {
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: { name, namespace },
    spec: {
      ...(clusterIP === '' ? {} : { clusterIP }),
      periodSeconds: options.periodSeconds,
      ports,
    },
  }
  const why = refusalOf(manifest, live, readEndpoints(endpoints))
  if (why !== undefined) return { ok: false, why }
  return { ok: true, manifest, notes: [...notes, ...leftOut(live, subsets)] }
}

/** The ports of the Service; a headless one may have none, then those of its Endpoints. */
function servicePorts({ spec }: LiveService, subsets: readonly LiveSubset[]): readonly LivePort[] {
  if (spec.ports.length > 0) return spec.ports
  const ports = subsets.flatMap((subset) => subset.ports)
  return ports.filter(
    (port, index) => ports.findIndex((other) => isSamePort(other, port)) === index,
  )
}

function isSamePort(a: LivePort, b: LivePort): boolean {
  return a.name === b.name && a.protocol === b.protocol
}

type EntryOptions = ImportOptions & { readonly note: (text: string) => void }

/** One entry for each port number under which the hosts of a Service port are reached. */
function entriesOf(
  servicePort: LivePort,
  subsets: readonly LiveSubset[],
  { probe, note }: EntryOptions,
): PortManifest[] {
  const { name, protocol, port } = servicePort
  const shown = `port ${name || port}`
  const hostsByTarget = new Map<number, Set<string>>()
  const idle = new Set<string>()
  for (const { addresses, notReadyAddresses, ports } of subsets) {
    for (const { port: targetPort } of ports.filter((each) => isSamePort(each, servicePort))) {
      const hosts = hostsByTarget.get(targetPort) ?? new Set<string>()
      hostsByTarget.set(targetPort, hosts)
      for (const { ip } of [...addresses, ...notReadyAddresses]) hosts.add(ip)
      for (const { ip } of notReadyAddresses) idle.add(ip)
    }
  }
  const probes = probeOf(probe, protocol)
  if (probe !== 'none' && !probes) {
    note(`${shown}: no ${probe} probe as it is ${protocol}; its hosts count as healthy`)
  }
  if (probe === 'udp' && probes) {
    note(`${shown}: an empty datagram is sent; set udpSocket.data to what the server answers`)
  }
  if (!probes && idle.size > 0) {
    note(`${shown}: not ready now, will be published: ${[...idle].join(', ')}`)
  }
  if (hostsByTarget.size === 0) {
    note(`${shown}: the Endpoints have no address for it; hosts is empty`)
    const { targetPort } = servicePort
    hostsByTarget.set(typeof targetPort === 'number' ? targetPort : port, new Set())
  }
  return [...hostsByTarget].map(([targetPort, hosts]) => ({
    ...(name === '' ? {} : { name }),
    protocol,
    port,
    targetPort,
    hosts: [...hosts],
    ...probes,
  }))
}

/** The probe as an entry has it; undefined for none, and for one that says nothing about `protocol`. */
function probeOf(
  probe: ProbeChoice,
  protocol: string,
): { readonly [field: string]: unknown } | undefined {
  if (protocol !== (probe === 'udp' ? 'UDP' : 'TCP')) return undefined
  switch (probe) {
    case 'tcp':
      return { tcpSocket: { enable: true } }
    case 'http':
      return { httpGet: { scheme: 'http', path: '/' } }
    case 'udp':
      return { udpSocket: { enable: true } }
    case 'grpc':
      return { grpc: { enable: true } }
    case 'none':
      return undefined
  }
}

/** Why the operator would not take them over for `manifest`, in its own words. */
function refusalOf(
  { metadata: { name, namespace }, spec }: Manifest,
  service: LiveService,
  endpoints: LiveEndpoints,
): string | undefined {
  const owner = controllerOf(service.metadata)
  if (owner?.kind === KIND && owner.apiVersion === API_VERSION) {
    return `Cannot import the Service as ClusterEndpoint "${owner.name}" keeps it already`
  }
  // Source: kube-apiserver itself keeps the Endpoints of this one.
  if (namespace === 'default' && name === 'kubernetes') {
    return 'Cannot import the Service as the API server keeps its Endpoints'
  }
  const none = { labels: {}, annotations: {}, finalizers: [], generation: 0, resourceVersion: '' }
  const cep: ClusterEndpoint = { metadata: { name, namespace, uid: '', ...none }, spec }
  const refusal =
    serviceRefusal(cep, desiredService(cep, spec.clusterIP ?? '', []), service) ??
    controllerRefusal(cep, 'Endpoints', endpoints.metadata)
  if (refusal) return refusal.message
  if (spec.ports.length === 0) return 'Cannot import the Service as it has no ports'
  const parsed = parseSpec(cep)
  if (!parsed.ok) return parsed.issues.join('; ')
  const { refused } = planOf(parsed.spec, { allowLoopback: true })
  return refused.length === 0 ? undefined : refused.map(({ message }) => message).join('; ')
}

/** What the Endpoints have that a ClusterEndpoint does not. */
function leftOut({ spec }: LiveService, subsets: readonly LiveSubset[]): string[] {
  const strays = subsets
    .flatMap(({ ports }) => ports)
    .filter((port) => spec.ports.length > 0 && !spec.ports.some((each) => isSamePort(each, port)))
    .map(({ name, protocol, port }) => `${protocol} ${port}${name === '' ? '' : ` "${name}"`}`)
  const named = subsets
    .flatMap(({ addresses, notReadyAddresses }) => [...addresses, ...notReadyAddresses])
    .flatMap(({ hostname }) => (hostname === '' ? [] : [hostname]))
  const told = (what: string, all: readonly string[]) =>
    all.length === 0 ? [] : [`left out: ${what} ${[...new Set(all)].join(', ')}`]
  return [
    ...told('ports of the Endpoints that the Service does not have:', strays),
    ...told('host names of addresses:', named),
  ]
}
