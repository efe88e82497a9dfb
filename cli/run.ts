// `endpoints-operator`: runs the controller until it is told to stop.

import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { abortOf } from '../k8s/abort.ts'
import { createClient } from '../k8s/client.ts'
import { loadConfig } from '../k8s/config.ts'
import { startController } from '../k8s/controller.ts'
import { leaseIdentity } from '../k8s/go-version.ts'
import { createElection, type Election } from '../k8s/lease.ts'
import { createLog, type Log } from '../k8s/log.ts'
import { serveHealth, serveMetrics } from '../k8s/ports.ts'
import { PUBLISH_WISHES } from '../k8s/publishing.ts'
import { countRequests, healthzOf, readyzOf, scalarsOf } from '../k8s/vitals.ts'
import { version } from '../package.json'
import { forgoLibc } from '../probes/libc.ts'
import { endOnBugs } from './crash.ts'
import {
  duration,
  type Flag,
  flagHelp,
  KLOG_FLAGS,
  oneOf,
  type ParsedFlags,
  parseFlags,
  UsageError,
  wholeNumber,
} from './flags.ts'
import { DNS_SERVERS_FLAG, lookupOf } from './name-servers.ts'
import { print } from './print.ts'
import { asCalled } from './program.ts'
import { tuneEngine } from './tune.ts'
import { commandHelp } from './usage.ts'

/** Milliseconds for what is under way to end, and the lease to be released, once we are told to stop. */
const STOP_MAX_MS = 1_800
/** Attempts at once, unless the limit on open files asks for fewer. */
const IN_FLIGHT_MAX = 2_048
/** What carries probes without TLS: system calls of our own, where they can be had, or Bun's sockets. */
const SOCKETS = ['own', 'bun'] as const
/** Share of the open files that attempts may take; the rest is for the API server, the ports and the logs. */
const FILES_SHARE = 0.5

export const RUN_FLAGS: readonly Flag[] = [
  {
    name: 'kubeconfig',
    value: 'FILE',
    fallback: '',
    help: '$KUBECONFIG, the pod or ~/.kube/config if absent',
  },
  { name: 'master', value: 'URL', fallback: '', help: 'URL of the API server instead' },
  {
    name: 'publish',
    value: PUBLISH_WISHES.join('|'),
    fallback: 'auto',
    help: 'what carries the addresses',
  },
  { name: 'maxconcurrent', value: 'N', fallback: '8', help: 'resources updated at once' },
  // Accepted for compatibility: failureThreshold decides.
  { name: 'maxretry', value: 'N', fallback: '1', help: '' },
  {
    name: 'max-in-flight',
    value: 'N',
    fallback: '',
    help: `attempts at once; ${IN_FLIGHT_MAX} if absent, or fewer`,
  },
  DNS_SERVERS_FLAG,
  {
    name: 'sockets',
    value: SOCKETS.join('|'),
    fallback: 'own',
    help: 'of plain probes; bun does without FFI',
  },
  { name: 'metricsaddr', value: 'ADDR', fallback: ':9090', help: 'address of /metrics' },
  {
    name: 'health-probe-bind-address',
    value: 'ADDR',
    fallback: ':8080',
    help: 'address of /healthz and /readyz',
  },
  { name: 'leader-elect', fallback: '', help: 'of several replicas one works: who has a Lease' },
  {
    name: 'leader-elect-lease-duration',
    value: 'DURATION',
    fallback: '15s',
    help: 'until others may take the lease',
  },
  {
    name: 'leader-elect-renew-deadline',
    value: 'DURATION',
    fallback: '10s',
    help: 'until one that cannot renew stops',
  },
  {
    name: 'leader-elect-retry-period',
    value: 'DURATION',
    fallback: '2s',
    help: 'between two attempts at the lease',
  },
  // Accepted for compatibility: it is always a Lease.
  { name: 'leader-elect-resource-lock', value: 'KIND', fallback: 'leases', help: '' },
  {
    name: 'leader-elect-namespace',
    value: 'NAMESPACE',
    fallback: '',
    help: 'of the lease; where we run if absent',
  },
  {
    name: 'leader-elect-name',
    value: 'NAME',
    fallback: 'endpoints-operator',
    help: 'of the lease',
  },
  { name: 'log-format', value: 'text|json', fallback: 'text', help: 'of the log' },
  { name: 'v', short: 'v', value: 'N', fallback: '0', help: 'verbosity; 4 logs each attempt' },
  { name: 'allow-loopback', fallback: '', help: 'accept hosts in 127.0.0.0/8 and ::1' },
  ...KLOG_FLAGS,
  { name: 'help', short: 'h', fallback: '', help: 'show this' },
]

export const RUN_HELP = `Publishes hosts outside the cluster as Services, those that answer.

Usage:
  endpoints-operator [flags]               run the operator
${commandHelp()}

Examples:
  endpoints-operator --kubeconfig ~/.kube/config --v 4    with every attempt

Flags:
${flagHelp(RUN_FLAGS)}
`

/** Runs the operator; resolves with the exit code when it was told to stop. Throws UsageError or what kept it from starting. */
export async function run(args: readonly string[]): Promise<number> {
  const flags = parseFlags(args, RUN_FLAGS)
  if (flags.isOn('help')) {
    await print(asCalled(RUN_HELP))
    return 0
  }
  const format = oneOf(flags, 'log-format', ['text', 'json'])
  tuneEngine(process.argv.slice(2))
  const log = createLog({ format, verbosity: wholeNumber(flags, 'v', 0, 10) })
  endOnBugs()
  const concurrency = wholeNumber(flags, 'maxconcurrent', 1, 1_000)
  wholeNumber(flags, 'maxretry', 0, 1_000)
  const inFlightMax = flags.has('max-in-flight')
    ? wholeNumber(flags, 'max-in-flight', 1, 100_000)
    : inFlightDefault()

  const publish = oneOf(flags, 'publish', PUBLISH_WISHES)
  forgoLibc(oneOf(flags, 'sockets', SOCKETS) === 'bun')
  const lookup = lookupOf(flags)
  const leaseTimes = leaseTimesOf(flags)
  const stop = stopOnSignals(log)
  const config = await loadConfig({
    kubeconfig: flags.get('kubeconfig') || undefined,
    master: flags.get('master') || undefined,
  })
  const requests = countRequests()
  const client = createClient(config, {
    userAgent: `endpoints-operator/${version}`,
    onAnswer: requests.onAnswer,
  })
  const instance = process.env.POD_NAME || hostname()
  const controller = startController({
    client,
    log,
    policy: { allowLoopback: flags.isOn('allow-loopback') },
    publish,
    lookup,
    concurrency,
    inFlightMax,
    instance,
    signal: stop,
  })
  const election = flags.isOn('leader-elect')
    ? createElection({
        ...leaseTimes,
        client,
        log,
        namespace: flags.get('leader-elect-namespace') || config.namespace || 'kube-system',
        name: flags.get('leader-elect-name'),
        identity: leaseIdentity(instance, version),
      })
    : alone
  const health = serveHealth(flags.get('health-probe-bind-address'), {
    healthz: healthzOf(controller),
    readyz: readyzOf(controller),
  })
  const metrics = serveMetrics(flags.get('metricsaddr'), {
    resources: controller.resources,
    scalars: () => scalarsOf(controller, requests, { version, isLeader: election.isHeld }),
  })
  log.info('started', {
    version,
    server: config.server,
    healthPort: health.port,
    metricsPort: metrics.port,
    inFlightMax,
  })

  await Promise.race([controller.synced, abortOf(stop)])
  const lead = (signal: AbortSignal) => controller.lead({ signal, mayWrite: election.isHeld })
  const elected = election.run(lead, stop)
  // Until told to stop; a bug in either rejects and ends the process.
  await Promise.race([Promise.all([elected, controller.done]), abortOf(stop)])
  await Promise.race([Promise.all([elected, controller.done]), Bun.sleep(STOP_MAX_MS)])
  await Promise.all([health.stop(), metrics.stop()])
  log.info('stopped')
  return 0
}

/** The election of an operator without rivals. */
const alone: Election = {
  isHeld: () => true,
  run: async (lead, signal) => await lead(signal),
}

/** A signal that aborts at SIGTERM or SIGINT; registered first thing, because as PID 1 we would ignore them. */
function stopOnSignals(log: Log): AbortSignal {
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      log.info('stopping', { signal })
      stop.abort(new Error('stopping'))
    })
  }
  return stop.signal
}

function leaseTimesOf(flags: ParsedFlags) {
  const durationMs = duration(flags, 'leader-elect-lease-duration')
  const renewDeadlineMs = duration(flags, 'leader-elect-renew-deadline')
  const retryMs = duration(flags, 'leader-elect-retry-period')
  if (durationMs <= renewDeadlineMs || renewDeadlineMs <= 1.2 * retryMs) {
    throw new UsageError(
      '--leader-elect-lease-duration must be longer than --leader-elect-renew-deadline, and that longer than 1.2 times --leader-elect-retry-period',
    )
  }
  return { durationMs, renewDeadlineMs, retryMs }
}

/** How many attempts may run at once under the limit on open files. */
function inFlightDefault(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8')
    const files = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.NaN)
    if (Number.isNaN(files)) return IN_FLIGHT_MAX
    return Math.max(1, Math.min(IN_FLIGHT_MAX, Math.floor(files * FILES_SHARE)))
  } catch {
    // Not Linux: there the default limits are no concern of an operator's.
    return IN_FLIGHT_MAX
  }
}
