// What the server refuses, in the words of the real one: tables of one field each.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type Json, type JsonMap, listAt, mapAt, textAt } from './json.ts'
import {
  ENDPOINTS,
  endpoints,
  LEASES,
  port,
  SERVICES,
  service,
  WIDGETS,
  widget,
  widgetCrd,
} from './samples.ts'
import { type ApiServer, startApiServer } from './server.ts'
import { type Reply, send } from './test-client.ts'

let server: ApiServer
beforeAll(() => {
  server = startApiServer()
  server.store.applyCrd(widgetCrd)
})
afterAll(() => server.stop())

/** A dry run: the rules speak, nothing stays. */
function tryPost(path: string, body: JsonMap, query = ''): Promise<Reply> {
  return send(server, 'POST', `${path}?dryRun=All${query}`, { body })
}

function causes(reply: Reply): readonly string[] {
  return listAt(reply.body, 'details', 'causes').map(
    (cause) => `${textAt(cause, 'field')}: ${textAt(cause, 'message')}`,
  )
}

const PORT_RANGE = 'must be between 1 and 65535, inclusive'
const LABEL =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"

describe('a Service', () => {
  const rows: readonly (readonly [string, JsonMap, string | undefined])[] = [
    ['one port without a name', service('s', [{ port: 1 }]), undefined],
    ['port 65535', service('s', [{ port: 65535 }]), undefined],
    [
      'port 0',
      service('s', [{ port: 0, targetPort: 1 }]),
      `spec.ports[0].port: Invalid value: 0: ${PORT_RANGE}`,
    ],
    [
      'port 65536',
      service('s', [{ port: 65536, targetPort: 1 }]),
      `spec.ports[0].port: Invalid value: 65536: ${PORT_RANGE}`,
    ],
    ['no port', service('s', []), 'spec.ports: Required value'],
    [
      'two ports, one nameless',
      service('s', [port('a', 1), { port: 2 }]),
      'spec.ports[1].name: Required value',
    ],
    [
      'a port name twice',
      service('s', [port('a', 1), port('a', 2)]),
      'spec.ports[1].name: Duplicate value: "a"',
    ],
    [
      'a port name with a capital',
      service('s', [port('A', 1)]),
      `spec.ports[0].name: Invalid value: "A": ${LABEL}`,
    ],
    [
      'an unknown protocol',
      service('s', [{ port: 1, protocol: 'ICMP' }]),
      'spec.ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"',
    ],
    [
      'the same number for TCP and UDP',
      service('s', [port('a', 1), { ...port('b', 1), protocol: 'UDP' }]),
      undefined,
    ],
    ['a targetPort by name', service('s', [{ port: 1, targetPort: 'http' }]), undefined],
    [
      'a targetPort of 16 characters',
      service('s', [{ port: 1, targetPort: 'a123456789012345' }]),
      'spec.ports[0].targetPort: Invalid value: "a123456789012345": must be no more than 15 characters',
    ],
    [
      'a targetPort of digits',
      service('s', [{ port: 1, targetPort: '12' }]),
      'spec.ports[0].targetPort: Invalid value: "12": must contain at least one letter (a-z)',
    ],
    [
      'targetPort 65536',
      service('s', [{ port: 1, targetPort: 65536 }]),
      `spec.ports[0].targetPort: Invalid value: 65536: ${PORT_RANGE}`,
    ],
    [
      'an ExternalName',
      { ...service('s', []), spec: { type: 'ExternalName', externalName: 'x.y' } },
      undefined,
    ],
    ['headless without ports', { ...service('s', []), spec: { clusterIP: 'None' } }, undefined],
    [
      'a clusterIP that is none',
      { ...service('s', []), spec: { clusterIP: 'x', ports: [port('a', 1)] } },
      'spec.clusterIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    ],
    [
      'an unknown type',
      { ...service('s', []), spec: { type: 'X', ports: [port('a', 1)] } },
      'spec.type: Unsupported value: "X": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
    ],
    [
      'a name that starts with a digit',
      service('1s', [port('a', 1)]),
      `metadata.name: Invalid value: "1s": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')`,
    ],
    [
      'a label value with a slash',
      service('s', [port('a', 1)], { labels: { a: 'b/c' } }),
      `metadata.labels: Invalid value: "b/c": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
    ],
  ]
  test.each(rows)('with %s', async (_, body, cause) => {
    const reply = await tryPost(SERVICES, body)
    expect(causes(reply)).toEqual(cause === undefined ? [] : [cause])
    expect(reply.status).toBe(cause === undefined ? 201 : 422)
  })

  test('is completed: type, protocol, targetPort, families, addresses', async () => {
    const { body } = await send(server, 'POST', SERVICES, { body: service('full', [{ port: 80 }]) })
    const spec = mapAt(body, 'spec')
    expect(textAt(spec, 'clusterIP')).toMatch(/^10\.96\.\d+\.\d+$/)
    expect(spec).toEqual({
      clusterIP: textAt(spec, 'clusterIP'),
      clusterIPs: [textAt(spec, 'clusterIP')],
      internalTrafficPolicy: 'Cluster',
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
      sessionAffinity: 'None',
      type: 'ClusterIP',
    })
    expect(body.status).toEqual({ loadBalancer: {} })
  })

  test('gets the clusterIP that it asks for, once and inside the range, and keeps it', async () => {
    const asks = (name: string, clusterIP: string) => ({
      ...service(name, []),
      spec: { clusterIP, ports: [port('a', 1)] },
    })
    const post = (body: JsonMap) => send(server, 'POST', SERVICES, { body })
    expect((await post(asks('mine', '10.96.7.7'))).status).toBe(201)
    expect(causes(await post(asks('late', '10.96.7.7')))).toEqual([
      'spec.clusterIPs: Invalid value: ["10.96.7.7"]: failed to allocate IP 10.96.7.7: provided IP is already allocated',
    ])
    expect(causes(await post(asks('far', '10.97.0.1')))).toEqual([
      'spec.clusterIPs: Invalid value: ["10.97.0.1"]: failed to allocate IP 10.97.0.1: the provided IP (10.97.0.1) is not in the valid range. The range of valid IPs is 10.96.0.0/16',
    ])
    const put = (body: JsonMap) => send(server, 'PUT', `${SERVICES}/mine`, { body })
    expect(causes(await put(asks('mine', '10.96.7.8')))).toEqual([
      'spec.clusterIPs[0]: Invalid value: ["10.96.7.8"]: may not change once set',
    ])
    const kept = await put(service('mine', [port('b', 2)]))
    expect(textAt(kept.body, 'spec', 'clusterIP')).toBe('10.96.7.7')
    await send(server, 'DELETE', `${SERVICES}/mine`)
    expect((await post(asks('late', '10.96.7.7'))).status).toBe(201)
  })

  test('of type NodePort gets node ports of the range and keeps them', async () => {
    const body = { ...service('np', []), spec: { type: 'NodePort', ports: [{ port: 80 }] } }
    const created = await send(server, 'POST', SERVICES, { body })
    const nodePort = mapAt(listAt(created.body, 'spec', 'ports')[0]).nodePort
    expect(nodePort).toBeGreaterThanOrEqual(30000)
    const again = await send(server, 'PUT', `${SERVICES}/np`, { body })
    expect(mapAt(listAt(again.body, 'spec', 'ports')[0]).nodePort).toBe(nodePort ?? null)
    expect(textAt(again.body, 'metadata', 'resourceVersion')).toBe(
      textAt(created.body, 'metadata', 'resourceVersion'),
    )
  })
})

describe('an Endpoints address', () => {
  const field = 'subsets[0].addresses[0].ip'
  const loopback = 'may not be in the loopback range (127.0.0.0/8, ::1/128)'
  const linkLocal = 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'
  const multicast = 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'
  test.each([
    ['10.0.0.1', undefined],
    ['2001:db8::1', undefined],
    ['128.0.0.1', undefined],
    ['224.0.1.1', undefined],
    ['0.0.0.0', 'may not be unspecified (0.0.0.0)'],
    ['::', 'may not be unspecified (::)'],
    ['127.0.0.1', loopback],
    ['127.255.255.255', loopback],
    ['::1', loopback],
    ['169.254.1.1', linkLocal],
    ['fe80::1', linkLocal],
    ['224.0.0.1', multicast],
    ['ff02::1', multicast],
    ['db.internal', 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
    ['010.0.0.1', 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
    ['1:2:3', 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
    ['fe80::1%eth0', 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
  ])('%s', async (ip, rule) => {
    const reply = await tryPost(ENDPOINTS, endpoints('e', [ip]))
    const cause = `${field}: Invalid value: "${ip}": ${rule}`
    expect(causes(reply)).toEqual(rule === undefined ? [] : [cause])
  })

  test('on the loopback is fine with allowLoopback, and only that', async () => {
    const lax = startApiServer({ allowLoopback: true })
    const post = (ip: string) => send(lax, 'POST', ENDPOINTS, { body: endpoints('e', [ip]) })
    expect((await post('127.0.0.1')).status).toBe(201)
    expect((await post('169.254.1.1')).status).toBe(422)
    lax.stop()
  })
})

test('Endpoints need addresses, and names where there are several ports', async () => {
  const subset = (subset: JsonMap) => ({ ...endpoints('e', []), subsets: [subset] })
  const address = [{ ip: '10.0.0.1' }]
  expect(causes(await tryPost(ENDPOINTS, subset({ ports: [{ port: 1 }] })))).toEqual([
    'subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`',
  ])
  const ports = [{ name: 'a', port: 1 }, { port: 2 }]
  expect(causes(await tryPost(ENDPOINTS, subset({ addresses: address, ports })))).toEqual([
    'subsets[0].ports[1].name: Required value',
  ])
})

describe('a custom resource with', () => {
  const rows: readonly (readonly [string, JsonMap, string | undefined])[] = [
    ['size 1', { size: 1 }, undefined],
    ['size 9', { size: 9 }, undefined],
    [
      'size 0',
      { size: 0 },
      'spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1',
    ],
    [
      'size 10',
      { size: 10 },
      'spec.size: Invalid value: 10: spec.size in body should be less than or equal to 9',
    ],
    ['size null', { size: null }, 'spec.size: Required value'],
    ['code null, which counts as absent', { size: 1, code: null }, undefined],
    ['color null, which has a default', { size: 1, color: null }, undefined],
    ['no size', {}, 'spec.size: Required value'],
    [
      'a textual size',
      { size: '1' },
      'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"',
    ],
    [
      'a fractional size',
      { size: 1.5 },
      'spec.size: Invalid value: "number": spec.size in body must be of type integer: "number"',
    ],
    [
      'a color outside the list',
      { size: 1, color: 'x' },
      'spec.color: Unsupported value: "x": supported values: "red", "blue"',
    ],
    [
      'a short code',
      { size: 1, code: 'a' },
      'spec.code: Invalid value: "a": spec.code in body should be at least 2 chars long',
    ],
    [
      'a long code',
      { size: 1, code: 'abcde' },
      'spec.code: Too long: may not be more than 4 bytes',
    ],
    [
      'a code in capitals',
      { size: 1, code: 'AB' },
      'spec.code: Invalid value: "AB": spec.code in body should match \'^[a-z]+$\'',
    ],
    [
      'no tags in the list',
      { size: 1, tags: [] },
      'spec.tags: Invalid value: 0: spec.tags in body should have at least 1 items',
    ],
    [
      'three tags',
      { size: 1, tags: ['a', 'b', 'c'] },
      'spec.tags: Too many: 3: must have at most 2 items',
    ],
    [
      'a map for a list',
      { size: 1, tags: {} },
      'spec.tags: Invalid value: "object": spec.tags in body must be of type array: "object"',
    ],
    ['a numeric target', { size: 1, target: 5 }, undefined],
    ['a textual target', { size: 1, target: 'x' }, undefined],
    [
      'a boolean target',
      { size: 1, target: true },
      'spec.target: Invalid value: "boolean": spec.target in body must be of type integer,string: "boolean"',
    ],
    [
      'two parts of a name',
      { size: 1, parts: [{ name: 'a' }, { name: 'a' }] },
      'spec.parts[1]: Duplicate value: {"name":"a"}',
    ],
  ]
  test.each(rows)('%s', async (_, spec, cause) => {
    const reply = await tryPost(WIDGETS, widget('w', spec))
    expect(causes(reply)).toEqual(cause === undefined ? [] : [cause])
    expect(reply.status).toBe(cause === undefined ? 201 : 422)
  })
})

test('a custom resource keeps free-form fields, loses unknown ones and gets defaults', async () => {
  const spec = { size: 1, free: { any: [1] }, unknown: 1, parts: [{ name: 'a', odd: true }] }
  const reply = await tryPost(WIDGETS, widget('w', spec))
  const expected: Json = {
    size: 1,
    color: 'red',
    free: { any: [1] },
    parts: [{ name: 'a', count: 1 }],
  }
  expect(mapAt(reply.body, 'spec')).toEqual(expected)
  expect(reply.headers.get('warning')).toBe(
    '299 - "unknown field \\"spec.unknown\\"", 299 - "unknown field \\"spec.parts[0].odd\\""',
  )
})

test.each([
  ['Ignore', 201, null],
  ['Warn', 201, '299 - "unknown field \\"spec.unknown\\""'],
  ['Strict', 400, null],
])('fieldValidation=%s decides about unknown fields', async (mode, status, warning) => {
  const body = widget('w', { size: 1, unknown: 1 })
  const reply = await tryPost(WIDGETS, body, `&fieldValidation=${mode}`)
  expect(reply.status).toBe(status)
  expect(reply.headers.get('warning')).toBe(warning)
  if (status === 400) {
    expect(reply.body.message).toBe(
      'Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "spec.unknown"',
    )
  }
})

describe('a Lease', () => {
  const lease = (spec: JsonMap): JsonMap => {
    return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'l' }, spec }
  }
  test('takes times of six digits only, as Go reads a MicroTime', async () => {
    const good = await tryPost(LEASES, lease({ renewTime: '2026-01-02T03:04:05.000001Z' }))
    expect(textAt(good.body, 'spec', 'renewTime')).toBe('2026-01-02T03:04:05.000001Z')
    const bad = await tryPost(LEASES, lease({ renewTime: '2026-01-02T03:04:05.001Z' }))
    expect(bad.status).toBe(400)
    expect(bad.body.message).toBe(
      'Lease in version "v1" cannot be handled as a Lease: parsing time "2026-01-02T03:04:05.001Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse ".001Z" as ".000000"',
    )
  })
  test('wants a positive duration', async () => {
    expect(causes(await tryPost(LEASES, lease({ leaseDurationSeconds: 0 })))).toEqual([
      'spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0',
    ])
  })
})

test('a wrong type in a built-in kind is a 400 of the decoder', async () => {
  const reply = await tryPost(SERVICES, service('s', [{ port: 'http' }]))
  expect(reply.status).toBe(400)
  expect(reply.body.message).toBe(
    'Service in version "v1" cannot be handled as a Service: json: cannot unmarshal string into Go struct field .spec.ports.port of type int32',
  )
})
