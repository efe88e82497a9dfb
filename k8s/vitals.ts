// Whether this process is well: for /healthz, /readyz and the metrics of the process itself.

import type { Controller } from './controller.ts'
import { label, type Scalar } from './metrics.ts'
import type { Complaint } from './ports.ts'
import type { ReflectorState } from './reflector.ts'

/** Milliseconds that the tick may be late before the process counts as wedged. */
const TICK_STUCK_MS = 10_000
/** Milliseconds without a sign of life from a list-and-watch loop: longer than any watch and any backoff. */
const REFLECTOR_STUCK_MS = 15 * 60_000

/** Red when the tick or a watch is stuck for longer than it may be; an API server out of reach is not our illness. */
export function healthzOf(controller: Controller, nowMs = () => performance.now()): Complaint {
  return () => {
    const { overdueMs } = controller.schedulerStats()
    if (overdueMs > TICK_STUCK_MS) return `the tick is ${Math.round(overdueMs / 1000)}s late`
    for (const [name, { state }] of Object.entries(controller.reflectors)) {
      const silentMs = nowMs() - state().lastSignMs
      if (silentMs > REFLECTOR_STUCK_MS) return `the watch of ${name} is stuck`
    }
    return undefined
  }
}

/** Red until the caches are filled once. */
export function readyzOf(controller: Controller): Complaint {
  return () => {
    for (const [name, { state }] of Object.entries(controller.reflectors)) {
      const { isSynced, trouble } = state()
      if (!isSynced) return `waiting for the first list of ${name}${trouble ? `: ${trouble}` : ''}`
    }
    return undefined
  }
}

/** Requests to the API server, by what was asked and how it was answered. */
export type RequestCounts = {
  readonly onAnswer: (method: string, path: string, status: number) => void
  readonly samples: () => (readonly [string, number])[]
}

export function countRequests(): RequestCounts {
  const counts = new Map<string, number>()
  return {
    onAnswer: (method, path, status) => {
      const key = `${method} ${resourceOf(path)} ${status}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
    },
    samples: () => [...counts].map(([key, count]) => [labelsOf(key), count] as const),
  }
}

/** Gauges and counters of the process. */
export function scalarsOf(
  controller: Controller,
  requests: RequestCounts,
  info: { readonly version: string; readonly isLeader: () => boolean },
): readonly Scalar[] {
  const scheduler = controller.schedulerStats()
  const resolver = controller.resolverStats()
  const queue = controller.queueStats()
  const states = Object.entries(controller.reflectors).map(
    ([name, { state }]) => [label('resource', name), state()] as const,
  )
  const perWatch = (read: (state: ReflectorState) => number) =>
    states.map(([labels, state]) => [labels, read(state)] as const)
  return [
    scalar('cep_build_info', 'gauge', 'Version of this binary.', label('version', info.version), 1),
    scalar(
      'cep_leader',
      'gauge',
      'Whether this replica probes and writes.',
      '',
      info.isLeader() ? 1 : 0,
    ),
    scalar('cep_attempts_in_flight', 'gauge', 'Attempts that run now.', '', scheduler.inFlight),
    scalar(
      'cep_attempts_waiting',
      'gauge',
      'Attempts that wait for a place.',
      '',
      scheduler.waiting,
    ),
    scalar(
      'cep_tick_lateness_seconds',
      'gauge',
      'How late the last tick was.',
      '',
      scheduler.latenessMs / 1000,
    ),
    scalar('cep_stalls_total', 'counter', 'Times this process stood still.', '', scheduler.stalls),
    scalar(
      'cep_queue_pending',
      'gauge',
      'Resources that wait to be brought up to date.',
      '',
      queue.pending,
    ),
    {
      name: 'cep_names',
      type: 'gauge',
      help: 'DNS names among the hosts; failing: no name server tells.',
      samples: [
        [label('state', 'told'), resolver.names - resolver.failing],
        [label('state', 'failing'), resolver.failing],
      ],
    },
    {
      name: 'cep_name_lookups_total',
      type: 'counter',
      help: 'Look-ups of names; failed: no name server could tell.',
      samples: [
        [label('result', 'told'), resolver.told],
        [label('result', 'failed'), resolver.failed],
      ],
    },
    {
      name: 'cep_api_requests_total',
      type: 'counter',
      help: 'Requests to the API server; code 0 is no answer.',
      samples: requests.samples(),
    },
    {
      name: 'cep_watch_lists_total',
      type: 'counter',
      help: 'Full lists that were taken.',
      samples: perWatch(({ lists }) => lists),
    },
    {
      name: 'cep_watch_synced',
      type: 'gauge',
      help: 'Whether the watch gets through.',
      samples: perWatch(({ isSynced, trouble }) => (isSynced && trouble === undefined ? 1 : 0)),
    },
    scalar(
      'process_resident_memory_bytes',
      'gauge',
      'Resident memory.',
      '',
      process.memoryUsage.rss(),
    ),
    scalar(
      'cep_heap_bytes',
      'gauge',
      'Heap of the JavaScript engine in use, garbage included.',
      '',
      process.memoryUsage().heapUsed,
    ),
    scalar('process_cpu_seconds_total', 'counter', 'CPU time, user and system.', '', cpuSeconds()),
  ]
}

function scalar(
  name: string,
  type: Scalar['type'],
  help: string,
  labels: string,
  value: number,
): Scalar {
  return { name, type, help, samples: [[labels, value]] }
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

function labelsOf(key: string): string {
  const [verb = '', resource = '', code = ''] = key.split(' ')
  return `${label('verb', verb)},${label('resource', resource)},${label('code', code)}`
}

/** `services` of `/api/v1/namespaces/x/services/y`, `clusterendpoints/status` of a status path. */
function resourceOf(path: string): string {
  const parts = path.split('/').slice(path.startsWith('/apis/') ? 4 : 3)
  const [first = '', , plural, , subresource] = parts
  if (first !== 'namespaces' || plural === undefined) return first
  return subresource === undefined ? plural : `${plural}/${subresource}`
}
