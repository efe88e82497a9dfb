// Address families: which one an address is of, which ones a Service has, which one its Endpoints hold. Pure.

export const FAMILIES = ['IPv4', 'IPv6'] as const
export type Family = (typeof FAMILIES)[number]

export const FAMILY_POLICIES = ['SingleStack', 'PreferDualStack', 'RequireDualStack'] as const
export type FamilyPolicy = (typeof FAMILY_POLICIES)[number]

/** What is asked of a Service; what is absent is left to the API server. */
export type FamilyWish = {
  readonly ipFamilyPolicy?: FamilyPolicy
  readonly ipFamilies?: readonly Family[]
}

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
  /** Empty where `ipFamilies` is. */
  readonly ipFamilyPolicy: string
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

/**
 * What to ask of a Service: what the spec says, else both families if its hosts have both. A Service
 * that has them keeps them when its hosts are of one family again: its addresses may be in use.
 */
export function wishedFamilies(
  asked: FamilyWish,
  hosts: readonly Family[],
  live: ServiceFamilies | undefined,
): FamilyWish {
  const isDual = hosts.length > 1 || live?.ipFamilyPolicy === 'PreferDualStack'
  if (asked.ipFamilyPolicy !== undefined || !isDual) return asked
  return { ...asked, ipFamilyPolicy: 'PreferDualStack' }
}

/**
 * What of `wish` is not so in `live`, by field. An API server that knows nothing of families drops
 * what was asked for, and one that was asked for one family of two adds the other: that is no drift.
 */
export function familiesDrift(wish: FamilyWish, live: ServiceFamilies): string[] {
  if (live.ipFamilies.length === 0) return []
  const { ipFamilyPolicy, ipFamilies = [] } = wish
  const isPolicy = ipFamilyPolicy === undefined || ipFamilyPolicy === live.ipFamilyPolicy
  const isFamilies = ipFamilies.every((family, index) => family === live.ipFamilies[index])
  return [...(isPolicy ? [] : ['ipFamilyPolicy']), ...(isFamilies ? [] : ['ipFamilies'])]
}

/** Whether `wish` asks for another primary family than the one of `live`, which cannot be changed. */
export function isOtherPrimary({ ipFamilies = [] }: FamilyWish, live: ServiceFamilies): boolean {
  const [asked] = ipFamilies
  const [primary] = live.ipFamilies
  return asked !== undefined && primary !== undefined && asked !== primary
}
