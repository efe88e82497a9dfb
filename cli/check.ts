// `endpoints-operator check`: the operator's own probers, from where you stand, no cluster needed.

import { type ClusterEndpoint, parseClusterEndpoint, parseSpec } from '../crds/clusterendpoint.ts'
import { desiredEndpoints } from '../crds/endpoints.ts'
import { desiredService } from '../crds/service.ts'
import { portLabel } from '../crds/status.ts'
import { type HostTarget, type Plan, planOf } from '../crds/targets.ts'
import { pause } from '../k8s/backoff.ts'
import { clusterEndpointPath } from '../k8s/paths.ts'
import { attempt } from '../probes/probers.ts'
import type { Outcome } from '../probes/target.ts'
import { CLUSTER_FLAGS, clusterOf, nameOf } from './cluster.ts'
import { type Flag, flagHelp, type ParsedFlags, parseFlags, UsageError } from './flags.ts'
import { readManifest } from './manifest.ts'
import { print } from './print.ts'
import { asCalled } from './program.ts'
import { table } from './table.ts'

/** Attempts at once. */
const AT_ONCE = 256

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
  readonly targetPort: number
  readonly probe: string
  readonly verdict: 'healthy' | 'unhealthy' | 'unknown'
  readonly latencyMs: number
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
  const plan = planOf(spec, { allowLoopback: flags.isOn('allow-loopback') })
  const [refused] = plan.refused
  if (refused) throw new UsageError(plan.refused.map(({ message }) => message).join('; '))

  for (;;) {
    const findings = await probeAll(plan.targets, stop.signal)
    if (stop.signal.aborted) return 0
    if (flags.isOn('render')) await print(rendered(cep, spec.clusterIP, plan, findings))
    else if (output === 'json') await print(`${JSON.stringify(jsonOf(cep, findings))}\n`)
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

/** Asks every target once, each within its own timeout. */
async function probeAll(
  targets: readonly HostTarget[],
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const findings = new Map<HostTarget, Finding>()
  const waiting = [...targets]
  const worker = async () => {
    for (let target = waiting.shift(); target && !signal.aborted; target = waiting.shift()) {
      findings.set(target, await probe(target, signal))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return targets.flatMap((target) => findings.get(target) ?? [])
}

async function probe(target: HostTarget, signal: AbortSignal): Promise<Finding> {
  const started = performance.now()
  const deadline = new AbortController()
  const timer = setTimeout(() => deadline.abort(), target.timeoutMs)
  const said = await attempt(target, AbortSignal.any([signal, deadline.signal]))
  clearTimeout(timer)
  const isLate = deadline.signal.aborted
  const outcome: Outcome = isLate
    ? { result: 'failed', reason: `timeout after ${target.timeoutMs / 1000}s` }
    : said
  const verdicts = { ok: 'healthy', failed: 'unhealthy', unknown: 'unknown' } as const
  return {
    port: portLabel(target.servicePort),
    host: target.host,
    targetPort: target.port,
    probe: target.probe?.kind ?? 'none',
    verdict: verdicts[outcome.result],
    latencyMs: Math.round((performance.now() - started) * 10) / 10,
    reason: outcome.result === 'ok' ? '' : outcome.reason,
  }
}

function text(findings: readonly Finding[]): string {
  const rows = findings.map(({ port, host, targetPort, probe, verdict, latencyMs, reason }) => [
    port,
    host,
    String(targetPort),
    probe,
    verdict,
    `${latencyMs} ms`,
    reason,
  ])
  return table(['PORT', 'HOST', 'TARGETPORT', 'PROBE', 'VERDICT', 'LATENCY', 'REASON'], rows)
}

function jsonOf({ metadata: { namespace, name } }: ClusterEndpoint, hosts: readonly Finding[]) {
  const healthy = hosts.filter(({ verdict }) => verdict === 'healthy').length
  return { namespace, name, healthy, total: hosts.length, hosts }
}

function rendered(
  cep: ClusterEndpoint,
  clusterIP: string,
  plan: Plan,
  findings: readonly Finding[],
): string {
  const healthy = plan.targets.filter((_, index) => findings[index]?.verdict === 'healthy')
  const objects = [desiredService(cep, clusterIP, plan.ports), desiredEndpoints(cep, healthy)]
  return objects
    .map((object) => {
      // From a file there is no uid yet, and an owner without one is refused.
      const { ownerReferences, ...metadata } = object.metadata
      const owned = cep.metadata.uid === '' ? metadata : { ...metadata, ownerReferences }
      return `---\n${Bun.YAML.stringify({ ...object, metadata: owned }, null, 2)}\n`
    })
    .join('')
}
