import { describe, expect, test } from 'bun:test'
import { crd } from '../../crds/generate.ts'
import { issuesOf, specOf } from './fixtures.ts'
import { hostileSpecs } from './hostile.ts'

type Node = Readonly<Record<string, unknown>>

const checkedIn = await Bun.file(
  new URL('../../crds/clusterendpoints.yaml', import.meta.url),
).text()
const sampleText = await Bun.file(
  new URL('../../deploy/samples/wordpress.yaml', import.meta.url),
).text()

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What stands at `path` (numbers are places in lists); throws when there is nothing. */
function at(root: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((value, key) => {
    const next = Array.isArray(value) ? value[Number(key)] : isNode(value) ? value[key] : undefined
    if (next === undefined) throw new Error(`nothing at ${path.join('.')}`)
    return next
  }, root)
}

function nodeAt(root: unknown, ...path: readonly (string | number)[]): Node {
  const value = at(root, ...path)
  if (!isNode(value)) throw new Error(`no object at ${path.join('.')}`)
  return value
}

const version = nodeAt(crd(), 'spec', 'versions', 0)
const root = nodeAt(version, 'schema', 'openAPIV3Schema')
const spec = nodeAt(root, 'properties', 'spec')
const portSchema = nodeAt(spec, 'properties', 'ports', 'items')

type Place = { readonly path: string; readonly schema: Node; readonly isProperty: boolean }

/** Every schema in `schema`, itself first. */
function schemasIn(schema: Node, path: string, isProperty = false): Place[] {
  const properties = isNode(schema.properties) ? Object.entries(schema.properties) : []
  const items = isNode(schema.items) ? schemasIn(schema.items, `${path}[]`) : []
  return [
    { path, schema, isProperty },
    ...properties.flatMap(([name, child]) =>
      isNode(child) ? schemasIn(child, `${path}.${name}`, true) : [],
    ),
    ...items,
  ]
}

/** What an API server would say of `value`: enough of OpenAPI v3 for the keywords that we use. */
function refusals(schema: Node, value: unknown, path = 'spec'): string[] {
  if (schema['x-kubernetes-preserve-unknown-fields'] === true && schema.type === undefined)
    return []
  const wrong = (what: string) => [`${path}: ${what}`]
  const {
    type,
    minimum,
    maximum,
    pattern,
    maxLength,
    minItems,
    maxItems,
    properties,
    items,
    required,
  } = schema
  const allowed = schema.enum
  if (Array.isArray(allowed) && !allowed.includes(value)) return wrong('enum')
  switch (type) {
    case 'integer':
      if (!Number.isInteger(value)) return wrong('type')
      if (typeof minimum === 'number' && Number(value) < minimum) return wrong('minimum')
      if (typeof maximum === 'number' && Number(value) > maximum) return wrong('maximum')
      return []
    case 'boolean':
      return typeof value === 'boolean' ? [] : wrong('type')
    case 'string':
      if (typeof value !== 'string') return wrong('type')
      if (typeof pattern === 'string' && !new RegExp(pattern, 'u').test(value))
        return wrong('pattern')
      return typeof maxLength === 'number' && [...value].length > maxLength
        ? wrong('maxLength')
        : []
    case 'array':
      if (!Array.isArray(value)) return wrong('type')
      if (typeof minItems === 'number' && value.length < minItems) return wrong('minItems')
      if (typeof maxItems === 'number' && value.length > maxItems) return wrong('maxItems')
      return value.flatMap((each, index) =>
        isNode(items) ? refusals(items, each, `${path}[${index}]`) : [],
      )
    case 'object': {
      if (!isNode(value)) return wrong('type')
      const missing = (Array.isArray(required) ? required : []).filter(
        (key) => !Object.hasOwn(value, key),
      )
      return [
        ...missing.map((key) => `${path}.${key}: required`),
        ...Object.entries(isNode(properties) ? properties : {}).flatMap(([key, child]) =>
          Object.hasOwn(value, key) && isNode(child)
            ? refusals(child, value[key], `${path}.${key}`)
            : [],
        ),
      ]
    }
    default:
      return wrong(`no type: ${String(type)}`)
  }
}

/** `value` with the defaults of the schema where it says nothing, as an API server fills them. */
function defaulted(schema: Node, value: unknown): unknown {
  const { properties, items } = schema
  if (Array.isArray(value))
    return value.map((each) => (isNode(items) ? defaulted(items, each) : each))
  if (!isNode(value) || !isNode(properties)) return value
  const filled = Object.entries(properties).flatMap(([key, child]) => {
    if (!isNode(child)) return []
    if (Object.hasOwn(value, key)) return [[key, defaulted(child, value[key])]]
    return child.default === undefined ? [] : [[key, child.default]]
  })
  return { ...value, ...Object.fromEntries(filled) }
}

describe('crds/clusterendpoints.yaml', () => {
  test('is what is generated (run `bun run generate` and `bun run format`)', () => {
    expect(Bun.YAML.parse(checkedIn)).toEqual(crd())
  })

  test('says where it comes from', () => {
    expect(checkedIn).toStartWith('# Generated from crds/schema.ts')
  })

  test('is small enough for `kubectl apply`, which keeps a copy in an annotation', () => {
    expect(JSON.stringify(crd()).length).toBeLessThan(100_000)
  })
})

describe('the CRD', () => {
  test('has the names that existing clusters know', () => {
    expect(crd()).toMatchObject({
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'clusterendpoints.sealos.io' },
      spec: {
        group: 'sealos.io',
        scope: 'Namespaced',
        names: {
          kind: 'ClusterEndpoint',
          listKind: 'ClusterEndpointList',
          plural: 'clusterendpoints',
          singular: 'clusterendpoint',
          shortNames: ['cep'],
        },
      },
    })
    expect(version).toMatchObject({
      name: 'v1beta1',
      served: true,
      storage: true,
      subresources: { status: {} },
    })
  })

  test('shows phase, ready, cluster IP, age and, last, which host is out and why', () => {
    const columns = at(version, 'additionalPrinterColumns')
    expect(columns).toMatchObject([
      { name: 'Status', jsonPath: '.status.phase' },
      { name: 'Ready', jsonPath: '.status.ready' },
      { name: 'Cluster-IP', jsonPath: '.status.clusterIP' },
      { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
      { name: 'Message' },
    ])
  })

  test('uses no keyword that an API server of 1.20 does not know', () => {
    const known = new Set([
      'type',
      'description',
      'properties',
      'required',
      'items',
      'default',
      'enum',
      'minimum',
      'maximum',
      'maxLength',
      'pattern',
      'minItems',
      'maxItems',
      'format',
      'x-kubernetes-preserve-unknown-fields',
    ])
    for (const { path, schema } of schemasIn(root, '')) {
      expect({ path, unknown: Object.keys(schema).filter((key) => !known.has(key)) }).toEqual({
        path,
        unknown: [],
      })
    }
    expect(checkedIn).not.toContain('x-kubernetes-validations')
  })

  test('is structural: every schema has a type, but for udpSocket.data, which takes two', () => {
    const untyped = schemasIn(root, '').filter(({ schema }) => schema.type === undefined)
    expect(untyped.map(({ path }) => path)).toEqual(['.spec.ports[].udpSocket.data'])
    expect(untyped[0]?.schema['x-kubernetes-preserve-unknown-fields']).toBe(true)
  })

  test('describes every field', () => {
    // The API server itself describes these three.
    const standard = ['.apiVersion', '.kind', '.metadata']
    const silent = schemasIn(root, '').filter(
      ({ path, schema, isProperty }) =>
        isProperty &&
        !standard.includes(path) &&
        !(typeof schema.description === 'string' && schema.description.length > 5),
    )
    expect(silent.map(({ path }) => path)).toEqual([])
  })

  test('bounds every number, list and enumeration of the spec', () => {
    for (const { path, schema } of schemasIn(spec, 'spec')) {
      if (schema.type === 'integer') {
        expect({ path, min: schema.minimum, max: schema.maximum }).toEqual({
          path,
          min: expect.any(Number),
          max: expect.any(Number),
        })
      }
      if (schema.type === 'array')
        expect({ path, max: schema.maxItems }).toEqual({ path, max: expect.any(Number) })
    }
    expect(nodeAt(portSchema, 'properties', 'port')).toMatchObject({ minimum: 1, maximum: 65_535 })
    expect(nodeAt(portSchema, 'properties', 'targetPort')).toMatchObject({
      minimum: 0,
      maximum: 65_535,
    })
    expect(at(portSchema, 'properties', 'protocol', 'enum')).toEqual(['TCP', 'UDP', 'SCTP', ''])
    expect(at(portSchema, 'properties', 'httpGet', 'properties', 'scheme', 'enum')).toEqual([
      'http',
      'https',
      'HTTP',
      'HTTPS',
      '',
    ])
    expect(at(root, 'properties', 'status', 'properties', 'phase', 'enum')).toEqual([
      'Pending',
      'Healthy',
      'UnHealthy',
    ])
  })

  test('asks for ports and their number only', () => {
    const asking = schemasIn(root, '').filter(
      ({ path, schema }) => schema.required !== undefined && !path.startsWith('.status'),
    )
    expect(asking.map(({ path, schema }) => `${path} ${String(schema.required)}`)).toEqual([
      ' spec',
      '.spec ports',
      '.spec.ports[] port',
      '.spec.ports[].httpGet.httpHeaders[] name',
    ])
  })

  test('has defaults that it would itself accept', () => {
    for (const { path, schema } of schemasIn(root, '')) {
      if (schema.default !== undefined) expect(refusals(schema, schema.default, path)).toEqual([])
    }
  })

  test('has patterns that are anchored, as Go matches anywhere', () => {
    for (const { path, schema } of schemasIn(root, '')) {
      const { pattern } = schema
      if (typeof pattern === 'string') expect(`${path} ${pattern}`).toMatch(/ \^.*\$$/)
    }
  })
})

describe('the CRD and the operator agree', () => {
  const probes: readonly [name: string, probe: object][] = [
    ['no probe', {}],
    ['TCP', { tcpSocket: {} }],
    ['a disabled TCP', { tcpSocket: { enable: false } }],
    [
      'HTTP',
      {
        httpGet: {
          path: '/a?b',
          scheme: 'HTTPS',
          httpHeaders: [{ name: 'A', value: 'b' }, { name: 'B' }],
        },
      },
    ],
    ['UDP with text', { udpSocket: { enable: true, data: 'x' } }],
    ['UDP with bytes', { udpSocket: { enable: true, data: [0, 255] } }],
    ['UDP with nothing', { udpSocket: {} }],
    ['gRPC', { grpc: { service: 'a' } }],
    [
      'zeros',
      {
        timeoutSeconds: 0,
        successThreshold: 0,
        failureThreshold: 0,
        targetPort: 0,
        protocol: '',
        name: '',
      },
    ],
  ]
  for (const [name, probe] of probes) {
    const value = { hosts: ['10.0.0.1'], ports: [{ port: 80, ...probe }] }
    test(`to accept ${name}`, () => {
      expect(issuesOf(value)).toEqual([])
      expect(refusals(spec, value)).toEqual([])
    })

    test(`on what the defaults of ${name} are, whoever fills them`, () => {
      expect(specOf(defaulted(spec, value))).toEqual(specOf(value))
    })
  }

  test("to accept the seed's sample", () => {
    const sample = nodeAt(Bun.YAML.parse(sampleText))
    expect(sample).toMatchObject({ apiVersion: 'sealos.io/v1beta1', kind: 'ClusterEndpoint' })
    expect(refusals(spec, at(sample, 'spec'))).toEqual([])
    expect(issuesOf(at(sample, 'spec'))).toEqual([])
  })

  const judged = hostileSpecs.filter(({ expect: expected }) => 'issue' in expected)
  test('that the operator never accepts what the CRD refuses, but for hosts, which it judges one by one', () => {
    for (const { name, spec: hostile } of hostileSpecs) {
      const refused = refusals(spec, JSON.parse(JSON.stringify(hostile))).filter(
        (each) => !/\.?hosts\[\d+\]: type$/.test(each),
      )
      if (refused.length > 0)
        expect({ name, issues: issuesOf(hostile).length > 0 }).toEqual({ name, issues: true })
    }
    expect(judged.length).toBeGreaterThan(20)
  })

  test('that only rules which OpenAPI cannot say are left to the operator', () => {
    const left = judged.filter(
      ({ spec: hostile }) => refusals(spec, JSON.parse(JSON.stringify(hostile))).length === 0,
    )
    expect(left.map(({ name }) => name).sort()).toEqual([
      '10,000 hosts for a thousand ports',
      '300,000 wrong bytes of data',
      'a cluster IP that is a command',
      'a cluster IP with a zone',
      'a header that smuggles a request',
      'a megabyte of data',
      'all four probes at once',
      'an object for data',
      'constructor for the name of two ports',
      'data 500 lists deep',
    ])
  })
})
