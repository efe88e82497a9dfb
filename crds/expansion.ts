// A plan whose names are resolved: what is really probed and published. Pure.

import { isIP } from 'node:net'
import { isPublished } from './endpoints.ts'
import { type Family, familyOf } from './families.ts'
import { canonicalAddress, type HostPolicy, parseHost } from './hosts.ts'
import { HOSTS_MAX } from './schema.ts'
import type { Status } from './status.ts'
import {
  type HostTarget,
  type NamedHost,
  type Plan,
  portLabel,
  type RefusedHost,
  type ServicePort,
  targetKey,
  type UnresolvedName,
} from './targets.ts'

/** Addresses of one name that are published at most: the first in order, so that they stay the same. */
export const ADDRESSES_MAX = 64

/** What is known of a name: its addresses, canonical, or why there is none (empty: not asked yet). */
export type Resolution = { readonly addresses: Iterable<string>; readonly absence: string }

/**
 * `resolution` without addresses of families that the Service has not: a name with an AAAA record is no
 * broken host in a cluster of IPv4. `families` is empty when they are not known, or when it has none.
 */
export function withinFamilies(
  { addresses, absence }: Resolution,
  families: readonly Family[],
): Resolution {
  const all = [...addresses]
  const own = families.length > 0 ? all.filter((each) => families.includes(familyOf(each))) : all
  const isOther = own.length === 0 && all.length > 0
  return { addresses: own, absence: isOther ? `dns no ${families.join()} address` : absence }
}

/** As a Plan, names replaced by what they lead to. */
export type Expansion = {
  readonly ports: readonly ServicePort[]
  readonly targets: readonly HostTarget[]
  readonly refused: readonly RefusedHost[]
  readonly unresolved: readonly UnresolvedName[]
  /** How many addresses there was no room for, by name. */
  readonly leftOut: ReadonlyMap<string, number>
}

/**
 * What `plan` asks for when its names are as `resolve` says. An address that stands in the plan itself,
 * or that an earlier name leads to as well, is one target; addresses that Endpoints refuse are told.
 */
export function expand(
  plan: Plan,
  resolve: (name: string) => Resolution,
  policy: HostPolicy,
): Expansion {
  const targets = new Map(plan.targets.map((target) => [target.key, target]))
  const refused = [...plan.refused]
  const unresolved: UnresolvedName[] = []
  const leftOut = new Map<string, number>()
  for (const named of plan.names) {
    const { name, template } = named
    const { addresses, absence } = resolve(name)
    const { fit, unfit } = judged(named, addresses, policy)
    refused.push(...unfit)
    const room = Math.max(0, Math.min(ADDRESSES_MAX, HOSTS_MAX - targets.size))
    for (const host of fit.slice(0, room)) {
      const key = targetKey(template, host)
      if (!targets.has(key)) targets.set(key, { ...template, key, host, name })
    }
    if (fit.length > room) leftOut.set(name, fit.length - room)
    if (fit.length + unfit.length === 0 && absence !== '') {
      const { servicePort, port: targetPort } = template
      unresolved.push({ name, servicePort, targetPort, reason: absence })
    }
  }
  return { ports: plan.ports, targets: [...targets.values()], refused, unresolved, leftOut }
}

/**
 * The addresses that were published for each name of `plan`, by what `status` and `live` tell of it: so
 * that a start while no name server answers takes nobody out. Where the status had no room for all,
 * addresses of a name's port that nothing else accounts for are the name's.
 */
export function believedAddresses(
  plan: Plan,
  status: Status | undefined,
  live: Parameters<typeof isPublished>[0] | undefined,
): ReadonlyMap<string, readonly string[]> {
  const believed = new Map<string, string[]>()
  if (plan.names.length === 0 || !status) return believed
  const claimed = new Set(plan.targets.map(({ key }) => key))
  for (const named of plan.names) {
    const port = portLabel(named.template.servicePort)
    const addresses = status.hosts
      .filter((row) => row.name === named.name && row.port === port && isIP(row.host) !== 0)
      .map(({ host }) => canonicalAddress(host))
    believed.set(named.name, [...(believed.get(named.name) ?? []), ...addresses])
    for (const host of addresses) claimed.add(targetKey(named.template, host))
  }
  if (!status.hostsOmitted || !live) return believed
  const published = new Set([...live.published].map((key) => key.split(' ')[0] ?? ''))
  const firsts = new Map<string, NamedHost>()
  for (const named of plan.names) {
    const key = targetKey(named.template, '')
    if (!firsts.has(key)) firsts.set(key, named)
  }
  for (const { name, template } of firsts.values()) {
    for (const host of published) {
      const key = targetKey(template, host)
      if (claimed.has(key) || !isPublished(live, { ...template, key, host })) continue
      claimed.add(key)
      believed.get(name)?.push(host)
    }
  }
  return believed
}

/** `addresses` in order, parted into those that can be published and what is told of the others. */
function judged(
  { name, path, template }: NamedHost,
  addresses: Iterable<string>,
  policy: HostPolicy,
) {
  const { servicePort, port: targetPort } = template
  const fit: string[] = []
  const unfit: RefusedHost[] = []
  for (const address of [...addresses].sort()) {
    const host = parseHost(address, policy)
    if (host.ok) fit.push(host.host)
    else {
      const message = `${path}: ${name}: ${host.message}`
      unfit.push({ servicePort, targetPort, host: address, message })
    }
  }
  return { fit, unfit }
}
