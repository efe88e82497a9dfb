// Random specs, half sense and half nonsense, through the pure core: nothing throws, everything is
// bounded, and what is published is a function of what is healthy and of nothing else.

import { expect, test } from 'bun:test'
import { type ClusterEndpoint, parseSpec } from '../../crds/clusterendpoint.ts'
import { desiredEndpoints, endpointsDrift, readEndpoints } from '../../crds/endpoints.ts'
import { desiredService, readService, serviceDrift } from '../../crds/service.ts'
import { readStatus } from '../../crds/status.ts'
import { statusOf } from '../../crds/status-of.ts'
import { planOf } from '../../crds/targets.ts'
import { seed } from '../../probes/health.ts'
import { noNames } from '../crds/fixtures.ts'
import type { Random } from '../random.ts'
import { forCases } from './cases.ts'

/** Bytes of a status in JSON at most: far below what etcd takes. */
const STATUS_BYTES_MAX = 256 * 1024
const NOW_MS = 1_790_000_000_000

/** Milliseconds for all of them: 3,000 where nothing else runs. */
const CASES_MAX_MS = 30_000

test(
  'random specs never throw, and what comes of them is bounded, stable and blind to order',
  async () => {
    let valid = 0
    await forCases(30_000, (random) => {
      const cep = resource(randomSpec(random))
      const parsed = parseSpec(cep)
      if (!parsed.ok) {
        expect(parsed.issues.length).toBeGreaterThan(0)
        expect(parsed.issues.length).toBeLessThanOrEqual(10)
        for (const issue of parsed.issues) expect(issue.length).toBeLessThanOrEqual(256)
        return
      }
      valid++
      const plan = planOf(parsed.spec, { allowLoopback: false })
      const healthy = plan.targets.filter(() => random.next() < 0.7)

      const endpoints = desiredEndpoints(cep, healthy)
      expect(desiredEndpoints(cep, random.shuffle(healthy))).toEqual(endpoints)
      expect(endpointsDrift(endpoints, readEndpoints(stored(endpoints)))).toEqual([])

      const service = desiredService(cep, parsed.spec.clusterIP, plan.ports)
      expect(desiredService(cep, parsed.spec.clusterIP, random.shuffle(plan.ports))).toEqual(
        service,
      )
      expect(serviceDrift(service, readService(stored(service)))).toEqual([])

      const hosts = plan.targets.map((target) => ({
        target,
        health: seed(healthy.includes(target) ? 'healthy' : 'unhealthy', NOW_MS, 'HTTP 503'),
      }))
      const observed = {
        generation: 1,
        issues: [],
        hosts,
        refused: plan.refused,
        names: noNames,
        ports: plan.ports,
        clusterIP: undefined,
        service: { ok: true },
        endpoints: { ok: true },
        carriers: 'Endpoints',
        families: [],
        familyPolicy: undefined,
        isFirstRoundIn: true,
      } as const
      const status = statusOf(observed, undefined, NOW_MS)
      expect(JSON.stringify(status).length).toBeLessThan(STATUS_BYTES_MAX)
      // What comes back from the API server an hour later gives the same status: nothing is written.
      const standing = readStatus(JSON.parse(JSON.stringify(status)))
      const shuffled = { ...observed, hosts: random.shuffle(hosts) }
      expect(statusOf(shuffled, standing, NOW_MS + 3_600_000)).toEqual(status)
    })
    // A generator that never makes sense would test nothing.
    if (process.env.FUZZ_CASES === undefined) expect(valid).toBeGreaterThan(3_000)
  },
  CASES_MAX_MS,
)

function resource(spec: unknown): ClusterEndpoint {
  return {
    metadata: {
      name: 'fuzz',
      namespace: 'default',
      uid: 'u-1',
      resourceVersion: '1',
      generation: 1,
      labels: {},
      annotations: {},
      finalizers: [],
    },
    spec,
  }
}

/** As the API server would give it back. */
function stored(object: { readonly metadata: object }): unknown {
  const metadata = { ...object.metadata, uid: 'u-2', resourceVersion: '2' }
  return JSON.parse(JSON.stringify({ ...object, metadata }))
}

function randomSpec(random: Random): unknown {
  if (random.next() < 0.02) return nonsense(random, 3)
  return {
    ...maybe(random, 0.3, 'periodSeconds', () => number(random)),
    ...maybe(random, 0.2, 'fastPeriodSeconds', () => number(random)),
    ...maybe(random, 0.3, 'hosts', () => hosts(random)),
    ...maybe(random, 0.2, 'clusterIP', () => odd(random, 'None', ['', '10.96.0.9', 'x', 5])),
    ports: Array.from({ length: random.below(4) }, (_, index) => port(random, index)),
  }
}

function port(random: Random, index: number): unknown {
  if (random.next() < 0.02) return nonsense(random, 2)
  return {
    ...maybe(random, 0.98, 'name', () => odd(random, `p${index}`, ['p0', '', 'Bad_'])),
    ...maybe(random, 0.99, 'port', () => odd(random, 80 + index, [80, 0, -1, 'http'])),
    ...maybe(random, 0.5, 'targetPort', () => odd(random, 8080, [0, 1, 65_536])),
    ...maybe(random, 0.5, 'protocol', () => odd(random, 'TCP', ['UDP', 'SCTP', '', 'tcp'])),
    ...maybe(random, 0.9, 'hosts', () => hosts(random)),
    ...maybe(random, 0.2, 'timeoutSeconds', () => number(random)),
    ...maybe(random, 0.2, 'failureThreshold', () => number(random)),
    ...maybe(random, 0.2, 'successThreshold', () => number(random)),
    ...maybe(random, 0.5, 'tcpSocket', () => odd(random, {}, [{ enable: false }, []])),
    ...maybe(random, 0.1, 'httpGet', () => odd(random, {}, [{ scheme: 'HTTPS' }, { path: 5 }])),
    ...maybe(random, 0.05, 'udpSocket', () => odd(random, {}, [{ data: [1, 300] }])),
    ...maybe(random, 0.05, 'grpc', () => odd(random, {}, [{ service: 1 }])),
  }
}

function hosts(random: Random): unknown {
  if (random.next() < 0.02) return nonsense(random, 2)
  return Array.from({ length: random.below(6) }, () =>
    random.pick<unknown>([
      `10.0.${random.below(3)}.${random.below(9)}`,
      `10.0.${random.below(3)}.${random.below(9)}`,
      `2001:DB8::${random.below(9)}`,
      `2001:db8:0:0::${random.below(9)}`,
      'db.example.com',
      '127.0.0.1',
      'fe80::1',
      random.below(9),
      null,
    ]),
  )
}

function number(random: Random): unknown {
  const bad: readonly unknown[] = [-1, 1.5, 70_000, 1e12, '10', null]
  return random.next() < 0.05 ? random.pick(bad) : random.pick([0, 1, 3, 5, 10, 60])
}

function nonsense(random: Random, depth: number): unknown {
  if (depth === 0) return random.pick<unknown>([null, 'x', 0, -1, true, '\u0000', '😀', {}])
  const item = () => nonsense(random, depth - 1)
  return random.pick([() => [item(), item()], () => ({ ports: item(), hosts: item() }), item])()
}

/** Mostly `usual`, now and then something odd. */
function odd(random: Random, usual: unknown, others: readonly unknown[]): unknown {
  return random.next() < 0.1 ? random.pick(others) : usual
}

function maybe(
  random: Random,
  chance: number,
  key: string,
  value: () => unknown,
): Record<string, unknown> {
  return random.next() < chance ? { [key]: value() } : {}
}
