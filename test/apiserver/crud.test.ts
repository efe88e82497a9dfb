// Objects over HTTP: create, read, replace, patch, delete, and what follows from a deletion.

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { type JsonMap, listAt, mapAt, textAt } from './json.ts'
import { LEASES, port, SERVICES, service, WIDGETS, widget, widgetCrd } from './samples.ts'
import { type ApiServer, startApiServer } from './server.ts'
import { patch, send, until } from './test-client.ts'

let server: ApiServer
beforeEach(() => {
  server = startApiServer({ gcDelayMs: 5 })
})
afterEach(() => server.stop())

const version = (object: JsonMap) => textAt(object, 'metadata', 'resourceVersion')
const generation = (object: JsonMap) => mapAt(object, 'metadata').generation

test('a created object can be read, and its name is taken', async () => {
  const body = service('wp', [port('web', 80)])
  const created = await send(server, 'POST', SERVICES, { body })
  expect(created.status).toBe(201)
  expect(textAt(created.body, 'metadata', 'uid')).toMatch(/^[0-9a-f-]{36}$/)
  const read = await send(server, 'GET', `${SERVICES}/wp`)
  expect(read.body).toEqual(created.body)
  const again = await send(server, 'POST', SERVICES, { body })
  expect(again.status).toBe(409)
  expect(again.body).toMatchObject({
    reason: 'AlreadyExists',
    message: 'services "wp" already exists',
    details: { name: 'wp', kind: 'services' },
  })
})

test('generateName makes up a name', async () => {
  const body = { ...service('', [port('web', 80)]), metadata: { generateName: 'wp-' } }
  const { body: created } = await send(server, 'POST', SERVICES, { body })
  expect(textAt(created, 'metadata', 'name')).toMatch(/^wp-[a-z0-9]{5}$/)
})

test.each([
  ['GET', `${SERVICES}/none`, 'services "none" not found'],
  ['DELETE', `${LEASES}/none`, 'leases.coordination.k8s.io "none" not found'],
])('%s %s is a 404 with a Status', async (method, path, message) => {
  const { status, body } = await send(server, method, path)
  expect(status).toBe(404)
  expect(body).toMatchObject({ kind: 'Status', reason: 'NotFound', message, code: 404 })
})

test.each([WIDGETS, '/apis/example.com/v1', '/nowhere', '/api/v1/namespaces/default/none'])(
  'GET %s is a 404 in plain text, as nothing serves it',
  async (path) => {
    const { status, body } = await send(server, 'GET', path)
    expect(status).toBe(404)
    expect(body.text).toBe('404 page not found\n')
  },
)

test('nothing is created in a namespace that does not exist', async () => {
  const path = '/api/v1/namespaces/nope/services'
  const { status, body } = await send(server, 'POST', path, { body: service('wp', [{ port: 1 }]) })
  expect(status).toBe(404)
  expect(body.message).toBe('namespaces "nope" not found')
})

test('PUT with an old resourceVersion is a conflict, with the current one it replaces', async () => {
  const { body: first } = await send(server, 'POST', SERVICES, {
    body: service('wp', [port('web', 80)], { labels: { a: '1' } }),
  })
  const next = { ...first, metadata: { ...mapAt(first, 'metadata'), labels: { a: '2' } } }
  const second = await send(server, 'PUT', `${SERVICES}/wp`, { body: next })
  expect(second.status).toBe(200)
  expect(Number(version(second.body))).toBeGreaterThan(Number(version(first)))
  const third = await send(server, 'PUT', `${SERVICES}/wp`, { body: next })
  expect(third.status).toBe(409)
  expect(third.body.message).toBe(
    'Operation cannot be fulfilled on services "wp": the object has been modified; please apply your changes to the latest version and try again',
  )
})

test('a PUT or PATCH that changes nothing keeps the resourceVersion and sends no event', async () => {
  const { body: first } = await send(server, 'POST', SERVICES, {
    body: service('wp', [port('web', 80)]),
  })
  let events = 0
  server.onEvent(() => {
    events += 1
  })
  const put = await send(server, 'PUT', `${SERVICES}/wp`, { body: first })
  const merged = await patch(server, `${SERVICES}/wp`, 'merge-patch+json', {
    spec: { sessionAffinity: 'None' },
  })
  expect([version(put.body), version(merged.body)]).toEqual([version(first), version(first)])
  expect(events).toBe(0)
})

test('leases need their resourceVersion, services do not', async () => {
  const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'l' } }
  await send(server, 'POST', LEASES, { body: lease })
  const refused = await send(server, 'PUT', `${LEASES}/l`, { body: lease })
  expect(refused.status).toBe(422)
  expect(textAt(refused.body, 'message')).toContain('metadata.resourceVersion: Invalid value')
  await send(server, 'POST', SERVICES, { body: service('wp', [port('web', 80)]) })
  const body = service('wp', [port('web', 81)])
  expect((await send(server, 'PUT', `${SERVICES}/wp`, { body })).status).toBe(200)
})

test('the generation counts changes of the spec, never of status or metadata', async () => {
  server.store.applyCrd(widgetCrd)
  const { body: first } = await send(server, 'POST', WIDGETS, {
    body: { ...widget('w', { size: 1 }), status: { phase: 'ignored' } },
  })
  expect(first.status).toBeUndefined()
  const path = `${WIDGETS}/w`
  const merge = (target: string, body: JsonMap) => patch(server, target, 'merge-patch+json', body)
  const labelled = await merge(path, { metadata: { labels: { a: 'b' } }, status: { phase: 'no' } })
  const status = await merge(`${path}/status`, { status: { phase: 'yes' }, spec: { size: 5 } })
  const sized = await merge(path, { spec: { size: 2 } })
  expect([first, labelled.body, status.body, sized.body].map(generation)).toEqual([1, 1, 1, 2])
  expect(sized.body).toMatchObject({ spec: { size: 2 }, status: { phase: 'yes' } })
})

test('a status PUT replaces the status alone', async () => {
  server.store.applyCrd(widgetCrd)
  const created = server.store.create(widget('w', { size: 1 }))
  const body = { ...created, spec: { size: 7 }, status: { phase: 'on' } }
  const reply = await send(server, 'PUT', `${WIDGETS}/w/status`, { body })
  expect(reply.body).toMatchObject({ spec: { size: 1 }, status: { phase: 'on' } })
  const read = await send(server, 'GET', `${WIDGETS}/w/status`)
  expect(read.body).toEqual(reply.body)
})

test('JSON patches test, add, replace and remove, or answer 422', async () => {
  await send(server, 'POST', SERVICES, {
    body: service('wp', [port('web', 80)], { labels: { 'a/b': '1', c: '2' } }),
  })
  const path = `${SERVICES}/wp`
  const ok = await patch(server, path, 'json-patch+json', [
    { op: 'test', path: '/metadata/labels/c', value: '2' },
    { op: 'replace', path: '/metadata/labels/a~1b', value: '3' },
    { op: 'remove', path: '/metadata/labels/c' },
    { op: 'add', path: '/spec/ports/-', value: port('api', 90) },
  ])
  expect(mapAt(ok.body, 'metadata').labels).toEqual({ 'a/b': '3' })
  expect(listAt(ok.body, 'spec', 'ports')).toHaveLength(2)
  const missing = [{ op: 'remove', path: '/metadata/labels/c' }]
  expect((await patch(server, path, 'json-patch+json', missing)).status).toBe(422)
})

test('strategic merge patches merge Service ports by number and obey their directives', async () => {
  await send(server, 'POST', SERVICES, {
    body: service('wp', [port('a', 1), port('b', 2), port('c', 3)]),
  })
  const { body } = await patch(server, `${SERVICES}/wp`, 'strategic-merge-patch+json', {
    spec: {
      $setElementOrder: undefined,
      '$setElementOrder/ports': [{ port: 3 }, { port: 1 }],
      ports: [
        { port: 1, targetPort: 11 },
        { port: 2, $patch: 'delete' },
      ],
    },
  })
  const ports = listAt(body, 'spec', 'ports').map((item) => {
    const { name, targetPort } = mapAt(item)
    return `${name}:${targetPort}`
  })
  expect(ports).toEqual(['c:3', 'a:11'])
})

test('DELETE honours preconditions and says what it deleted', async () => {
  server.store.applyCrd(widgetCrd)
  const { metadata } = server.store.create(widget('w', { size: 1 }))
  const wrong = { preconditions: { uid: 'other' } }
  expect((await send(server, 'DELETE', `${WIDGETS}/w`, { body: wrong })).status).toBe(409)
  const { status, body } = await send(server, 'DELETE', `${WIDGETS}/w`)
  expect(status).toBe(200)
  expect(body).toMatchObject({
    kind: 'Status',
    status: 'Success',
    details: { name: 'w', group: 'example.com', kind: 'widgets', uid: metadata.uid },
  })
})

test('an object with finalizers waits for the last of them', async () => {
  server.store.applyCrd(widgetCrd)
  server.store.create(widget('w', { size: 1 }, { finalizers: ['a.b/c'] }))
  const { body } = await send(server, 'DELETE', `${WIDGETS}/w`)
  expect(textAt(body, 'metadata', 'deletionTimestamp')).not.toBe('')
  const added = await patch(server, `${WIDGETS}/w`, 'merge-patch+json', {
    metadata: { finalizers: ['a.b/c', 'd.e/f'] },
  })
  expect(added.status).toBe(422)
  const finalizers = { metadata: { finalizers: null } }
  expect((await patch(server, `${WIDGETS}/w`, 'merge-patch+json', finalizers)).status).toBe(200)
  expect(server.store.get('widgets', 'default', 'w')).toBeUndefined()
})

test('dependents follow their owner, unless they have another one or are orphaned', async () => {
  server.store.applyCrd(widgetCrd)
  const owner = (name: string) => {
    const { metadata, kind, apiVersion } = server.store.create(widget(name, { size: 1 }))
    return { apiVersion, kind, name, uid: metadata.uid }
  }
  const [a, b, c] = [owner('a'), owner('b'), owner('c')]
  server.store.create(service('of-a', [port('x', 1)], { ownerReferences: [a] }))
  server.store.create(service('of-both', [port('x', 1)], { ownerReferences: [a, b] }))
  server.store.create(service('of-c', [port('x', 1)], { ownerReferences: [c] }))
  server.store.delete('widgets', 'default', 'a')
  await until(() => server.store.get('svc', 'default', 'of-a') === undefined)
  const left = () =>
    listAt(server.store.get('svc', 'default', 'of-both'), 'metadata', 'ownerReferences')
  await until(() => left().length === 1)
  const orphan = { propagationPolicy: 'Orphan' }
  await send(server, 'DELETE', `${WIDGETS}/c`, { body: orphan })
  await Bun.sleep(20)
  const kept = server.store.get('svc', 'default', 'of-c')
  expect(mapAt(kept, 'metadata').ownerReferences).toBeUndefined()
  expect(kept).toBeDefined()
})

test('an object whose owner never lived is collected too', async () => {
  const ghost = { apiVersion: 'v1', kind: 'Service', name: 'ghost', uid: 'gone' }
  server.store.create(service('wp', [port('x', 1)], { ownerReferences: [ghost] }))
  await until(() => server.store.get('svc', 'default', 'wp') === undefined)
})

test('a deleted CRD takes its objects along and its paths answer 404', async () => {
  server.store.applyCrd(widgetCrd)
  server.store.create(widget('w', { size: 1 }))
  expect((await send(server, 'GET', WIDGETS)).status).toBe(200)
  server.store.delete('crd', '', 'widgets.example.com')
  expect((await send(server, 'GET', WIDGETS)).status).toBe(404)
  server.store.applyCrd(widgetCrd)
  expect(server.store.list('widgets')).toEqual([])
})

test('a deleted namespace takes its content along', () => {
  server.store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'n' } })
  server.store.create(service('wp', [port('x', 1)], { namespace: 'n' }))
  server.store.delete('ns', '', 'n')
  expect(server.store.list('services')).toEqual([])
})

test('tokens and rules decide who may do what, and can change', async () => {
  server.setTokens({ secret: 'operator' })
  server.setForbid(
    (user, verb, resource) => user === 'operator' && verb === 'delete' && resource === 'services',
  )
  const get = (token: string) => send(server, 'GET', SERVICES, { token })
  const refused = await get('wrong')
  expect(refused.status).toBe(401)
  expect(refused.body).toMatchObject({ reason: 'Unauthorized', message: 'Unauthorized' })
  expect((await get('secret')).status).toBe(200)
  const forbidden = await send(server, 'DELETE', `${SERVICES}/wp`, { token: 'secret' })
  expect(forbidden.status).toBe(403)
  expect(forbidden.body.message).toBe(
    'services "wp" is forbidden: User "operator" cannot delete resource "services" in API group "" in the namespace "default"',
  )
  server.setTokens({ rotated: 'operator' })
  expect((await get('secret')).status).toBe(401)
  expect((await get('rotated')).status).toBe(200)
})

test('the request log tells who wrote what', async () => {
  await send(server, 'POST', SERVICES, { body: service('wp', [port('x', 1)]), userAgent: 'op/1' })
  await send(server, 'GET', `${SERVICES}/wp?x=1`)
  expect(server.count({ method: 'GET', resource: 'services', name: 'wp' })).toBe(1)
  expect(server.writes()).toMatchObject([
    { method: 'POST', path: SERVICES, userAgent: 'op/1', status: 201, namespace: 'default' },
  ])
  expect(server.requests.at(-1)?.query).toBe('x=1')
  server.clearLog()
  expect(server.count()).toBe(0)
})
