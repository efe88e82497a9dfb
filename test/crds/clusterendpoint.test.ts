import { describe, expect, test } from 'bun:test'
import { parseClusterEndpoint, parseSpec } from '../../crds/clusterendpoint.ts'
import { cepOf, issuesOf, only } from './fixtures.ts'

describe('parseClusterEndpoint()', () => {
  const metadata = { name: 'a', namespace: 'b', uid: 'c' }

  test('reads the least there can be', () => {
    expect(parseClusterEndpoint({ metadata })).toEqual({
      metadata: {
        ...metadata,
        resourceVersion: '',
        generation: 0,
        labels: {},
        annotations: {},
        finalizers: [],
      },
    })
  })

  test('reads what we look at and leaves the rest', () => {
    const more = {
      resourceVersion: '7',
      generation: 3,
      labels: { a: 'b' },
      annotations: { c: 'd' },
      finalizers: ['x/y'],
      deletionTimestamp: '2026-11-22T10:00:00Z',
    }
    const cep = parseClusterEndpoint({
      apiVersion: 'sealos.io/v1beta1',
      kind: 'ClusterEndpoint',
      metadata: { ...metadata, ...more, managedFields: [{}], creationTimestamp: 'x' },
      spec: { ports: 'whatever' },
      status: 7,
    })
    expect(cep).toEqual({
      metadata: { ...metadata, ...more },
      spec: { ports: 'whatever' },
      status: 7,
    })
  })

  test('does not look into spec and status', () => {
    for (const value of [null, 7, 'x', [], {}]) {
      expect(parseClusterEndpoint({ metadata, spec: value, status: value })).toMatchObject({
        spec: value,
        status: value,
      })
    }
  })

  test('keeps labels that are called as parts of every object', () => {
    const labels = { constructor: 'a', prototype: 'b', toString: 'c' }
    expect(Object.entries(cepOf({}, { labels }).metadata.labels)).toEqual(Object.entries(labels))
  })

  for (const [name, value] of [
    ['nothing', undefined],
    ['null', null],
    ['text', 'x'],
    ['a list', []],
    ['no metadata', { spec: {} }],
    ['no name', { metadata: { ...metadata, name: undefined } }],
    ['a name that is a number', { metadata: { ...metadata, name: 7 } }],
    ['labels that are a list', { metadata: { ...metadata, labels: ['a'] } }],
    ['labels that are numbers', { metadata: { ...metadata, labels: { a: 7 } } }],
    ['finalizers that are text', { metadata: { ...metadata, finalizers: 'x' } }],
  ] as const) {
    test(`throws at ${name}`, () => expect(() => parseClusterEndpoint(value)).toThrow())
  }
})

describe('parseSpec() lends the name to a Service', () => {
  const spec = { ports: [{ port: 80 }] }
  for (const name of ['a', 'wordpress', 'a-0', `a${'x'.repeat(62)}`]) {
    test(`${name.slice(0, 20)} (${name.length}) can be one`, () => {
      expect(parseSpec(cepOf(spec, { name })).ok).toBe(true)
    })
  }
  for (const name of ['', '0a', '-a', 'a-', 'A', 'a.b', 'a_b', 'a b', 'ä', `a${'x'.repeat(63)}`]) {
    test(`${JSON.stringify(name.slice(0, 20))} (${name.length}) cannot be one`, () => {
      const parsed = parseSpec(cepOf(spec, { name }))
      expect(parsed.ok ? '' : only(parsed.issues)).toStartWith('metadata.name: ')
    })
  }

  test('and tells that first, together with what is wrong in the spec', () => {
    const parsed = parseSpec(cepOf({}, { name: '0' }))
    expect(parsed.ok ? [] : parsed.issues.map((issue) => issue.split(':')[0])).toEqual([
      'metadata.name',
      'spec.ports',
    ])
  })
})

describe('the issues of parseSpec()', () => {
  const rows: readonly [spec: unknown, path: string][] = [
    [undefined, 'spec'],
    [{ ports: [{ port: 80 }], clusterIP: 'x' }, 'spec.clusterIP'],
    [{ ports: [{ port: 80 }], hosts: 7 }, 'spec.hosts'],
    [{ ports: 7 }, 'spec.ports'],
    [{ ports: [7] }, 'spec.ports[0]'],
    [{ ports: [{ port: 80 }, { name: 'b', port: 0 }] }, 'spec.ports[1].port'],
    [
      { ports: [{ port: 80, httpGet: { httpHeaders: [{ name: 'A' }, { name: 'b c' }] } }] },
      'spec.ports[0].httpGet.httpHeaders[1].name',
    ],
    [{ ports: [{ port: 80, udpSocket: { data: [1, 300] } }] }, 'spec.ports[0].udpSocket.data'],
    [{ ports: [{ port: 80, tcpSocket: {}, grpc: {} }] }, 'spec.ports[0]'],
  ]
  for (const [spec, path] of rows) {
    test(`begin with where it stands: ${path}`, () => {
      expect(only(issuesOf(spec))).toMatch(new RegExp(`^${path.replace(/[[\].]/g, '\\$&')}: \\S`))
    })
  }

  test('are all told, in the order of the spec', () => {
    const ports = [{ port: 0 }, { port: 1, name: 'B' }, {}]
    expect(issuesOf({ clusterIP: 'x', ports }).map((issue) => issue.split(':')[0])).toEqual([
      'spec.clusterIP',
      'spec.ports[0].port',
      'spec.ports[1].name',
      'spec.ports[2].port',
    ])
  })

  const bad = (count: number) => ({ ports: new Array(count).fill({ port: 0 }) })
  for (const [count, told, last] of [
    [9, 9, 'spec.ports[8].port'],
    [10, 10, 'spec.ports[9].port'],
    [11, 10, 'and 2 more'],
    [1_000, 10, 'and 991 more'],
  ] as const) {
    test(`are ${told} at most: ${count} end with "${last}"`, () => {
      const issues = issuesOf(bad(count))
      expect(issues).toHaveLength(told)
      expect(issues.at(-1)).toStartWith(last)
    })
  }

  const lengths: readonly [length: number, whole: boolean][] = [
    [10, true],
    [100, true],
    [1_000_000, false],
  ]
  for (const [length, whole] of lengths) {
    test(`have 256 characters at most, also of a value of ${length}`, () => {
      const issue = only(issuesOf({ ports: [{ port: 80, protocol: 'x'.repeat(length) }] }))
      expect(issue.length).toBeLessThanOrEqual(256)
      expect(issue.endsWith('…')).toBe(!whole)
      if (!whole) expect(issue).toHaveLength(256)
    })
  }

  test('hold nothing that forges a line or a look, and no half of a character', () => {
    for (const value of ['a\nb', '\u001b[31m', '\u202etxt', '\u2028', '\ud800', '😀'.repeat(200)]) {
      for (const pad of ['', 'x']) {
        const issue = only(issuesOf({ ports: [{ port: 80, protocol: pad + value }] }))
        expect(issue).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u)
        expect(issue.isWellFormed()).toBe(true)
      }
    }
  })

  test('are the same for the same spec', () => {
    const spec = { clusterIP: 'x', ports: [{ port: 0 }, { port: 80, tcpSocket: [], grpc: 7 }] }
    expect(issuesOf(spec)).toEqual(issuesOf(structuredClone(spec)))
  })
})
