// Metrics are valid Prometheus text whatever a resource is called, and counters count.

import { describe, expect, test } from 'bun:test'
import {
  countAttempt,
  label,
  type MetricsView,
  newCounters,
  type ProbeCounters,
  type ResourceMetrics,
  renderMetrics,
} from '../../k8s/metrics.ts'
import { failed, type Outcome, ok, unknown } from '../../probes/target.ts'
import { parsePrometheus } from './prometheus-text.ts'

function render(view: Partial<MetricsView>): string {
  const { scalars = () => [], resources = () => [] } = view
  return [...renderMetrics({ scalars, resources })].join('')
}

function resource(name: string, counters: readonly ProbeCounters[]): ResourceMetrics {
  return { namespace: 'ns', name, healthy: 1, targets: counters.length, counters }
}

function counted(...attempts: readonly (readonly [outcome: Outcome, durationMs: number])[]) {
  const counters = newCounters('10.0.0.1:80', 'tcp')
  for (const [outcome, durationMs] of attempts) countAttempt(counters, { outcome, durationMs })
  return counters
}

const labels = 'instance="10.0.0.1:80",name="web",namespaces="ns",probe="tcp"'

function sample(text: string, family: string, key: string): number | undefined {
  return parsePrometheus(text).get(family)?.samples.get(key)
}

describe('the checker of these tests', () => {
  const head = '# HELP a b\n# TYPE a counter\n'
  const histogram = '# HELP h b\n# TYPE h histogram\n'
  const broken: Readonly<Record<string, string>> = {
    'a line without end': `${head}a 1`,
    'a sample without TYPE': 'a 1\n',
    'a family without HELP': '# TYPE a counter\na 1\n',
    'the same series twice': `${head}a{x="1"} 1\na{x="1"} 2\n`,
    'a raw quote in a label': `${head}a{x="1"2"} 1\n`,
    'a raw newline in a label': `${head}a{x="1\n2"} 1\n`,
    'an unknown escape': `${head}a{x="\\t"} 1\n`,
    'a label name with a dash': `${head}a{x-y="1"} 1\n`,
    'a value that is no number': `${head}a undefined\n`,
    'a counter below zero': `${head}a -1\n`,
    'a family in two places': `${head}a 1\n# HELP b c\n# TYPE b gauge\nb 1\n# HELP a b\na{x="1"} 1\n`,
    'a histogram that is not cumulative': `${histogram}h_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum{} 1\nh_count{} 1\n`,
    'a histogram without +Inf': `${histogram}h_bucket{le="1"} 2\nh_sum{} 1\nh_count{} 2\n`,
    'a histogram whose count differs': `${histogram}h_bucket{le="+Inf"} 2\nh_sum{} 1\nh_count{} 3\n`,
  }
  for (const [name, text] of Object.entries(broken)) {
    test(`refuses ${name}`, () => expect(() => parsePrometheus(text)).toThrow())
  }
})

describe('renderMetrics()', () => {
  test('of nothing has the head of each family and no samples', () => {
    const families = parsePrometheus(render({}))
    expect([...families.keys()]).toEqual([
      'cep_num_checked',
      'cep_num_check_failed',
      'cep_num_check_successful',
      'cep_check_duration_seconds',
      'cep_num_check_unknown',
      'cep_healthy_hosts',
      'cep_targets',
    ])
    for (const { samples } of families.values()) expect(samples.size).toBe(0)
  })

  test('counts attempts by how they ended; unknown ones apart', () => {
    const counters = counted(
      [ok, 2],
      [ok, 2],
      [failed('down'), 3],
      [unknown('stall'), 9_000],
      [unknown('stall'), 9_000],
      [unknown('stall'), 9_000],
    )
    const text = render({ resources: () => [resource('web', [counters])] })
    const values = Object.fromEntries(
      ['checked', 'check_failed', 'check_successful', 'check_unknown'].map((name) => [
        name,
        sample(text, `cep_num_${name}`, `cep_num_${name}{${labels}}`),
      ]),
    )
    expect(values).toEqual({ checked: 3, check_failed: 1, check_successful: 2, check_unknown: 3 })
    const sum = 'cep_check_duration_seconds_sum'
    expect(sample(text, 'cep_check_duration_seconds', `${sum}{${labels}}`)).toBeCloseTo(0.007)
  })

  const buckets: readonly (readonly [durationMs: number, first: string])[] = [
    [0, '0.001'],
    [1, '0.001'],
    [1.001, '0.005'],
    [5, '0.005'],
    [9.999, '0.01'],
    [50, '0.05'],
    [99, '0.1'],
    [500, '0.5'],
    [1_000, '1'],
    [1_000.1, '5'],
    [10_000, '10'],
    [10_000.1, '+Inf'],
    [3_600_000, '+Inf'],
  ]
  for (const [durationMs, first] of buckets) {
    test(`puts ${durationMs} ms into the bucket up to ${first} and all above`, () => {
      const text = render({ resources: () => [resource('web', [counted([ok, durationMs])])] })
      const family = parsePrometheus(text).get('cep_check_duration_seconds')
      const filled = [...(family?.samples ?? [])].flatMap(([key, count]) => {
        const le = /_bucket\{.*le="([^"]+)"/.exec(key)?.[1]
        return le !== undefined && count === 1 ? [le] : []
      })
      const all = ['0.001', '0.005', '0.01', '0.05', '0.1', '0.5', '1', '5', '10', '+Inf']
      expect(filled).toEqual(all.slice(all.indexOf(first)))
    })
  }

  test('tells healthy hosts and targets of each resource', () => {
    const web = { ...resource('web', []), healthy: 3, targets: 4 }
    const text = render({ resources: () => [web] })
    const key = 'name="web",namespaces="ns"'
    expect(sample(text, 'cep_healthy_hosts', `cep_healthy_hosts{${key}}`)).toBe(3)
    expect(sample(text, 'cep_targets', `cep_targets{${key}}`)).toBe(4)
  })

  for (const value of ['"', '\\', '\n', '\\n', '"\n\\"', 'a\\', '', 'ü 語', '{}=,', '\r\t']) {
    test(`escapes the label value ${JSON.stringify(value)}`, () => {
      const text = render({
        scalars: () => [{ name: 'a', type: 'gauge', help: 'b', samples: [[label('x', value), 1]] }],
      })
      expect(sample(text, 'a', `a{x=${JSON.stringify(value)}}`)).toBe(1)
      expect(text.split('\n')).toHaveLength(render({}).split('\n').length + 3)
    })
  }

  for (const value of [0, 1, 1e-7, 1e21, 0.1 + 0.2, 2 ** 53, Number.NaN]) {
    test(`writes the value ${value} so that Prometheus reads it`, () => {
      const scalars = () => [
        { name: 'a', type: 'gauge', help: 'b', samples: [['', value]] } as const,
      ]
      expect(sample(render({ scalars }), 'a', 'a{}')).toBe(value)
    })
  }

  test('is one piece for each resource and family, so that a scrape can pause', () => {
    const many = Array.from({ length: 1_000 }, (_, n) => resource(`web-${n}`, [counted([ok, 1])]))
    const pieces = [...renderMetrics({ scalars: () => [], resources: () => many })]
    expect(pieces.length).toBeGreaterThanOrEqual(7 * 1_000)
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(4_096)
    parsePrometheus(pieces.join(''))
  })

  test('stays valid when resources come and go between two pieces', () => {
    const resources = new Map(
      Array.from({ length: 50 }, (_, n) => [n, resource(`web-${n}`, [counted([ok, 1])])]),
    )
    let text = ''
    let step = 0
    const view = { scalars: () => [], resources: () => resources.values() }
    for (const piece of renderMetrics(view)) {
      text += piece
      step++
      resources.delete(step % 50)
      resources.set(step + 50, resource(`web-${step + 50}`, [counted([ok, 1])]))
      if (step > 400) resources.clear()
    }
    parsePrometheus(text)
  })
})
