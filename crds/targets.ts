// From a spec to what is probed and published: Service ports, targets, refused hosts. Pure.

import type { Target } from '../probes/target.ts'
import { type HostPolicy, parseHost } from './hosts.ts'
import type { PortEntry, Spec } from './schema.ts'

/** One port of the Service. Entries of the spec with the same name, protocol and port are one. */
export type ServicePort = Pick<PortEntry, 'name' | 'protocol' | 'port' | 'targetPort'>

/** A target, and the Service port that it serves. */
export type HostTarget = Target & { readonly servicePort: ServicePort }

/** A host that cannot be published, for status: `message` says path, rule and value. */
export type RefusedHost = {
  readonly servicePort: ServicePort
  readonly targetPort: number
  /** As it stands in the spec, cut to what fits a status row. */
  readonly host: string
  readonly message: string
}

export type Plan = {
  readonly ports: readonly ServicePort[]
  readonly targets: readonly HostTarget[]
  readonly refused: readonly RefusedHost[]
}

/**
 * What `spec` asks for. One bad host costs no other; the same host named twice under one Service
 * port and targetPort is one target, and is told if the two ask for different probes.
 */
export function planOf(spec: Spec, policy: HostPolicy): Plan {
  const ports = new Map<string, ServicePort>()
  const targets = new Map<string, HostTarget>()
  const probesByKey = new Map<string, string>()
  const refused: RefusedHost[] = []

  for (const entry of spec.ports) {
    const { name, protocol, port, targetPort } = entry
    const portKey = `${name}/${protocol}/${port}`
    const servicePort = ports.get(portKey) ?? { name, protocol, port, targetPort }
    ports.set(portKey, servicePort)

    for (const [index, value] of entry.hosts.entries()) {
      const refuse = (message: string) => {
        const host = typeof value === 'string' ? value.slice(0, 64) : String(value).slice(0, 64)
        const told = `${entry.hostsPath}[${index}]: ${message}`
        refused.push({ servicePort, targetPort, host, message: told })
      }
      const judged = parseHost(value, policy)
      if (!judged.ok) {
        refuse(judged.message)
        continue
      }
      const key = `${portKey}/${targetPort}/${judged.host}`
      const probe = probeKey(entry)
      const earlier = probesByKey.get(key)
      if (earlier !== undefined) {
        if (earlier !== probe)
          refuse(`Cannot probe host "${judged.host}" in two ways; the first counts`)
        continue
      }
      probesByKey.set(key, probe)
      targets.set(key, targetOf(spec, entry, { key, host: judged.host, servicePort }))
    }
  }
  return { ports: [...ports.values()], targets: [...targets.values()], refused }
}

/** Whether two targets are asked the same question in the same rhythm. */
export function isSameQuestion(a: Target, b: Target): boolean {
  return questionOf(a) === questionOf(b)
}

function targetOf(
  spec: Spec,
  entry: PortEntry,
  named: { readonly key: string; readonly host: string; readonly servicePort: ServicePort },
): HostTarget {
  return {
    ...named,
    port: entry.targetPort,
    probe: entry.probe,
    timeoutMs: entry.timeoutMs,
    periodMs: spec.periodMs,
    fastPeriodMs: spec.fastPeriodMs,
    successThreshold: entry.successThreshold,
    failureThreshold: entry.failureThreshold,
  }
}

function probeKey({ probe }: Pick<Target, 'probe'>): string {
  return JSON.stringify(probe) ?? 'none'
}

function questionOf(target: Target): string {
  const { timeoutMs, periodMs, fastPeriodMs, successThreshold, failureThreshold } = target
  return `${probeKey(target)} ${[timeoutMs, periodMs, fastPeriodMs, successThreshold, failureThreshold]}`
}
