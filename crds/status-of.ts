// What is known of a ClusterEndpoint as its status: phase, rows, conditions. Pure. Its texts are stable:
// while nothing changes, the same bytes come out, so that nothing is written.

import { conditionsOf, type Finding } from './conditions.ts'
import {
  type Condition,
  HOST_ROWS_MAX,
  type HostRow,
  type Observed,
  type ObservedHost,
  type Status,
} from './status.ts'
import { portLabel, type RefusedHost, type UnresolvedName } from './targets.ts'
import { isoSeconds } from './time.ts'

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
