import { describe, expect, test } from 'bun:test'
import { parseSpec } from '../../crds/clusterendpoint.ts'
import { desiredEndpoints } from '../../crds/endpoints.ts'
import { desiredService } from '../../crds/service.ts'
import { readStatus } from '../../crds/status.ts'
import { statusOf } from '../../crds/status-of.ts'
import { planOf } from '../../crds/targets.ts'
import { seed } from '../../probes/health.ts'
import { cepOf, noNames, strict } from './fixtures.ts'
import { hostileSpecs } from './hostile.ts'

const NOW_MS = Date.UTC(2026, 10, 22)
/** Milliseconds that one spec may take of everybody's time. */
const PATIENCE_MS = 1_000

/** All that the pure core makes of a spec. */
function bringThrough(spec: unknown) {
  const cep = cepOf(spec)
  const parsed = parseSpec({ ...cep, spec })
  const issues = parsed.ok ? [] : parsed.issues
  const { ports, targets, refused } = parsed.ok
    ? planOf(parsed.spec, strict)
    : { ports: [], targets: [], refused: [] }
  const hosts = targets.map((target) => ({ target, health: seed('healthy', NOW_MS, '') }))
  const observed = {
    ...{ generation: 1, issues, hosts, refused, names: noNames, ports },
    clusterIP: '10.96.0.10',
  }
  const done = { ok: true } as const
  const synced = {
    service: done,
    endpoints: done,
    carriers: 'Endpoints',
    families: [],
    familyPolicy: undefined,
    isFirstRoundIn: true,
  }
  const status = statusOf({ ...observed, ...synced }, undefined, NOW_MS)
  const service = desiredService(cep, parsed.ok ? parsed.spec.clusterIP : '', ports)
  return { issues, targets, refused, status, service, endpoints: desiredEndpoints(cep, targets) }
}

test('there are enough hostile specs, each with a name of its own', () => {
  expect(hostileSpecs.length).toBeGreaterThanOrEqual(40)
  expect(new Set(hostileSpecs.map(({ name }) => name)).size).toBe(hostileSpecs.length)
})

describe('a spec with', () => {
  for (const { name, spec, expect: expected } of hostileSpecs) {
    test(`${name} is told in a clear and bounded message, and nothing else happens`, () => {
      const fromMs = performance.now()
      const { issues, targets, refused, status } = bringThrough(spec)
      expect(performance.now() - fromMs).toBeLessThan(PATIENCE_MS)

      const messages = refused.map(({ message }) => message)
      if ('issue' in expected) {
        expect(issues.join('\n')).toContain(expected.issue)
        expect(targets).toEqual([])
      } else {
        expect(issues).toEqual([])
      }
      if ('refused' in expected) expect(messages.join('\n')).toContain(expected.refused)
      else expect(messages).toEqual([])

      expect(issues.length).toBeLessThanOrEqual(10)
      for (const text of [...issues, ...messages, ...refused.map(({ host }) => host)]) {
        expect(text.length).toBeLessThanOrEqual(256)
        expect(text).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
      }
      const bytes = JSON.stringify(status)
      expect(bytes.length).toBeLessThan(64_000)
      // As it comes back from etcd: nothing in it that is stored as something else.
      expect(Bun.deepEquals(readStatus(JSON.parse(bytes)), status, true)).toBe(true)
    })

    if ('refused' in expected) {
      test(`${name} keeps its good hosts`, () => {
        const { targets, endpoints, status } = bringThrough(spec)
        const good = Array.isArray(spec)
          ? 0
          : JSON.stringify(spec).includes('"10.33.40.151"')
            ? 1
            : 0
        expect(targets).toHaveLength(good)
        expect(endpoints.subsets.flatMap(({ addresses }) => addresses)).toHaveLength(good)
        expect(status.phase).toBe('UnHealthy')
      })
    }
  }
})

test('every hostile spec can be sent to an API server and means the same there', () => {
  for (const { name, spec } of hostileSpecs) {
    const text = JSON.stringify(spec)
    // What a single object may have, by the default limits of the API server and etcd.
    if (text.length > 1_500_000) throw new Error(`${name} has ${text.length} characters`)
    const { issues, refused } = bringThrough(spec)
    const sent = bringThrough(JSON.parse(text))
    // Not word for word: JSON has no Infinity.
    expect(sent.issues.length > 0).toBe(issues.length > 0)
    expect(sent.refused).toEqual(refused)
  }
})

test('no hostile spec changes what objects are', () => {
  for (const { spec } of hostileSpecs) bringThrough(spec)
  const bare: Readonly<Record<string, unknown>> = {}
  for (const key of ['ports', 'port', 'enable', 'hosts']) expect(bare[key]).toBeUndefined()
})

test('a hostile spec a hundred times in a row takes no more memory than once', () => {
  const spec = hostileSpecs.find(({ name }) => name.includes('wrong bytes'))?.spec
  const round = () => {
    for (let turn = 0; turn < 20; turn++) bringThrough(spec)
    Bun.gc(true)
    return process.memoryUsage().heapUsed
  }
  const first = round()
  for (let turn = 0; turn < 4; turn++) round()
  expect(round() - first).toBeLessThan(30_000_000)
})
