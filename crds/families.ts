// Address families: which one an address is of, which ones a Service has, which one its Endpoints hold. Pure.

export type Family = 'IPv4' | 'IPv6'

/** The family of a canonical address. */
export function familyOf(address: string): Family {
  return address.includes(':') ? 'IPv6' : 'IPv4'
}

/** The families of `hosts`, the one that the spec names first in front. */
export function familiesOf(hosts: Iterable<{ readonly host: string }>): Family[] {
  const families = new Set<Family>()
  for (const { host } of hosts) families.add(familyOf(host))
  return [...families]
}

/** The part of a live Service that tells its families. */
export type ServiceFamilies = {
  /** Primary first; empty where the API server knows nothing of families (1.20 as it comes). */
  readonly ipFamilies: readonly Family[]
  readonly clusterIP: string
}

/** The families that a Service has; empty when it does not tell: headless, and no word of families. */
export function serviceFamilies({ ipFamilies, clusterIP }: ServiceFamilies): readonly Family[] {
  if (ipFamilies.length > 0) return ipFamilies
  return clusterIP === '' || clusterIP === 'None' ? [] : [familyOf(clusterIP)]
}

/**
 * The one family of the Endpoints of hosts of both: the Service's primary one, because readers of
 * Endpoints know no other. A Service that does not tell has that of the first host.
 */
export function primaryFamily(service: ServiceFamilies | undefined, hosts: readonly Family[]) {
  return (service && serviceFamilies(service)[0]) ?? hosts[0]
}
