// LIST in pages and WATCH: what a client sees, from which version on, and when it has to list again.

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { type JsonMap, listAt, mapAt, textAt } from './json.ts'
import { port, SERVICES, service, WIDGETS, widget, widgetCrd } from './samples.ts'
import { type ApiServer, startApiServer } from './server.ts'
import { openWatch, send, until, type WatchEvent } from './test-client.ts'

const PARTIAL = 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io'
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'

let server: ApiServer
beforeEach(() => {
  server = startApiServer({ historyMax: 5, bookmarkIntervalMs: 30 })
})
afterEach(() => server.stop())

function create(name: string, labels: JsonMap = {}): JsonMap {
  return server.store.create(service(name, [port('x', 1)], { labels }))
}

function nameOf(object: JsonMap): string {
  return textAt(object, 'metadata', 'name')
}

function seen(event: WatchEvent | undefined): string {
  return event === undefined ? 'END' : `${event.type} ${nameOf(event.object)}`.trim()
}

test('without a resourceVersion a watch begins with what is there', async () => {
  create('a')
  create('b')
  const watch = await openWatch(server, SERVICES)
  expect([seen(await watch.next()), seen(await watch.next())]).toEqual(['ADDED a', 'ADDED b'])
  server.store.patch('svc', 'default', 'a', { metadata: { labels: { x: 'y' } } })
  server.store.delete('svc', 'default', 'b')
  expect([seen(await watch.next()), seen(await watch.next())]).toEqual(['MODIFIED a', 'DELETED b'])
  watch.close()
})

test('the answer begins before there is an event', async () => {
  const watch = await openWatch(
    server,
    `${SERVICES}?resourceVersion=${server.store.resourceVersion}`,
  )
  expect(server.openWatches()).toBe(1)
  watch.close()
  await until(() => server.openWatches() === 0)
})

test('from a resourceVersion a watch begins with what came after it', async () => {
  const first = create('a')
  create('b')
  server.store.delete('svc', 'default', 'a')
  const since = textAt(first, 'metadata', 'resourceVersion')
  const watch = await openWatch(server, `${SERVICES}?resourceVersion=${since}`)
  expect([seen(await watch.next()), seen(await watch.next())]).toEqual(['ADDED b', 'DELETED a'])
  watch.close()
})

test('a deleted object comes in its last state under the version of its deletion', async () => {
  const object = create('a')
  const since = textAt(object, 'metadata', 'resourceVersion')
  const watch = await openWatch(server, `${SERVICES}?resourceVersion=${since}`)
  server.store.delete('svc', 'default', 'a')
  const event = await watch.next()
  expect(event?.object.spec).toEqual(object.spec ?? null)
  expect(textAt(event?.object, 'metadata', 'resourceVersion')).toBe(server.store.resourceVersion)
  watch.close()
})

test('a version older than the history is a 410 in the stream, then its end', async () => {
  const since = textAt(create('a'), 'metadata', 'resourceVersion')
  for (let index = 0; index < 6; index += 1) create(`b${index}`)
  const watch = await openWatch(server, `${SERVICES}?resourceVersion=${since}`)
  const event = await watch.next()
  expect(event).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } })
  expect(await watch.next()).toBeUndefined()
})

test('a version at the very end of the history still works', async () => {
  const since = textAt(create('a'), 'metadata', 'resourceVersion')
  for (let index = 0; index < 5; index += 1) create(`b${index}`)
  const watch = await openWatch(server, `${SERVICES}?resourceVersion=${since}`)
  expect(seen(await watch.next())).toBe('ADDED b0')
  watch.close()
})

test('compact() expires older watches and pages, but not those from now on', async () => {
  create('a')
  create('b')
  const page = await send(server, 'GET', `${SERVICES}?limit=1`)
  const old = textAt(page.body, 'metadata', 'resourceVersion')
  create('c')
  server.compact()
  const token = textAt(page.body, 'metadata', 'continue')
  const next = await send(server, 'GET', `${SERVICES}?limit=1&continue=${token}`)
  expect(next.status).toBe(410)
  expect(next.body.reason).toBe('Expired')
  const watch = await openWatch(server, `${SERVICES}?resourceVersion=${old}`)
  expect((await watch.next())?.type).toBe('ERROR')
  const fresh = await openWatch(
    server,
    `${SERVICES}?resourceVersion=${server.store.resourceVersion}`,
  )
  create('d')
  expect(seen(await fresh.next())).toBe('ADDED d')
  fresh.close()
})

test('bookmarks come at intervals and before the end, with the version reached, if asked for', async () => {
  const since = server.store.resourceVersion
  const query = `resourceVersion=${since}&timeoutSeconds=1`
  const marked = await openWatch(server, `${SERVICES}?${query}&allowWatchBookmarks=true`)
  const plain = await openWatch(server, `${SERVICES}?${query}`)
  // A write to another resource moves the bookmark too.
  server.store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'n' } })
  const bookmark = await marked.next()
  expect(bookmark).toEqual({
    type: 'BOOKMARK',
    object: {
      kind: 'Service',
      apiVersion: 'v1',
      metadata: { resourceVersion: server.store.resourceVersion, creationTimestamp: null },
    },
  })
  let last = bookmark
  for (let event = bookmark; event !== undefined; event = await marked.next()) last = event
  expect(last?.type).toBe('BOOKMARK')
  expect(await plain.next()).toBeUndefined()
})

test('an object that starts to match a selector is added, one that stops is deleted', async () => {
  create('a', { on: 'no' })
  const since = server.store.resourceVersion
  const watch = await openWatch(
    server,
    `${SERVICES}?labelSelector=on%3Dyes&resourceVersion=${since}`,
  )
  const label = (on: string) =>
    server.store.patch('svc', 'default', 'a', { metadata: { labels: { on } } })
  label('yes')
  expect(seen(await watch.next())).toBe('ADDED a')
  server.store.patch('svc', 'default', 'a', { metadata: { annotations: { x: 'y' } } })
  expect(seen(await watch.next())).toBe('MODIFIED a')
  const after = label('no')
  const gone = await watch.next()
  expect(seen(gone)).toBe('DELETED a')
  expect(mapAt(gone?.object, 'metadata', 'labels').on).toBe('yes')
  expect(textAt(gone?.object, 'metadata', 'resourceVersion')).toBe(after.metadata.resourceVersion)
  label('no')
  server.store.delete('svc', 'default', 'a')
  create('b', { on: 'yes' })
  expect(seen(await watch.next())).toBe('ADDED b')
  watch.close()
})

test('a watch of one namespace, or of one name, hears of nothing else', async () => {
  server.store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'n' } })
  const since = server.store.resourceVersion
  const byName = await openWatch(
    server,
    `${SERVICES}?fieldSelector=metadata.name%3Db&resourceVersion=${since}`,
  )
  const everywhere = await openWatch(server, `/api/v1/services?resourceVersion=${since}`)
  server.store.create(service('b', [port('x', 1)], { namespace: 'n' }))
  create('a')
  create('b')
  expect(seen(await byName.next())).toBe('ADDED b')
  const names = [await everywhere.next(), await everywhere.next(), await everywhere.next()]
  expect(names.map(seen)).toEqual(['ADDED b', 'ADDED a', 'ADDED b'])
  byName.close()
  everywhere.close()
})

test('PartialObjectMetadata is metadata only, in a get, a list and a watch', async () => {
  const { metadata } = create('a')
  const partial: JsonMap = {
    kind: 'PartialObjectMetadata',
    apiVersion: 'meta.k8s.io/v1',
    metadata: metadata ?? null,
  }
  const got = await send(server, 'GET', `${SERVICES}/a`, { accept: PARTIAL })
  expect(got.body).toEqual(partial)
  const list = await send(server, 'GET', SERVICES, {
    accept: PARTIAL.replace('Metadata;', 'MetadataList;'),
  })
  expect(list.body.kind).toBe('PartialObjectMetadataList')
  expect(listAt(list.body, 'items')).toEqual([partial])
  const watch = await openWatch(server, SERVICES, PARTIAL)
  expect(await watch.next()).toEqual({ type: 'ADDED', object: partial })
  watch.close()
})

test('a definition that is deleted ends its watches, after the deletions', async () => {
  server.store.applyCrd(widgetCrd)
  server.store.create(widget('w', { size: 1 }))
  const watch = await openWatch(server, WIDGETS)
  expect(seen(await watch.next())).toBe('ADDED w')
  server.store.delete('crd', '', 'widgets.example.com')
  expect(seen(await watch.next())).toBe('DELETED w')
  expect(await watch.next()).toBeUndefined()
})

test('pages are cut from one snapshot, whatever is written meanwhile', async () => {
  for (const name of ['a', 'b', 'c', 'd', 'e']) create(name)
  const names: string[] = []
  const versions = new Set<string>()
  let token = ''
  do {
    const { body } = await send(server, 'GET', `${SERVICES}?limit=2&continue=${token}`)
    names.push(...listAt(body, 'items').map((item) => textAt(item, 'metadata', 'name')))
    versions.add(textAt(body, 'metadata', 'resourceVersion'))
    token = textAt(body, 'metadata', 'continue')
    if (names.length === 2) {
      expect(mapAt(body, 'metadata').remainingItemCount).toBe(3)
      server.store.delete('svc', 'default', 'd')
      create('aa')
    }
  } while (token !== '')
  expect(names).toEqual(['a', 'b', 'c', 'd', 'e'])
  expect(versions.size).toBe(1)
})

test.each([
  ['app=web', ['a', 'b']],
  ['app==web,tier!=back', ['a']],
  ['app!=web', ['c', 'd']],
  ['tier', ['a', 'b']],
  ['!tier', ['c', 'd']],
  ['tier in (front, back)', ['a', 'b']],
  ['app notin (web,db)', ['d']],
  ['app in (db),!tier', ['c']],
  ['', ['a', 'b', 'c', 'd']],
])('labelSelector "%s" selects %p', async (selector, names) => {
  create('a', { app: 'web', tier: 'front' })
  create('b', { app: 'web', tier: 'back' })
  create('c', { app: 'db' })
  create('d')
  const query = `labelSelector=${encodeURIComponent(selector)}`
  const { body } = await send(server, 'GET', `${SERVICES}?${query}`)
  expect(listAt(body, 'items').map((item) => textAt(item, 'metadata', 'name'))).toEqual(names)
})

test('items of a built-in list have no kind, those of a custom list have', async () => {
  server.store.applyCrd(widgetCrd)
  create('a')
  server.store.create(widget('w', { size: 1 }))
  const services = await send(server, 'GET', SERVICES)
  const widgets = await send(server, 'GET', WIDGETS)
  expect(services.body.kind).toBe('ServiceList')
  expect(mapAt(listAt(services.body, 'items')[0]).kind).toBeUndefined()
  expect(mapAt(listAt(widgets.body, 'items')[0]).kind).toBe('Widget')
})

test.each([
  ['fieldSelector=spec.x%3D1', 400],
  ['labelSelector=a%20b', 400],
  ['resourceVersion=abc', 400],
  ['resourceVersion=99999999', 504],
  ['continue=xyz', 400],
  ['watch=true&sendInitialEvents=true', 422],
])('a list with %s is refused with %i', async (query, status) => {
  expect((await send(server, 'GET', `${SERVICES}?${query}`)).status).toBe(status)
})

test('a table has the columns of the kind', async () => {
  server.store.applyCrd(widgetCrd)
  server.store.create(widget('w', { size: 3 }))
  server.store.updateStatus({
    ...widget('w', { size: 3 }),
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  })
  const { body } = await send(server, 'GET', WIDGETS, { accept: TABLE })
  const titles = listAt(body, 'columnDefinitions').map((column) => textAt(column, 'name'))
  expect(titles).toEqual(['Name', 'Size', 'Ready', 'Age'])
  const [row] = listAt(body, 'rows')
  expect(mapAt(row).cells).toEqual(['w', 3, 'True', '0s'])
  expect(textAt(row, 'object', 'kind')).toBe('PartialObjectMetadata')
})

test('a large list is compressed for those who can read it', async () => {
  const annotations = { long: 'x'.repeat(200_000) }
  server.store.create(service('big', [port('x', 1)], { annotations }))
  const { headers, body } = await send(server, 'GET', SERVICES)
  expect(headers.get('content-encoding')).toBe('gzip')
  expect(listAt(body, 'items')).toHaveLength(1)
})
