// From a spec to what is probed and published: Service ports, targets, refused hosts. Pure.

import type { HttpHeader, Probe, Target } from '../probes/target.ts'
import { type HostPolicy, isAddress, parseHost, parseName, shownHost } from './hosts.ts'
import type { PortEntry, Spec } from './schema.ts'

/** One port of the Service. Entries of the spec with the same name, protocol and port are one. */
export type ServicePort = Pick<PortEntry, 'name' | 'protocol' | 'port' | 'targetPort'>

/** What a Service port is called: its name, or its number when it has none. */
export function portLabel({ name, port }: ServicePort): string {
  return name === '' ? String(port) : name
}

/** A target, and the Service port that it serves. */
export type HostTarget = Target & { readonly servicePort: ServicePort }

/** A host that is a name: each of its addresses is to be a target like `template`. */
export type NamedHost = {
  readonly name: string
  /** Where it stands in the resource, for messages. */
  readonly path: string
  readonly template: Omit<HostTarget, 'key' | 'host'>
}

/** A host that cannot be published, for status: `message` says path, rule and value. */
export type RefusedHost = {
  readonly servicePort: ServicePort
  readonly targetPort: number
  /** As it stands in the spec, cut to what fits a status row. */
  readonly host: string
  readonly message: string
}

/** A name of a Service port that leads to no address, and why. */
export type UnresolvedName = {
  readonly name: string
  readonly servicePort: ServicePort
  readonly targetPort: number
  readonly reason: string
}

export type Plan = {
  readonly ports: readonly ServicePort[]
  readonly targets: readonly HostTarget[]
  readonly names: readonly NamedHost[]
  readonly refused: readonly RefusedHost[]
}

/**
 * What `spec` asks for, its names still to be resolved (crds/expansion.ts). One bad host costs no other; the same host named twice under one Service
 * port and targetPort is one target, and is told if the two ask for different probes.
 */
export function planOf(spec: Spec, policy: HostPolicy): Plan {
  const ports = new Map<string, ServicePort>()
  const targets = new Map<string, HostTarget>()
  const names = new Map<string, NamedHost>()
  const refused: RefusedHost[] = []

  for (const entry of spec.ports) {
    const { name, protocol, port, targetPort } = entry
    const portKey = `${name}/${protocol}/${port}`
    const servicePort = ports.get(portKey) ?? { name, protocol, port, targetPort }
    ports.set(portKey, servicePort)

    const template = templateOf(spec, entry, servicePort)
    for (const [index, value] of entry.hosts.entries()) {
      const path = `${entry.hostsPath}[${index}]`
      const refuse = (message: string) => {
        const told = `${path}: ${message}`
        refused.push({ servicePort, targetPort, host: shownHost(value), message: told })
      }
      const isName = !isAddress(value)
      const judged = isName ? parseName(value) : parseHost(value, policy)
      if (!judged.ok) {
        refuse(judged.message)
        continue
      }
      const { host } = judged
      const key = targetKey(template, host)
      const earlier = isName ? names.get(key)?.template : targets.get(key)
      if (earlier) {
        if (!isSameProbe(earlier.probe, entry.probe))
          refuse(`Cannot probe host "${host}" in two ways; the first counts`)
      } else if (isName) names.set(key, { name: host, path, template })
      else targets.set(key, { ...template, key, host })
    }
  }
  return {
    ports: [...ports.values()],
    targets: [...targets.values()],
    names: [...names.values()],
    refused,
  }
}

/** The identity of `host` as a target of its Service port and targetPort. */
export function targetKey({ servicePort, port }: NamedHost['template'], host: string): string {
  return `${servicePort.name}/${servicePort.protocol}/${servicePort.port}/${port}/${host}`
}

/** Whether two specs ask for the same, however they write it. */
export function isSameSpec(a: Spec, b: Spec): boolean {
  const meaning = (spec: Spec) => {
    // Only what is accepted everywhere differs by policy, and both are judged by the same.
    const { ports, targets, names, refused } = planOf(spec, { allowLoopback: true })
    return {
      clusterIP: spec.clusterIP,
      ports,
      targets,
      names: names.map(({ name, template }) => ({ name, template })),
      refused: refused.map(({ host }) => host),
    }
  }
  return Bun.deepEquals(meaning(a), meaning(b))
}

/** Whether two targets are asked the same question in the same rhythm. */
export function isSameQuestion(a: Target, b: Target): boolean {
  return (
    a.timeoutMs === b.timeoutMs &&
    a.periodMs === b.periodMs &&
    a.fastPeriodMs === b.fastPeriodMs &&
    a.successThreshold === b.successThreshold &&
    a.failureThreshold === b.failureThreshold &&
    a.name === b.name &&
    isSameProbe(a.probe, b.probe)
  )
}

function templateOf(spec: Spec, entry: PortEntry, servicePort: ServicePort): NamedHost['template'] {
  return {
    servicePort,
    port: entry.targetPort,
    probe: entry.probe,
    timeoutMs: entry.timeoutMs,
    periodMs: spec.periodMs,
    fastPeriodMs: spec.fastPeriodMs,
    successThreshold: entry.successThreshold,
    failureThreshold: entry.failureThreshold,
  }
}

/** By what is sent, not by how the spec wrote it: `data: A` is `data: [65]`. No texts are made: data can be 64 KB. */
function isSameProbe(a: Probe | undefined, b: Probe | undefined): boolean {
  if (a === b) return true
  if (a === undefined || b === undefined) return false
  switch (a.kind) {
    case 'tcp':
      return b.kind === 'tcp'
    case 'http':
      return b.kind === 'http' && a.scheme === b.scheme && a.path === b.path && isSameHeaders(a, b)
    case 'udp':
      return b.kind === 'udp' && Buffer.compare(a.data, b.data) === 0
    case 'grpc':
      return b.kind === 'grpc' && a.service === b.service
  }
}

type WithHeaders = { readonly headers: readonly HttpHeader[] }

function isSameHeaders({ headers: a }: WithHeaders, { headers: b }: WithHeaders): boolean {
  return (
    a.length === b.length &&
    a.every(({ name, value }, index) => name === b[index]?.name && value === b[index]?.value)
  )
}
