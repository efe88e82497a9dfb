// What a host sees of a TCP attempt.

import { expect, test } from 'bun:test'
import { failed, ok } from '../../probes/target.ts'
import { startResetting } from '../backends/misbehaving.ts'
import { startTcp } from '../backends/tcp.ts'
import { ask, tcp, until } from './asking.ts'

test('a TCP attempt sends nothing and closes politely', async () => {
  const { promise, resolve } = Promise.withResolvers<readonly string[]>()
  const seen: string[] = []
  const backend = await startTcp({ host: '127.0.0.1', port: 0 }, (socket) => {
    socket.on('data', () => seen.push('data'))
    socket.on('end', () => seen.push('end'))
    socket.on('error', (error) => seen.push(error.message))
    socket.on('close', () => resolve(seen))
  })
  expect(await ask(backend, tcp)).toEqual(ok)
  expect(await promise).toEqual(['end'])
  await backend.kill()
})

test('a TCP attempt on a host that accepts and resets at once is ok, whoever is faster', async () => {
  const backend = await startResetting({ host: '127.0.0.1', port: 0 }, 'accept')
  for (let attempts = 0; attempts < 50; attempts += 1) expect(await ask(backend, tcp)).toEqual(ok)
  await backend.kill()
})

test('a TCP attempt makes one connection', async () => {
  const backend = await startTcp({ host: '127.0.0.1', port: 0 })
  for (let attempts = 0; attempts < 3; attempts += 1) await ask(backend, tcp)
  await until(() => backend.hits() >= 3, 'the host has taken them all')
  expect(backend.hits()).toBe(3)
  await backend.kill()
})

test('a TCP attempt on a host that greets is ok', async () => {
  const greet = { host: '127.0.0.1', port: 0 }
  const backend = await startTcp(greet, (socket) => void socket.write('220 mail.example ESMTP\r\n'))
  expect(await ask(backend, tcp)).toEqual(ok)
  await backend.kill()
})

test('a TCP attempt follows a host down and up again', async () => {
  const backend = await startTcp({ host: '127.0.0.1', port: 0 })
  expect(await ask(backend, tcp)).toEqual(ok)
  await backend.kill()
  expect(await ask(backend, tcp)).toEqual(failed('connect ECONNREFUSED'))
  await backend.restart()
  expect(await ask(backend, tcp)).toEqual(ok)
  await backend.kill()
})
