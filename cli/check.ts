// `endpoints-operator check`: the operator's own probers, from where you stand, no cluster needed.

import { type ClusterEndpoint, parseClusterEndpoint, parseSpec } from '../crds/clusterendpoint.ts'
import { desiredEndpoints } from '../crds/endpoints.ts'
import { type Expansion, expand } from '../crds/expansion.ts'
import { desiredService } from '../crds/service.ts'
import { type HostTarget, type Plan, planOf, portLabel, type ServicePort } from '../crds/targets.ts'
import type { Lookup } from '../dns/lookup.ts'
import { answered, type Memory, NOTHING, resolutionOf } from '../dns/memory.ts'
import { pause } from '../k8s/backoff.ts'
import { clusterEndpointPath } from '../k8s/paths.ts'
import { askOnce } from '../probes/probers.ts'
import type { Outcome } from '../probes/target.ts'
import { CLUSTER_FLAGS, clusterOf, nameOf } from './cluster.ts'
import { type Flag, flagHelp, type ParsedFlags, parseFlags, UsageError } from './flags.ts'
import { readManifest } from './manifest.ts'
import { DNS_SERVERS_FLAG, lookupOf } from './name-servers.ts'
import { print } from './print.ts'
import { asCalled } from './program.ts'
import { table } from './table.ts'

/** Attempts at once. */
const AT_ONCE = 256
/** Look-ups of names at once; each has a socket per address family. */
const LOOKUPS_AT_ONCE = 32

export const CHECK_FLAGS: readonly Flag[] = [
  {
    name: 'filename',
    short: 'f',
    value: 'FILE',
    fallback: '',
    help: 'manifest to check; - for standard input',
  },
  {
    name: 'namespace',
    short: 'n',
    value: 'NS',
    fallback: '',
    help: 'with NAME: its namespace; default: that of the kubeconfig',
  },
  { name: 'watch', short: 'w', fallback: '', help: 'again after each period, until Ctrl-C' },
  { name: 'output', short: 'o', value: 'json', fallback: '', help: 'for programs' },
  { name: 'render', fallback: '', help: 'print the Service and Endpoints that would be applied' },
  ...CLUSTER_FLAGS,
  DNS_SERVERS_FLAG,
  { name: 'allow-loopback', fallback: '', help: 'accept hosts in 127.0.0.0/8 and ::1' },
  { name: 'help', short: 'h', fallback: '', help: 'show this' },
]

const HELP = `Probes every host of a ClusterEndpoint once, from here, as the operator would.

Usage:
  endpoints-operator check -f FILE|- [flags]
  endpoints-operator check [-n NAMESPACE] NAME [flags]

Examples:
  endpoints-operator check -f db.yaml             a manifest, no cluster needed
  endpoints-operator check -n prod mysql          what stands in the cluster
  endpoints-operator check -f db.yaml --render    what would be applied now

Exit code: 0 all hosts are healthy, 1 some are not, 2 the manifest is wrong.

Flags:
${flagHelp(CHECK_FLAGS)}
`

/** One host as it was found. */
type Finding = {
  readonly port: string
  readonly host: string
  /** The DNS name that led to it. */
  readonly name?: string
  readonly targetPort: number
  /** Absent, as is the time it took, where there was no address to ask. */
  readonly probe?: string
  readonly verdict: 'healthy' | 'unhealthy' | 'unknown'
  readonly latencyMs?: number
  readonly reason: string
}

/** Resolves with the exit code. Throws UsageError when the manifest is wrong. */
export async function check(args: readonly string[]): Promise<number> {
  const flags = parseFlags(args, CHECK_FLAGS, 1)
  if (flags.isOn('help')) {
    await print(asCalled(HELP))
    return 0
  }
  const output = flags.get('output')
  if (output !== '' && output !== 'json') throw new UsageError(`-o must be json, not "${output}"`)
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())

  const cep = await manifestOf(flags)
  const parsed = parseSpec(cep)
  if (!parsed.ok) throw new UsageError(parsed.issues.join('; '))
  const { spec } = parsed
  const policy = { allowLoopback: flags.isOn('allow-loopback') }
  const plan = planOf(spec, policy)
  const [refused] = plan.refused
  if (refused) throw new UsageError(plan.refused.map(({ message }) => message).join('; '))
  const lookup = lookupOf(flags)

  for (;;) {
    const memories = await lookUpAll(plan, lookup, stop.signal)
    const expansion = expand(plan, (name) => resolutionOf(memories.get(name) ?? NOTHING), policy)
    const probed = await probeAll(expansion.targets, stop.signal)
    if (stop.signal.aborted) return 0
    const { unresolved, refused } = expansion
    const findings = [...probed.values(), ...[...unresolved, ...refused].map(withoutAddress)]
    const healthy = expansion.targets.filter((each) => probed.get(each)?.verdict === 'healthy')
    if (flags.isOn('render')) {
      await print(rendered(cep, spec.clusterIP, expansion.ports, healthy))
    } else if (output === 'json') await print(`${JSON.stringify(jsonOf(cep, findings))}\n`)
    else await print(text(findings))
    const isWell = findings.every(({ verdict }) => verdict === 'healthy')
    if (!flags.isOn('watch')) return isWell ? 0 : 1
    await pause(spec.periodMs, stop.signal)
    if (stop.signal.aborted) return isWell ? 0 : 1
    if (output === '') await print('\n')
  }
}

async function manifestOf(flags: ParsedFlags): Promise<ClusterEndpoint> {
  const file = flags.get('filename')
  const [name] = flags.positionals
  if (file !== '' && name === undefined) return readManifest(file)
  if (name === undefined || file !== '') {
    throw new UsageError(
      'check takes either -f FILE or the NAME of a ClusterEndpoint; see check --help',
    )
  }
  const cluster = await clusterOf(flags, 'check')
  const namespace = nameOf(flags.get('namespace') || cluster.namespace, 'namespace')
  const path = clusterEndpointPath({ namespace, name: nameOf(name, 'name') })
  return parseClusterEndpoint(await cluster.client.request({ method: 'GET', path }))
}

/** Looks every name up once. */
async function lookUpAll(
  { names }: Plan,
  lookup: Lookup,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Memory>> {
  const distinct = [...new Set(names.map(({ name }) => name))]
  return await forEach(distinct, LOOKUPS_AT_ONCE, signal, async (name) =>
    answered(NOTHING, await lookup(name, signal)),
  )
}

/** Asks every target once, each within its own timeout. */
async function probeAll(
  targets: readonly HostTarget[],
  signal: AbortSignal,
): Promise<ReadonlyMap<HostTarget, Finding>> {
  return await forEach(targets, AT_ONCE, signal, (target) => probe(target, signal))
}

/** What `ask` says of each item, in their order; of those that are left when `signal` aborts, nothing. */
async function forEach<T, Result>(
  items: readonly T[],
  atOnce: number,
  signal: AbortSignal,
  ask: (item: T) => Promise<Result>,
): Promise<ReadonlyMap<T, Result>> {
  const results: (readonly [T, Result])[] = []
  const waiting = items.entries()
  const worker = async () => {
    for (const [index, item] of waiting) {
      if (signal.aborted) return
      results[index] = [item, await ask(item)]
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return new Map(results.filter((result) => result !== undefined))
}

async function probe(target: HostTarget, signal: AbortSignal): Promise<Finding> {
  const started = performance.now()
  const deadline = new AbortController()
  const timer = setTimeout(() => deadline.abort(), target.timeoutMs)
  const said = await askOnce(target, AbortSignal.any([signal, deadline.signal]))
  clearTimeout(timer)
  const isLate = deadline.signal.aborted
  const outcome: Outcome = isLate
    ? { result: 'failed', reason: `timeout after ${target.timeoutMs / 1000}s` }
    : said
  const verdicts = { ok: 'healthy', failed: 'unhealthy', unknown: 'unknown' } as const
  return {
    port: portLabel(target.servicePort),
    host: target.host,
    ...(target.name === undefined ? {} : { name: target.name }),
    targetPort: target.port,
    probe: target.probe?.kind ?? 'none',
    verdict: verdicts[outcome.result],
    latencyMs: Math.round((performance.now() - started) * 10) / 10,
    reason: outcome.result === 'ok' ? '' : outcome.reason,
  }
}

/** A name that leads nowhere, or an address of one that cannot be published. */
function withoutAddress(
  host: Expansion['unresolved'][number] | Expansion['refused'][number],
): Finding {
  const { servicePort, targetPort } = host
  const [shown, reason] = 'name' in host ? [host.name, host.reason] : [host.host, host.message]
  const port = portLabel(servicePort)
  return { port, host: shown, targetPort, verdict: 'unhealthy', reason }
}

function text(findings: readonly Finding[]): string {
  const rows = findings.map(
    ({ port, host, name, targetPort, probe, verdict, latencyMs, reason }) => [
      port,
      name === undefined ? host : `${host} of ${name}`,
      String(targetPort),
      probe ?? '',
      verdict,
      latencyMs === undefined ? '' : `${latencyMs} ms`,
      reason,
    ],
  )
  return table(['PORT', 'HOST', 'TARGETPORT', 'PROBE', 'VERDICT', 'LATENCY', 'REASON'], rows)
}

function jsonOf({ metadata: { namespace, name } }: ClusterEndpoint, hosts: readonly Finding[]) {
  const healthy = hosts.filter(({ verdict }) => verdict === 'healthy').length
  return { namespace, name, healthy, total: hosts.length, hosts }
}

function rendered(
  cep: ClusterEndpoint,
  clusterIP: string,
  ports: readonly ServicePort[],
  healthy: readonly HostTarget[],
): string {
  const objects = [desiredService(cep, clusterIP, ports), desiredEndpoints(cep, healthy)]
  return objects
    .map((object) => {
      // From a file there is no uid yet, and an owner without one is refused.
      const { ownerReferences, ...metadata } = object.metadata
      const owned = cep.metadata.uid === '' ? metadata : { ...metadata, ownerReferences }
      return `---\n${Bun.YAML.stringify({ ...object, metadata: owned }, null, 2)}\n`
    })
    .join('')
}
