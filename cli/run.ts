// `endpoints-operator`: runs the controller until it is told to stop.

import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { createClient } from '../k8s/client.ts'
import { loadConfig } from '../k8s/config.ts'
import { startController } from '../k8s/controller.ts'
import { createLog } from '../k8s/log.ts'
import { serveHealth, serveMetrics } from '../k8s/ports.ts'
import { countRequests, healthzOf, readyzOf, scalarsOf } from '../k8s/vitals.ts'
import { version } from '../package.json'
import { type Flag, flagHelp, parseFlags, UsageError, wholeNumber } from './flags.ts'

/** Milliseconds for attempts and writes under way to end once we are told to stop. */
const STOP_MAX_MS = 1_500
/** Attempts at once, unless the limit on open files asks for fewer. */
const IN_FLIGHT_MAX = 2_048
/** Share of the open files that attempts may take; the rest is for the API server, the ports and the logs. */
const FILES_SHARE = 0.5

export const RUN_FLAGS: readonly Flag[] = [
  {
    name: 'kubeconfig',
    value: 'FILE',
    fallback: '',
    help: 'kubeconfig to use; default: $KUBECONFIG, the pod, ~/.kube/config',
  },
  {
    name: 'master',
    value: 'URL',
    fallback: '',
    help: 'URL of the API server; wins over the kubeconfig',
  },
  {
    name: 'maxconcurrent',
    value: 'N',
    fallback: '8',
    help: 'resources brought up to date at once',
  },
  {
    name: 'maxretry',
    value: 'N',
    fallback: '1',
    help: 'accepted for compatibility; failureThreshold decides',
  },
  {
    name: 'max-in-flight',
    value: 'N',
    fallback: '',
    help: `probe attempts at once; default: ${IN_FLIGHT_MAX}, fewer if open files are limited`,
  },
  { name: 'metricsaddr', value: 'ADDR', fallback: ':9090', help: 'address of /metrics' },
  {
    name: 'health-probe-bind-address',
    value: 'ADDR',
    fallback: ':8080',
    help: 'address of /healthz and /readyz',
  },
  {
    name: 'log-format',
    value: 'text|json',
    fallback: 'text',
    help: 'form of log lines on standard error',
  },
  { name: 'v', short: 'v', value: 'N', fallback: '0', help: 'verbosity; 4 logs each attempt' },
  {
    name: 'allow-loopback',
    fallback: '',
    help: 'accept hosts in 127.0.0.0/8 and ::1, for demos; a real API server refuses them',
  },
  { name: 'help', short: 'h', fallback: '', help: 'show this' },
]

export const RUN_HELP = `Keeps a Service and its Endpoints for hosts outside the cluster, and publishes only hosts that answer.

Usage:
  endpoints-operator [flags]
  endpoints-operator version

Examples:
  endpoints-operator                                  in a pod, with its service account
  endpoints-operator --kubeconfig ~/.kube/config      from your machine
  endpoints-operator --v 4 --log-format json          with every attempt, for a log collector

Flags:
${flagHelp(RUN_FLAGS)}
`

/** Runs the operator; resolves with the exit code when it was told to stop. Throws UsageError or what kept it from starting. */
export async function run(args: readonly string[]): Promise<number> {
  const flags = parseFlags(args, RUN_FLAGS)
  if (flags.has('help')) {
    process.stdout.write(RUN_HELP)
    return 0
  }
  const format = flags.get('log-format')
  if (format !== 'text' && format !== 'json') {
    throw new UsageError(`--log-format must be text or json, not "${format}"`)
  }
  const log = createLog({ format, verbosity: wholeNumber(flags, 'v', 0, 10) })
  const concurrency = wholeNumber(flags, 'maxconcurrent', 1, 1_000)
  wholeNumber(flags, 'maxretry', 0, 1_000)
  const inFlightMax = flags.has('max-in-flight')
    ? wholeNumber(flags, 'max-in-flight', 1, 100_000)
    : inFlightDefault()

  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      log.info('stopping', { signal })
      stop.abort(new Error('stopping'))
    })
  }

  const config = await loadConfig({
    kubeconfig: flags.get('kubeconfig') || undefined,
    master: flags.get('master') || undefined,
  })
  const requests = countRequests()
  const client = createClient(config, {
    userAgent: `endpoints-operator/${version}`,
    onAnswer: requests.onAnswer,
  })
  const controller = startController({
    client,
    log,
    policy: { allowLoopback: flags.has('allow-loopback') },
    concurrency,
    inFlightMax,
    instance: process.env.POD_NAME ?? hostname(),
    signal: stop.signal,
  })
  let isLeader = false
  const health = serveHealth(flags.get('health-probe-bind-address'), {
    healthz: healthzOf(controller),
    readyz: readyzOf(controller),
  })
  const metrics = serveMetrics(flags.get('metricsaddr'), {
    resources: controller.resources,
    scalars: () => scalarsOf(controller, requests, { version, isLeader: () => isLeader }),
  })
  log.info('started', {
    version,
    server: config.server,
    healthPort: health.port,
    metricsPort: metrics.port,
    inFlightMax,
  })

  const aborted = new Promise<void>((resolve) => {
    stop.signal.addEventListener('abort', () => resolve(), { once: true })
  })
  await Promise.race([controller.synced, aborted])
  if (!stop.signal.aborted) {
    log.info('leading')
    isLeader = true
    const led = controller.lead(stop.signal)
    await aborted
    await Promise.race([Promise.all([led, controller.done]), Bun.sleep(STOP_MAX_MS)])
  }
  await Promise.all([health.stop(), metrics.stop()])
  log.info('stopped')
  return 0
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
