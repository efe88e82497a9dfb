// Server-side apply and managedFields over HTTP: golden ownership, conflicts, and the traps on the way
// from kubectl's client-side apply.

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { isMap, type Json, type JsonMap, listAt, mapAt, textAt } from './json.ts'
import {
  ENDPOINTS,
  endpoints,
  port,
  SERVICES,
  service,
  WIDGETS,
  widget,
  widgetCrd,
} from './samples.ts'
import { type ApiServer, startApiServer } from './server.ts'
import { patch, type Reply, send } from './test-client.ts'

let server: ApiServer
beforeEach(() => {
  server = startApiServer()
})
afterEach(() => server.stop())

function apply(path: string, manager: string, body: Json, force = true): Promise<Reply> {
  const query = `?fieldManager=${manager}${force ? '&force=true' : ''}`
  return patch(server, `${path}${query}`, 'apply-patch+yaml', body)
}

function applyService(manager: string, body: JsonMap, force = true): Promise<Reply> {
  return apply(`${SERVICES}/${textAt(body, 'metadata', 'name')}`, manager, body, force)
}

/** fieldsV1 by `manager operation subresource`. */
function owners(object: JsonMap): Record<string, Json> {
  return Object.fromEntries(
    listAt(object, 'metadata', 'managedFields').map((entry) => [
      [textAt(entry, 'manager'), textAt(entry, 'operation'), textAt(entry, 'subresource')]
        .join(' ')
        .trim(),
      mapAt(entry).fieldsV1 ?? null,
    ]),
  )
}

function portsOf(object: JsonMap): readonly string[] {
  return listAt(object, 'spec', 'ports').map((item) =>
    isMap(item) ? `${item.name}:${item.port}` : '',
  )
}

const wholePort = { '.': {}, 'f:name': {}, 'f:port': {}, 'f:protocol': {}, 'f:targetPort': {} }

test('an apply that creates owns exactly what it says, in the form of fieldsV1', async () => {
  const metadata = {
    labels: { app: 'wp' },
    ownerReferences: [{ apiVersion: 'v1', kind: 'Namespace', name: 'default', uid: 'u-1' }],
    finalizers: ['example.com/keep'],
  }
  const body = { ...service('wp', [port('web', 80)], metadata) }
  const { status, body: created } = await applyService('op', body)
  expect(status).toBe(201)
  expect(owners(created)).toEqual({
    'op Apply': {
      'f:metadata': {
        'f:finalizers': { 'v:"example.com/keep"': {} },
        'f:labels': { 'f:app': {} },
        'f:ownerReferences': { 'k:{"uid":"u-1"}': {} },
      },
      'f:spec': { 'f:ports': { 'k:{"port":80,"protocol":"TCP"}': wholePort } },
    },
  })
  expect(mapAt(created, 'spec').sessionAffinity).toBe('None')
})

test('a POST makes its manager own what the type defaults too, but not what the server allocates', async () => {
  const { body } = await send(server, 'POST', SERVICES, {
    body: service('wp', [{ port: 80 }], { annotations: { a: 'b' } }),
    userAgent: 'kubectl/v1.32',
  })
  expect(owners(body)).toEqual({
    'kubectl Update': {
      'f:metadata': { 'f:annotations': { '.': {}, 'f:a': {} } },
      'f:spec': {
        'f:internalTrafficPolicy': {},
        'f:ports': {
          '.': {},
          'k:{"port":80,"protocol":"TCP"}': {
            '.': {},
            'f:port': {},
            'f:protocol': {},
            'f:targetPort': {},
          },
        },
        'f:sessionAffinity': {},
        'f:type': {},
      },
    },
  })
})

test('applying the same again changes neither resourceVersion nor managedFields, and sends no event', async () => {
  const first = await applyService('op', service('wp', [port('web', 80)]))
  let events = 0
  server.onEvent(() => {
    events += 1
  })
  const second = await applyService('op', service('wp', [port('web', 80)]))
  expect(second.status).toBe(200)
  expect(second.body).toEqual(first.body)
  expect(events).toBe(0)
})

test('what our last apply owned alone goes when it is no longer applied', async () => {
  const labels = { a: '1', b: '2' }
  await applyService('op', service('wp', [port('web', 80), port('api', 90)], { labels }))
  const { body } = await applyService(
    'op',
    service('wp', [port('web', 80)], { labels: { a: '1' } }),
  )
  expect(portsOf(body)).toEqual(['web:80'])
  expect(mapAt(body, 'metadata').labels).toEqual({ a: '1' })
})

test('what another manager owns as well stays when we no longer apply it', async () => {
  await applyService('op', service('wp', [port('web', 80), port('api', 90)]))
  await applyService('other', service('wp', [port('api', 90)]))
  const { body } = await applyService('op', service('wp', [port('web', 80)]))
  expect(portsOf(body).toSorted()).toEqual(['api:90', 'web:80'])
})

test('a field of another manager with another value is a conflict with its path, unless forced', async () => {
  await send(server, 'POST', `${SERVICES}?fieldManager=hand`, {
    body: service('wp', [port('web', 80)], { labels: { a: '1' } }),
  })
  const wanted = service('wp', [{ ...port('web', 80), targetPort: 8080 }], { labels: { a: '2' } })
  const refused = await applyService('op', wanted, false)
  expect(refused.status).toBe(409)
  expect(refused.body.message).toBe(
    'Apply failed with 2 conflicts: conflicts with "hand" using v1:\n' +
      '- .metadata.labels.a\n- .spec.ports[port=80,protocol="TCP"].targetPort',
  )
  expect(listAt(refused.body, 'details', 'causes')).toEqual([
    {
      reason: 'FieldManagerConflict',
      message: 'conflict with "hand" using v1',
      field: '.metadata.labels.a',
    },
    {
      reason: 'FieldManagerConflict',
      message: 'conflict with "hand" using v1',
      field: '.spec.ports[port=80,protocol="TCP"].targetPort',
    },
  ])
  const forced = await applyService('op', wanted)
  expect(forced.status).toBe(200)
  const handOwns = owners(forced.body)['hand Update'] ?? {}
  expect(mapAt(handOwns, 'f:metadata')).toEqual({ 'f:labels': {} })
})

test('the same value from two managers is shared, not a conflict', async () => {
  await applyService('one', service('wp', [port('web', 80)]))
  const { status, body } = await applyService('two', service('wp', [port('web', 80)]), false)
  expect(status).toBe(200)
  expect(Object.keys(owners(body))).toEqual(['one Apply', 'two Apply'])
})

test('a forced apply leaves a port that kubectl apply made before, until ownership is rewritten', async () => {
  await send(server, 'POST', `${SERVICES}?fieldManager=kubectl-client-side-apply`, {
    body: service('wp', [port('old', 81), port('keep', 80)]),
  })
  const kept = await applyService('op', service('wp', [port('keep', 80)]))
  expect(portsOf(kept.body)).toEqual(['old:81', 'keep:80'])

  const moved = await applyService('op', service('wp', [port('keep', 90)]))
  expect(moved.status).toBe(422)
  expect(moved.body.message).toBe(
    'Service "wp" is invalid: spec.ports[2].name: Duplicate value: "keep"',
  )

  const entries = listAt(kept.body, 'metadata', 'managedFields')
  const ofKubectl = entries.find((entry) => textAt(entry, 'operation') === 'Update')
  const taken = { ...mapAt(ofKubectl), manager: 'op', operation: 'Apply' }
  const version = textAt(kept.body, 'metadata', 'resourceVersion')
  const rewrite = (resourceVersion: string) =>
    patch(server, `${SERVICES}/wp`, 'json-patch+json', [
      { op: 'replace', path: '/metadata/managedFields', value: [taken] },
      { op: 'replace', path: '/metadata/resourceVersion', value: resourceVersion },
    ])
  expect((await rewrite('1')).status).toBe(409)
  const rewritten = await rewrite(version)
  expect(rewritten.status).toBe(200)
  expect(Object.keys(owners(rewritten.body))).toEqual(['op Apply'])

  const clean = await applyService('op', service('wp', [port('keep', 90)]))
  expect(portsOf(clean.body)).toEqual(['keep:90'])
})

test('managedFields [{}] forgets all owners, and the next apply meets before-first-apply', async () => {
  await applyService('op', service('wp', [port('web', 80)]))
  const reset = await patch(server, `${SERVICES}/wp`, 'merge-patch+json', {
    metadata: { managedFields: [{}] },
  })
  expect(mapAt(reset.body, 'metadata').managedFields).toBeUndefined()
  const { body } = await applyService('op', service('wp', [port('web', 80)]), false)
  expect(Object.keys(owners(body))).toEqual(['op Apply', 'before-first-apply Update'])
})

test('Endpoints.subsets is one field: the last forced writer owns it whole', async () => {
  const path = `${ENDPOINTS}/wp`
  await apply(path, 'one', endpoints('wp', ['10.0.0.1']))
  const refused = await apply(path, 'two', endpoints('wp', ['10.0.0.2']), false)
  expect(refused.body.message).toBe('Apply failed with 1 conflict: conflict with "one": .subsets')
  const { body } = await apply(path, 'two', endpoints('wp', ['10.0.0.2']))
  expect(owners(body)).toEqual({ 'two Apply': { 'f:subsets': {} } })
})

test('status is owned by subresource, and conditions one by one', async () => {
  server.store.applyCrd(widgetCrd)
  server.store.create(widget('w', { size: 1 }))
  const status = (type: string) => ({
    apiVersion: 'example.com/v1',
    kind: 'Widget',
    metadata: { name: 'w' },
    status: { conditions: [{ type, status: 'True' }] },
  })
  await apply(`${WIDGETS}/w/status`, 'op', status('Ready'))
  const { body } = await apply(`${WIDGETS}/w/status`, 'other', status('Synced'), false)
  expect(listAt(body, 'status', 'conditions').map((item) => textAt(item, 'type'))).toEqual([
    'Ready',
    'Synced',
  ])
  expect(owners(body)).toMatchObject({
    'op Apply status': {
      'f:status': {
        'f:conditions': { 'k:{"type":"Ready"}': { '.': {}, 'f:status': {}, 'f:type': {} } },
      },
    },
  })
  expect(mapAt(body, 'metadata').generation).toBe(1)
})

test('a custom resource is owned by its schema: defaults belong to nobody, items to their key', async () => {
  server.store.applyCrd(widgetCrd)
  const spec = { size: 1, parts: [{ name: 'a' }], free: { x: { y: 1 } } }
  const { body } = await apply(`${WIDGETS}/w`, 'op', widget('w', spec))
  expect(mapAt(body, 'spec')).toEqual({
    size: 1,
    color: 'red',
    parts: [{ name: 'a', count: 1 }],
    free: { x: { y: 1 } },
  })
  expect(owners(body)).toEqual({
    'op Apply': {
      'f:spec': {
        'f:free': { 'f:x': { '.': {}, 'f:y': {} } },
        'f:parts': { 'k:{"name":"a"}': { '.': {}, 'f:name': {} } },
        'f:size': {},
      },
    },
  })
})

test.each([
  ['main path', ''],
  ['status', '/status'],
])('an apply to the %s needs a field manager', async (_, subresource) => {
  server.store.applyCrd(widgetCrd)
  const body = widget('w', { size: 1 })
  const reply = await patch(server, `${WIDGETS}/w${subresource}`, 'apply-patch+yaml', body)
  expect(reply.status).toBe(422)
  expect(textAt(reply.body, 'message')).toContain('fieldManager: Required value')
})

test('a Service port without protocol cannot be applied', async () => {
  const reply = await applyService('op', service('wp', [{ port: 80 }]))
  expect(reply.status).toBe(500)
  expect(reply.body.message).toBe(
    'failed to create typed patch object (default/wp; /v1, Kind=Service): .spec.ports: element 0: ' +
      'associative list with keys has an element that omits key field "protocol" (and doesn\'t have default value)',
  )
})

test('an apply may be YAML, and its resourceVersion is a precondition', async () => {
  const yaml = (version: string) =>
    `apiVersion: v1\nkind: Service\nmetadata: {name: wp${version}}\nspec:\n  clusterIP: None\n`
  expect((await apply(`${SERVICES}/wp`, 'op', yaml(''))).status).toBe(201)
  const stale = await apply(`${SERVICES}/wp`, 'op', yaml(', resourceVersion: "1"'))
  expect(stale.status).toBe(409)
  expect(stale.body.reason).toBe('Conflict')
})

test('merging keeps the order of the live list around the items that both have', async () => {
  await send(server, 'POST', SERVICES, {
    body: service('wp', [port('a', 1), port('b', 2), port('c', 3)]),
  })
  const { body } = await applyService('op', service('wp', [port('c', 3), port('d', 4)]))
  expect(portsOf(body)).toEqual(['a:1', 'b:2', 'c:3', 'd:4'])
})
