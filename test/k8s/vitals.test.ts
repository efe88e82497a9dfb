// What the process says of itself: ready, counted requests, and metrics that Prometheus can read.

import { describe, expect, test } from 'bun:test'
import type { Controller } from '../../k8s/controller.ts'
import { renderMetrics } from '../../k8s/metrics.ts'
import type { ReflectorState } from '../../k8s/reflector.ts'
import { countRequests, healthzOf, readyzOf, scalarsOf } from '../../k8s/vitals.ts'
import { parsePrometheus } from './prometheus-text.ts'

const MINUTE_MS = 60_000

function stateOf(more: Partial<ReflectorState> = {}): ReflectorState {
  return { isSynced: true, lastSignMs: 0, lists: 1, watches: 2, trouble: undefined, ...more }
}

/** A controller whose watches and tick are as the test says. */
function controllerOf(
  states: Readonly<Record<string, ReflectorState>> = { services: stateOf() },
  overdueMs = 0,
): Controller {
  const never = new Promise<void>(() => {})
  const scheduler = { inFlight: 1, waiting: 2, latenessMs: 30, overdueMs, stalls: 4 }
  return {
    synced: never,
    done: never,
    lead: async () => {},
    resources: () => [],
    schedulerStats: () => scheduler,
    resolverStats: () => ({ names: 6, failing: 2, inFlight: 1, told: 7, failed: 3 }),
    queueStats: () => ({ pending: 5, running: 0 }),
    reflectors: Object.fromEntries(
      Object.entries(states).map(([name, state]) => [
        name,
        { synced: never, done: never, refresh: async () => {}, state: () => state },
      ]),
    ),
  }
}

describe('readyzOf()', () => {
  const cases: readonly (readonly [
    name: string,
    states: Readonly<Record<string, ReflectorState>>,
    complaint: string | undefined,
  ])[] = [
    ['all lists are in', { a: stateOf(), b: stateOf() }, undefined],
    ['a watch has trouble later on', { a: stateOf({ trouble: 'refused' }) }, undefined],
    [
      'a list is awaited',
      { a: stateOf(), b: stateOf({ isSynced: false }) },
      'waiting for the first list of b',
    ],
    [
      'a list is awaited in vain',
      { a: stateOf({ isSynced: false, trouble: 'refused' }) },
      'waiting for the first list of a: refused',
    ],
  ]
  for (const [name, states, complaint] of cases) {
    test(`says ${JSON.stringify(complaint) ?? 'nothing'} when ${name}`, () =>
      expect(readyzOf(controllerOf(states))()).toBe(complaint))
  }
})

describe('healthzOf()', () => {
  const cases: readonly (readonly [overdueMs: number, nowMs: number, complaint?: string])[] = [
    [0, 0],
    [10_000, 0],
    [10_001, 0, 'the tick is 10s late'],
    [0, 15 * MINUTE_MS],
    [0, 15 * MINUTE_MS + 1, 'the watch of services is stuck'],
  ]
  for (const [overdueMs, nowMs, complaint] of cases) {
    test(`says ${JSON.stringify(complaint) ?? 'nothing'} with a tick ${overdueMs} ms overdue and a sign of life ${nowMs} ms ago`, () =>
      expect(healthzOf(controllerOf(undefined, overdueMs), () => nowMs)()).toBe(complaint))
  }
})

describe('countRequests()', () => {
  const cases: readonly (readonly [path: string, resource: string])[] = [
    ['/api/v1/services', 'services'],
    ['/api/v1/namespaces/ns/services/web', 'services'],
    ['/api/v1/namespaces/ns/events', 'events'],
    ['/apis/sealos.io/v1beta1/clusterendpoints', 'clusterendpoints'],
    ['/apis/sealos.io/v1beta1/namespaces/ns/clusterendpoints/web', 'clusterendpoints'],
    [
      '/apis/sealos.io/v1beta1/namespaces/ns/clusterendpoints/web/status',
      'clusterendpoints/status',
    ],
    ['/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/x', 'leases'],
  ]
  for (const [path, resource] of cases) {
    test(`counts ${path} as ${resource}`, () => {
      const requests = countRequests()
      requests.onAnswer('GET', path, 200)
      requests.onAnswer('GET', path, 200)
      requests.onAnswer('GET', path, 0)
      expect(requests.samples()).toEqual([
        [`verb="GET",resource="${resource}",code="200"`, 2],
        [`verb="GET",resource="${resource}",code="0"`, 1],
      ])
    })
  }
})

test('scalarsOf() is text that Prometheus reads, with every number where it belongs', () => {
  const requests = countRequests()
  requests.onAnswer('PATCH', '/api/v1/namespaces/ns/endpoints/web', 200)
  const states = { services: stateOf({ lists: 3 }), endpoints: stateOf({ trouble: 'refused' }) }
  const info = { version: '1.2.3', isLeader: () => true }
  const scalars = () => scalarsOf(controllerOf(states), requests, info)
  const families = parsePrometheus([...renderMetrics({ scalars, resources: () => [] })].join(''))
  const value = (name: string, labels = '') => families.get(name)?.samples.get(`${name}{${labels}}`)
  expect({
    info: value('cep_build_info', 'version="1.2.3"'),
    leader: value('cep_leader'),
    inFlight: value('cep_attempts_in_flight'),
    waiting: value('cep_attempts_waiting'),
    late: value('cep_tick_lateness_seconds'),
    stalls: value('cep_stalls_total'),
    pending: value('cep_queue_pending'),
    requests: value('cep_api_requests_total', 'code="200",resource="endpoints",verb="PATCH"'),
    lists: value('cep_watch_lists_total', 'resource="services"'),
    well: value('cep_watch_synced', 'resource="services"'),
    ill: value('cep_watch_synced', 'resource="endpoints"'),
  }).toEqual({
    ...{ info: 1, leader: 1, inFlight: 1, waiting: 2, late: 0.03, stalls: 4, pending: 5 },
    ...{ requests: 1, lists: 3, well: 1, ill: 0 },
  })
  expect(value('process_resident_memory_bytes')).toBeGreaterThan(1_000_000)
  expect(value('cep_heap_bytes')).toBeGreaterThan(100_000)
  expect(value('process_cpu_seconds_total')).toBeGreaterThan(0)
})
