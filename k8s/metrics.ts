// Metrics as Prometheus text. Counters live with what they count, so that a deleted resource takes its
// series along, and are rendered piece by piece: prom-client took 627 ms and 180 MB for one scrape of
// 10,000 targets, during which no probe would have been looked after.

import type { Attempt } from '../probes/scheduler.ts'

/** Buckets of durations, in seconds: from what a local network answers in to the longest timeout people set. */
const BUCKETS = [
  ['upTo1ms', 0.001],
  ['upTo5ms', 0.005],
  ['upTo10ms', 0.01],
  ['upTo50ms', 0.05],
  ['upTo100ms', 0.1],
  ['upTo500ms', 0.5],
  ['upTo1s', 1],
  ['upTo5s', 5],
  ['upTo10s', 10],
  ['above', Number.POSITIVE_INFINITY],
] as const

type Bucket = (typeof BUCKETS)[number][0]

/**
 * What is counted for one host, port and kind of probe; attempts by bucket, not cumulative. All in one object: to
 * fetch it from memory is what counting costs.
 */
export type ProbeCounters = Record<Bucket, number> & {
  successful: number
  failed: number
  unknown: number
  durationSeconds: number
  readonly instance: string
  readonly probe: string
}

export type ResourceMetrics = {
  readonly namespace: string
  readonly name: string
  readonly healthy: number
  readonly targets: number
  readonly counters: Iterable<ProbeCounters>
}

export type MetricsView = {
  readonly resources: () => Iterable<ResourceMetrics>
  /** Gauges and counters of the process as a whole. */
  readonly scalars: () => readonly Scalar[]
}

export type Scalar = {
  readonly name: string
  readonly type: 'gauge' | 'counter'
  readonly help: string
  readonly samples: readonly (readonly [labels: string, value: number])[]
}

export function newCounters(instance: string, probe: string): ProbeCounters {
  return {
    successful: 0,
    durationSeconds: 0,
    upTo1ms: 0,
    upTo5ms: 0,
    upTo10ms: 0,
    upTo50ms: 0,
    upTo100ms: 0,
    upTo500ms: 0,
    upTo1s: 0,
    upTo5s: 0,
    upTo10s: 0,
    above: 0,
    failed: 0,
    unknown: 0,
    instance,
    probe,
  }
}

export function countAttempt(counters: ProbeCounters, { outcome, durationMs }: Attempt): void {
  if (outcome.result === 'unknown') {
    counters.unknown++
    return
  }
  if (outcome.result === 'ok') counters.successful++
  else counters.failed++
  const seconds = durationMs / 1000
  counters.durationSeconds += seconds
  counters[bucketOf(seconds)]++
}

function bucketOf(seconds: number): Bucket {
  for (const [bucket, bound] of BUCKETS) if (seconds <= bound) return bucket
  return 'above'
}

type Family = {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly render: (resource: ResourceMetrics) => string
}

// The first four names are the Go original's: dashboards use them.
const FAMILIES: readonly Family[] = [
  perProbe('cep_num_checked', 'Attempts that counted.', (c) => c.failed + c.successful),
  perProbe('cep_num_check_failed', 'Attempts that failed.', (c) => c.failed),
  perProbe('cep_num_check_successful', 'Attempts that succeeded.', (c) => c.successful),
  {
    name: 'cep_check_duration_seconds',
    type: 'histogram',
    help: 'Duration of attempts that counted.',
    render: renderHistogram,
  },
  perProbe(
    'cep_num_check_unknown',
    'Attempts that said nothing about the host and counted neither way.',
    (c) => c.unknown,
  ),
  perResource('cep_healthy_hosts', 'Hosts that are published, by resource.', (r) => r.healthy),
  perResource('cep_targets', 'Hosts of all ports, by resource.', (r) => r.targets),
]

/** The text of all metrics, in pieces: about one for each resource and family. */
export function* renderMetrics(view: MetricsView): Generator<string> {
  for (const { name, type, help, samples } of view.scalars()) {
    yield header(name, type, help)
    for (const [labels, value] of samples) yield `${name}${labels && `{${labels}}`} ${value}\n`
  }
  for (const { name, type, help, render } of FAMILIES) {
    yield header(name, type, help)
    for (const resource of view.resources()) yield render(resource)
  }
}

/** A label value, escaped. */
export function label(name: string, value: string): string {
  return `${name}="${value.replace(/[\\"\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`))}"`
}

function header(name: string, type: string, help: string): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`
}

function perProbe(name: string, help: string, value: (c: ProbeCounters) => number): Family {
  const render = (resource: ResourceMetrics) => {
    let text = ''
    for (const counters of resource.counters) {
      text += `${name}{${probeLabels(resource, counters)}} ${value(counters)}\n`
    }
    return text
  }
  return { name, type: 'counter', help, render }
}

function perResource(name: string, help: string, value: (r: ResourceMetrics) => number): Family {
  const render = (resource: ResourceMetrics) =>
    `${name}{${resourceLabels(resource)}} ${value(resource)}\n`
  return { name, type: 'gauge', help, render }
}

function renderHistogram(resource: ResourceMetrics): string {
  const name = 'cep_check_duration_seconds'
  let text = ''
  for (const counters of resource.counters) {
    const labels = probeLabels(resource, counters)
    let sum = 0
    for (const [bucket, bound] of BUCKETS) {
      sum += counters[bucket]
      const le = bound === Number.POSITIVE_INFINITY ? '+Inf' : bound
      text += `${name}_bucket{${labels},le="${le}"} ${sum}\n`
    }
    text += `${name}_sum{${labels}} ${counters.durationSeconds}\n${name}_count{${labels}} ${sum}\n`
  }
  return text
}

function resourceLabels({ name, namespace }: ResourceMetrics): string {
  return `${label('name', name)},${label('namespaces', namespace)}`
}

function probeLabels(resource: ResourceMetrics, { instance, probe }: ProbeCounters): string {
  return `${resourceLabels(resource)},${label('instance', instance)},${label('probe', probe)}`
}
