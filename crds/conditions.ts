// The conditions of a ClusterEndpoint: what was done, whether it worked, and what a person can do. Pure.

import { familiesOf } from './families.ts'
import { hostPort, targetText } from './hosts.ts'
import type {
  Condition,
  Observed,
  ObservedHost,
  ObservedNames,
  Status,
  SyncState,
} from './status.ts'
import { portLabel, type ServicePort, type UnresolvedName } from './targets.ts'

/** Hosts that a condition's message names. */
const HOSTS_NAMED_MAX = 3

/** A condition without its times. */
export type Finding = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>

/** The conditions of what was observed; `out` are its unhealthy hosts, in order. */
export function conditionsOf(
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
