// Our own wires: what does not fit is sent later, what floods is read in pieces, what is freed is silent.

import { expect, test } from 'bun:test'
import { dial, type Line, Way } from '../../probes/dialers.ts'
import { descriptors, serve, until } from './asking.ts'

const silent: Line = { onOpen() {}, onData() {}, onFail() {}, onClose() {} }

test('more than the kernel takes at once arrives whole and in order', async () => {
  const sent = new Uint8Array(8 * 1024 * 1024).map((_, at) => at % 251)
  let arrived = 0
  const hash = new Bun.CryptoHasher('sha256')
  using host = await serve((socket) => {
    socket.pause()
    setTimeout(() => socket.resume(), 50)
    socket.on('data', (chunk: Buffer) => {
      arrived += chunk.length
      hash.update(chunk)
    })
  })
  const wire = dial(host.way, {
    ...silent,
    onOpen: () => {
      wire.write(sent.subarray(0, sent.length - 10))
      wire.write(sent.subarray(sent.length - 10))
    },
  })
  await until(() => arrived >= sent.length, 'all has arrived')
  expect(hash.digest('hex')).toBe(new Bun.CryptoHasher('sha256').update(sent).digest('hex'))
  wire.free()
})

test('a freed wire is silent, and writes to it go nowhere', async () => {
  const told: string[] = []
  using host = await serve((socket) => void socket.end('hello'))
  const before = descriptors()
  const line = Object.fromEntries(
    ['onOpen', 'onData', 'onFail', 'onClose'].map((name) => [name, () => told.push(name)]),
  ) as unknown as Line
  const wire = dial(host.way, line)
  wire.free()
  wire.free()
  wire.write(Buffer.from('x'))
  await Bun.sleep(30)
  expect(told).toEqual([])
  expect(descriptors()).toBeLessThanOrEqual(before)
})

test('what is handed out is not overwritten by what comes later', async () => {
  using host = await serve((socket) => {
    socket.write('first')
    setTimeout(() => socket.end('other'), 30)
  })
  const parts: string[] = []
  let isClosed = false
  const wire = dial(host.way, {
    ...silent,
    onData: (part) => void parts.push(part),
    onClose: () => {
      isClosed = true
      wire.free()
    },
  })
  await until(() => isClosed, 'the end is told')
  expect(parts).toEqual(['first', 'other'])
})

test('a connection that cannot be begun fails later, never before dial() has returned', async () => {
  let failed: unknown
  const wire = dial(new Way({ host: 'nonsense', port: 1 }, 'tcp'), {
    ...silent,
    onFail: (why) => (failed = why()),
  })
  expect(failed).toBeUndefined()
  await until(() => failed !== undefined, 'the failure is told')
  expect(await failed).toEqual({ result: 'unknown', reason: 'local failure (EINVAL)' })
  wire.free()
})

test('attempts that end at once and begin others leave the event loop to the rest of us', async () => {
  const way = new Way({ host: '127.0.0.1', port: 1 }, 'tcp')
  let left = 2_000
  let turns = 0
  const timer = setInterval(() => turns++, 1)
  await new Promise<void>((resolve) => {
    const next = () => {
      if (left-- === 0) resolve()
      else dial(way, { ...silent, onFail: next })
    }
    next()
  })
  clearInterval(timer)
  expect(turns).toBeGreaterThan(5)
})
