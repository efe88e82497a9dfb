// The status of a ClusterEndpoint: a pure function of what is known. Its texts are stable: while
// nothing changes, the same bytes come out, so that nothing is written.

import * as v from 'valibot'
import type { Health } from '../probes/health.ts'
import { type Family, type FamilyPolicy, familiesOf } from './families.ts'
import { hostPort, targetText } from './hosts.ts'
import type { HostTarget, RefusedHost, ServicePort, UnresolvedName } from './targets.ts'
import { isoSeconds } from './time.ts'

/** Rows of `hosts[]` at most; the unhealthy come first. Source: an object must fit etcd's 1.5 MB. */
export const HOST_ROWS_MAX = 100
/** Hosts that a condition's message names. */
const HOSTS_NAMED_MAX = 3

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

/**
 * The status of what was observed. `previous` lends the times of conditions that did not change;
 * `nowMs` is the wall clock, milliseconds since the epoch.
 */
export function statusOf(observed: Observed, previous: Status | undefined, nowMs: number): Status {
  const { hosts, refused, generation } = observed
  const { unresolved } = observed.names
  // Sorted, as the rows are: hosts come in the order in which edits of the spec brought them.
  const out = hosts.filter(({ health }) => health.verdict === 'unhealthy').sort(byTarget)
  const total = hosts.length + refused.length + unresolved.length
  const rows = [
    ...refused.map(refusedRow),
    ...unresolved.map(unresolvedRow),
    ...hosts.map(hostRow),
  ].sort(byHealthThenName)
  const omitted = rows.length - HOST_ROWS_MAX
  const conditions = conditionsOf(observed, out, previous).map((condition) =>
    withTimes(condition, generation, previous, nowMs),
  )
  return {
    phase: phaseOf(observed, out.length),
    ready: `${hosts.length - out.length}/${total}`,
    ...(observed.clusterIP ? { clusterIP: observed.clusterIP } : {}),
    observedGeneration: generation,
    conditions,
    hosts: rows.slice(0, HOST_ROWS_MAX),
    ...(omitted > 0 ? { hostsOmitted: omitted } : {}),
  }
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

/** What a Service port is called: its name, or its number when it has none. */
export function portLabel({ name, port }: ServicePort): string {
  return name === '' ? String(port) : name
}

function phaseOf(
  { issues, refused, names, hosts, isFirstRoundIn, service, endpoints }: Observed,
  out: number,
): Status['phase'] {
  const isKeptOut = service?.ok === false || endpoints?.ok === false
  if (issues.length > 0 || isKeptOut) return 'UnHealthy'
  if (!isFirstRoundIn) return 'Pending'
  const missing = out + refused.length + names.unresolved.length
  return missing === 0 && hosts.length > 0 ? 'Healthy' : 'UnHealthy'
}

type Finding = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>

function conditionsOf(
  observed: Observed,
  out: readonly ObservedHost[],
  previous: Status | undefined,
): Finding[] {
  return [
    initialized(observed),
    ...(observed.names.total > 0 ? [namesResolved(observed.names, previous)] : []),
    synced('SyncServiceReady', 'Service', observed.service),
    synced('SyncEndpointReady', observed.carriers, observed.endpoints),
    ...dualStack(observed),
    ready(observed, out),
  ]
}

/** Of hosts of both families only: whether their Service has both. */
function dualStack({ hosts, families, familyPolicy, service }: Observed): Finding[] {
  const [family, second] = families
  const isDual = familiesOf(hosts.map(({ target }) => target)).length > 1
  if (!isDual || !service?.ok || family === undefined) return []
  const type = 'DualStack'
  if (second !== undefined) {
    return [
      { type, status: 'True', reason: 'BothFamilies', message: 'The Service has both families' },
    ]
  }
  const other = family === 'IPv4' ? 'IPv6' : 'IPv4'
  const why =
    familyPolicy === 'SingleStack'
      ? 'as spec.ipFamilyPolicy is SingleStack'
      : 'as this cluster gives it no more'
  const message = `The Service has ${family} only, ${why}: hosts of ${other} are not reached through its cluster IP`
  return [{ type, status: 'False', reason: 'SingleStack', message }]
}

function initialized({ issues, refused, hosts }: Observed): Finding {
  const type = 'Initialized'
  if (issues.length > 0) {
    const kept = hosts.length > 0 ? '; the last valid spec stays in force' : ''
    return { type, status: 'False', reason: 'InvalidSpec', message: `${issues.join('; ')}${kept}` }
  }
  if (refused.length > 0) {
    const messages = refused.map(({ message }) => message)
    return { type, status: 'False', reason: 'HostsRefused', message: someOf(messages) }
  }
  return { type, status: 'True', reason: 'SpecAccepted', message: 'The spec is valid' }
}

/** Whether name servers tell the addresses of all names; what they said before a restart stands until they are heard. */
function namesResolved(names: ObservedNames, previous: Status | undefined): Finding {
  const type = 'NamesResolved'
  const { unasked, unresolved, troubles, leftOut } = names
  if (unasked.length > 0) {
    const before = previous?.conditions.find((condition) => condition.type === type)
    const message = `No answer yet about ${someOf([...unasked].sort())}`
    return before ?? { type, status: 'Unknown', reason: 'Resolving', message }
  }
  const absent = new Map(unresolved.map(({ name, reason }) => [name, `${name} (${reason})`]))
  const kept = troubles.map(({ name, reason }) => `${name} (${reason})`)
  const texts = [
    ...(absent.size > 0 ? [`No address for ${someOf([...absent.values()].sort())}`] : []),
    ...(kept.length > 0 ? [`The last addresses are kept of ${someOf(kept.sort())}`] : []),
  ]
  if (texts.length > 0) {
    const reason = absent.size > 0 ? 'NoAddress' : 'LookupFailing'
    return { type, status: 'False', reason, message: texts.join('; ') }
  }
  if (leftOut.size > 0) {
    const more = [...leftOut].map(([name, count]) => `${count} of ${name}`).sort()
    const message = `All names are resolved; addresses left out, as there are too many: ${someOf(more)}`
    return { type, status: 'True', reason: 'AddressesLeftOut', message }
  }
  return { type, status: 'True', reason: 'Resolved', message: 'All names are resolved' }
}

function synced(type: string, what: string, state: SyncState): Finding {
  if (!state)
    return {
      type,
      status: 'Unknown',
      reason: 'NotSynced',
      message: `${what} not written yet`,
    }
  if (!state.ok) return { type, status: 'False', reason: state.reason, message: state.message }
  return { type, status: 'True', reason: 'Synced', message: `${what} up to date` }
}

function ready(observed: Observed, out: readonly ObservedHost[]): Finding {
  const finding = publishing(observed, out)
  const { issues, hosts } = observed
  if (issues.length === 0 || hosts.length === 0) return finding
  const message = `The spec is invalid, the last valid one stays in force: ${finding.message}`
  return { ...finding, message }
}

/** Whether clients are served, by the spec in force. */
function publishing(observed: Observed, out: readonly ObservedHost[]): Finding {
  const type = 'Ready'
  const { issues, hosts, refused, names, ports, service, endpoints } = observed
  if (issues.length > 0 && hosts.length === 0) {
    return { type, status: 'False', reason: 'InvalidSpec', message: 'See condition Initialized' }
  }
  for (const [state, condition] of [
    [service, 'SyncServiceReady'],
    [endpoints, 'SyncEndpointReady'],
  ] as const) {
    if (state?.ok) continue
    const message = `See condition ${condition}`
    return state
      ? { type, status: 'False', reason: state.reason, message }
      : { type, status: 'Unknown', reason: 'NotSynced', message }
  }
  if (!observed.isFirstRoundIn) {
    return {
      type,
      status: 'Unknown',
      reason: 'Probing',
      message: 'The first round of probes is not in',
    }
  }
  const served = servedPorts(hosts)
  const deserted = ports.filter((port) => !served.has(portKey(port)))
  const list = someOf([...out.map(outText), ...names.unresolved.map(unresolvedText).sort()])
  const total = hosts.length + refused.length + names.unresolved.length
  if (deserted.length > 0) {
    const names = someOf(deserted.map(portLabel))
    const why = list === '' ? '' : `; out: ${list}`
    return {
      type,
      status: 'False',
      reason: 'NoHealthyHost',
      message: `No healthy host for ${names}${why}`,
    }
  }
  if (total > hosts.length - out.length) {
    const healthy = `${hosts.length - out.length} of ${total} hosts are healthy`
    const why = list === '' ? 'see condition Initialized' : `out: ${list}`
    return { type, status: 'True', reason: 'SomeHostsOut', message: `${healthy}; ${why}` }
  }
  return { type, status: 'True', reason: 'AllHostsHealthy', message: 'All hosts are healthy' }
}

/** The keys of the ports that have a healthy host. */
function servedPorts(hosts: readonly ObservedHost[]): Set<string> {
  const healthy = hosts.filter(({ health }) => health.verdict === 'healthy')
  return new Set(healthy.map(({ target }) => portKey(target.servicePort)))
}

function portKey({ name, protocol, port }: ServicePort): string {
  return `${name}/${protocol}/${port}`
}

function outText({ target, health }: ObservedHost): string {
  const reason = health.reason === '' ? '' : ` (${health.reason})`
  return `${portLabel(target.servicePort)} ${targetText(target)}${reason}`
}

function unresolvedText({ name, servicePort, targetPort, reason }: UnresolvedName): string {
  return `${portLabel(servicePort)} ${hostPort(name, targetPort)} (${reason})`
}

function someOf(texts: readonly string[]): string {
  const named = texts.slice(0, HOSTS_NAMED_MAX).join(', ')
  return texts.length > HOSTS_NAMED_MAX
    ? `${named} and ${texts.length - HOSTS_NAMED_MAX} more`
    : named
}

function withTimes(
  finding: Finding,
  generation: number,
  previous: Status | undefined,
  nowMs: number,
): Condition {
  const before = previous?.conditions.find(({ type }) => type === finding.type)
  const lastTransitionTime =
    before?.status === finding.status ? before.lastTransitionTime : isoSeconds(nowMs)
  return { ...finding, lastTransitionTime, observedGeneration: generation }
}

function hostRow({ target, health }: ObservedHost): HostRow {
  const healthy = health.verdict === 'healthy'
  return {
    port: portLabel(target.servicePort),
    host: target.host,
    ...(target.name === undefined ? {} : { name: target.name }),
    targetPort: target.port,
    healthy,
    ...(healthy || health.reason === '' ? {} : { reason: health.reason }),
    since: isoSeconds(health.sinceMs),
  }
}

function refusedRow({ servicePort, targetPort, host, message }: RefusedHost): HostRow {
  return { port: portLabel(servicePort), host, targetPort, healthy: false, reason: message }
}

function unresolvedRow({ name, servicePort, targetPort, reason }: UnresolvedName): HostRow {
  return { port: portLabel(servicePort), host: name, targetPort, healthy: false, reason }
}

function byHealthThenName(a: HostRow, b: HostRow): number {
  if (a.healthy !== b.healthy) return a.healthy ? 1 : -1
  return compare(a.port, b.port) || compare(a.host, b.host) || a.targetPort - b.targetPort
}

function byTarget({ target: a }: ObservedHost, { target: b }: ObservedHost): number {
  const byPort = compare(portLabel(a.servicePort), portLabel(b.servicePort))
  return byPort || compare(a.host, b.host) || a.port - b.port
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
