// A host that has just been well is asked over Bun.connect: it is told the same as over node:net, and
// what cannot be cancelled stays bounded.

import { expect, test } from 'bun:test'
import { mayDialQuickly } from '../../probes/dialers.ts'
import { type Address, failed, type Outcome, ok, type Probe, unknown } from '../../probes/target.ts'
import type { Backend } from '../backends/backend.ts'
import { startDeafTcp } from '../backends/deaf.ts'
import { startGrpc } from '../backends/grpc.ts'
import { startHttp } from '../backends/http.ts'
import {
  startEndlessBody,
  startGarbage,
  startResetting,
  startSilentTcp,
} from '../backends/misbehaving.ts'
import { startTcp } from '../backends/tcp.ts'
import { ask, descriptors, grpc, http, tcp, until } from './asking.ts'

type Start = (options: Address) => Promise<Pick<Backend, 'host' | 'port' | 'kill'>>

const SHORT_MS = 100
const SETTLED = true
const plain: Start = (options) => startTcp(options)
const refusing: Start = async (options) => {
  const backend = await startTcp(options)
  await backend.kill()
  return backend
}
const resetting: Start = (options) => startResetting(options, 'request')

test.each<[sentence: string, probe: Probe, start: Start, expected: Outcome]>([
  ['TCP, answers', tcp, plain, ok],
  ['TCP, refuses', tcp, refusing, failed('connect ECONNREFUSED')],
  ['HTTP, answers', http(), startHttp, ok],
  ['HTTP, refuses', http(), refusing, failed('connect ECONNREFUSED')],
  ['HTTP, never answers', http(), startSilentTcp, unknown('aborted')],
  ['HTTP, resets', http(), resetting, failed('read ECONNRESET')],
  ['HTTP, talks garbage', http(), startGarbage, failed('malformed HTTP response')],
  ['HTTP, floods', http(), startEndlessBody, ok],
  ['gRPC, answers', grpc, startGrpc, ok],
  ['gRPC, refuses', grpc, refusing, failed('connect ECONNREFUSED')],
  ['gRPC, never answers', grpc, startSilentTcp, unknown('aborted')],
  ['gRPC, resets', grpc, resetting, failed('read ECONNRESET')],
  ['gRPC, talks garbage', grpc, startGarbage, failed('malformed HTTP/2 response')],
])('a settled host: %s', async (_sentence, probe, start, expected) => {
  const backend = await start({ host: '127.0.0.1', port: 0 })
  const before = descriptors()
  expect(await ask(backend, probe, SHORT_MS * 10, SETTLED)).toEqual(expected)
  await until(() => descriptors() <= before, 'the socket is freed')
  await backend.kill()
})

test('a settled host closes politely: the host sees an end, not a reset', async () => {
  const { promise, resolve } = Promise.withResolvers<readonly string[]>()
  const seen: string[] = []
  const backend = await startTcp({ host: '127.0.0.1', port: 0 }, (socket) => {
    socket.resume()
    socket.on('end', () => seen.push('end'))
    socket.on('error', (error) => seen.push(error.message))
    socket.on('close', () => resolve(seen))
  })
  expect(await ask(backend, tcp, SHORT_MS * 10, SETTLED)).toEqual(ok)
  expect(await promise).toEqual(['end'])
  await backend.kill()
})

test('a settled host that drops packets holds one descriptor, and closes it when it hears again', async () => {
  const deaf = await startDeafTcp({ host: '127.0.0.1', port: 0 })
  const before = descriptors()
  expect(await ask(deaf, tcp, SHORT_MS, SETTLED)).toEqual(unknown('aborted'))
  expect(descriptors()).toBe(before + 1)
  deaf.hear() // the kernel sends its SYN again after 1 s, 2 s, 4 s
  await until(() => descriptors() <= before, 'the late connection is closed', 10_000)
  await deaf.kill()
}, 15_000)

test('when too many connections cannot be cancelled, the next ones can', async () => {
  const deaf = await startDeafTcp({ host: '127.0.0.1', port: 0 })
  const before = descriptors()
  const waiting: Promise<Outcome>[] = []
  while (mayDialQuickly()) waiting.push(ask(deaf, tcp, SHORT_MS, SETTLED))
  const bound = waiting.length
  for (let more = 0; more < 50; more++) waiting.push(ask(deaf, tcp, SHORT_MS, SETTLED))
  const said = await Promise.all(waiting)
  expect(said.every(({ result }) => result === 'unknown')).toBe(true)
  await until(() => descriptors() <= before + bound, 'those that can be cancelled are freed')
  await deaf.kill() // refuses from now on, so that the rest ends with the next SYN
  await until(() => mayDialQuickly(), 'the others end', 10_000)
}, 30_000)
