// Faults on demand: each does to a request or a stream what it says, as often as it says.

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { textAt } from './json.ts'
import { port, SERVICES, service } from './samples.ts'
import { type ApiServer, startApiServer } from './server.ts'
import { openWatch, send, until } from './test-client.ts'

let server: ApiServer
beforeEach(() => {
  server = startApiServer({ bookmarkIntervalMs: 20 })
})
afterEach(() => server.stop())

const post = (name: string) =>
  send(server, 'POST', SERVICES, { body: service(name, [port('x', 1)]) })
const get = () => send(server, 'GET', SERVICES)
const since = () => `${SERVICES}?resourceVersion=${server.store.resourceVersion}`
const create = (name: string) => server.store.create(service(name, [port('x', 1)]))

/** Reads a watch to its bitter end. */
async function drain(path: string, accept?: string): Promise<readonly string[]> {
  const watch = await openWatch(server, path, accept)
  const names: string[] = []
  for (let event = await watch.next(); event !== undefined; event = await watch.next()) {
    names.push(`${event.type} ${textAt(event.object, 'metadata', 'name')}`)
  }
  return names
}

test('a status fault answers with code, Retry-After and a Status, as often as asked', async () => {
  const fault = server.fault(
    { method: 'GET', resource: 'services', times: 2 },
    { kind: 'status', code: 429, retryAfter: 7 },
  )
  const replies = [await get(), await get(), await get()]
  expect(replies.map(({ status }) => status)).toEqual([429, 429, 200])
  expect(replies[0]?.headers.get('retry-after')).toBe('7')
  expect(replies[0]?.body).toMatchObject({ kind: 'Status', reason: 'TooManyRequests', code: 429 })
  expect(fault.hits).toBe(2)
})

test('a fault can be chosen by a predicate, and ends when it is removed', async () => {
  const fault = server.fault((info) => info.verb === 'create', { kind: 'status', code: 503 })
  expect((await post('a')).status).toBe(503)
  expect((await get()).status).toBe(200)
  fault.remove()
  expect((await post('a')).status).toBe(201)
})

test('a delayed request is handled late', async () => {
  server.fault({ method: 'POST' }, { kind: 'delay', delayMs: 60 })
  const start = performance.now()
  expect((await post('a')).status).toBe(201)
  expect(performance.now() - start).toBeGreaterThan(55)
})

test('a hung request is never answered, and does nothing', async () => {
  server.fault({ method: 'POST' }, { kind: 'hang' })
  const signal = AbortSignal.timeout(80)
  const body = JSON.stringify(service('a', [port('x', 1)]))
  const hung = fetch(server.url + SERVICES, { method: 'POST', body, signal })
  await expect(hung).rejects.toThrow()
  expect(server.store.list('services')).toEqual([])
  expect(server.requests.at(-1)?.status).toBe(0)
})

test('reset cuts the connection before, resetAfterApply after the write', async () => {
  const before = server.fault({ method: 'POST' }, { kind: 'reset' })
  await expect(post('a')).rejects.toThrow()
  expect(server.store.list('services')).toHaveLength(0)
  before.remove()
  server.fault({ method: 'POST' }, { kind: 'resetAfterApply' })
  await expect(post('a')).rejects.toThrow()
  expect(server.store.list('services')).toHaveLength(1)
})

test('cutWatch ends the open watch and spares the next when it may hit once', async () => {
  const watch = await openWatch(server, since())
  server.fault({ watch: true, times: 1 }, { kind: 'cutWatch', how: 'end' })
  expect(await watch.next()).toBeUndefined()
  const next = await openWatch(server, since())
  create('a')
  expect((await next.next())?.type).toBe('ADDED')
  next.close()
})

test('cutWatch can end a stream inside a line', async () => {
  const watch = await openWatch(server, since())
  server.fault({ watch: true, times: 1 }, { kind: 'cutWatch', how: 'midLine' })
  await expect(watch.next()).rejects.toThrow()
})

test('cutWatch can end a stream after so many bytes', async () => {
  const socket = connect(server.port, '127.0.0.1', () => {
    socket.write(`GET ${since()}&watch=true HTTP/1.1\r\nHost: x\r\n\r\n`)
  })
  const end = Promise.withResolvers<void>()
  let text = ''
  socket.on('data', (data) => {
    text += data.toString()
  })
  socket.on('close', () => end.resolve())
  await until(() => text.includes('\r\n\r\n'))
  server.fault({ watch: true, times: 1 }, { kind: 'cutWatch', how: { afterBytes: 10 } })
  create('a')
  await end.promise
  expect(text.slice(text.indexOf('\r\n\r\n') + 4)).toBe('a\r\n{"type":"A\r\n')
})

test('a silenced watch says nothing, not even a bookmark, until the fault is removed', async () => {
  const watch = await openWatch(server, `${since()}&allowWatchBookmarks=true`)
  const fault = server.fault({ watch: true }, { kind: 'silenceWatch' })
  create('a')
  await expect(watch.next(80)).rejects.toThrow('no event within')
  fault.remove()
  const types = [await watch.next(), await watch.next()].map((event) => event?.type)
  expect(types).toContain('ADDED')
  watch.close()
})

test('expire is a 410 in the stream and its end', async () => {
  const watch = await openWatch(server, since())
  server.fault({ watch: true, times: 1 }, { kind: 'expire' })
  expect(await watch.next()).toMatchObject({ type: 'ERROR', object: { code: 410 } })
  expect(await watch.next()).toBeUndefined()
})

test('chunking splits the stream anywhere, inside characters too', async () => {
  server.fault({ watch: true }, { kind: 'chunking', bytes: 3 })
  const watch = await openWatch(server, since())
  const annotations = { text: 'ä€😀' }
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
  for (const name of names) {
    server.store.create(service(name, [port('x', 1)], { annotations }))
    const event = await watch.next(5000)
    expect(textAt(event?.object, 'metadata', 'annotations', 'text')).toBe('ä€😀')
  }
  // On a busy machine the kernel joins some pieces again, hardly all of them.
  expect(watch.chunks.length).toBeGreaterThan(2 * names.length)
  watch.close()
})

test('duplicate sends every event twice', async () => {
  server.fault({ watch: true }, { kind: 'duplicate' })
  const names = drain(`${since()}&timeoutSeconds=1`)
  await until(() => server.openWatches() === 1)
  create('a')
  expect(await names).toEqual(['ADDED a', 'ADDED a'])
})

test('reorder swaps neighbours and loses none', async () => {
  server.fault({ watch: true }, { kind: 'reorder' })
  const names = drain(`${since()}&timeoutSeconds=1`)
  await until(() => server.openWatches() === 1)
  for (const name of ['a', 'b', 'c']) create(name)
  expect(await names).toEqual(['ADDED b', 'ADDED a', 'ADDED c'])
})

test('pause() cuts all connections and refuses new ones until resume(), on the same port', async () => {
  const watch = await openWatch(server, since())
  server.pause()
  await expect(watch.next()).rejects.toThrow()
  await expect(get()).rejects.toThrow()
  server.resume()
  expect((await get()).status).toBe(200)
})

test('a watcher that does not read is cut off before it costs much memory', async () => {
  const socket = connect(server.port, '127.0.0.1', () => {
    socket.write(`GET ${since()}&watch=true HTTP/1.1\r\nHost: x\r\n\r\n`)
  })
  socket.on('error', () => undefined)
  socket.pause()
  await until(() => server.openWatches() === 1)
  const annotations = { long: 'x'.repeat(200_000) }
  create('a')
  for (let index = 0; index < 400 && server.openWatches() > 0; index += 1) {
    server.store.patch('svc', 'default', 'a', {
      metadata: { annotations: { ...annotations, i: `${index}` } },
    })
    await Bun.sleep(0)
  }
  await until(() => server.openWatches() === 0)
  socket.destroy()
})
