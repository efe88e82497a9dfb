// What a host sees of a UDP attempt, and whose answers count.

import { describe, expect, test } from 'bun:test'
import { failed, ok, unknown } from '../../probes/target.ts'
import { startFloodingUdp } from '../backends/misbehaving.ts'
import { startUdp } from '../backends/udp.ts'
import { ask } from './asking.ts'

const LOOPBACK = { host: '127.0.0.1', port: 0 }

describe('a UDP attempt', () => {
  test.each([
    ['text', Buffer.from('ping\n')],
    ['bytes', Uint8Array.from([0, 255, 13, 10, 0])],
    ['an empty datagram', new Uint8Array()],
    ['as much as a datagram holds', new Uint8Array(65_507).fill(7)],
  ])('sends %s, once', async (_sentence, data) => {
    const received: string[] = []
    const backend = await startUdp(LOOPBACK, (datagram, reply) => {
      received.push(Buffer.from(datagram).toString('hex'))
      reply(Buffer.from('pong'))
    })
    expect(await ask(backend, { kind: 'udp', data })).toEqual(ok)
    expect(received).toEqual([Buffer.from(data).toString('hex')])
    await backend.kill()
  })

  test('fails when the data fits in no datagram', async () => {
    const backend = await startUdp(LOOPBACK)
    const data = new Uint8Array(65_508)
    expect(await ask(backend, { kind: 'udp', data })).toEqual(failed('send EMSGSIZE'))
    expect(backend.hits()).toBe(0)
    await backend.kill()
  })

  test('takes an empty answer for an answer', async () => {
    const backend = await startUdp(LOOPBACK, (_datagram, reply) => reply(new Uint8Array()))
    expect(await ask(backend, { kind: 'udp', data: new Uint8Array() })).toEqual(ok)
    await backend.kill()
  })

  test('hears only the host that it asked', async () => {
    const stranger = await Bun.udpSocket({ hostname: '127.0.0.1', port: 0, socket: { error() {} } })
    const backend = await Bun.udpSocket({
      hostname: '127.0.0.1',
      port: 0,
      socket: { data: (_socket, data, port, address) => void stranger.send(data, port, address) },
    })
    const address = { host: '127.0.0.1', port: backend.port }
    expect(await ask(address, { kind: 'udp', data: new Uint8Array() }, 100)).toEqual(
      unknown('aborted'),
    )
    backend.close()
    stranger.close()
  })

  test('is over at the first of many answers', async () => {
    const backend = await startFloodingUdp(LOOPBACK, 5_000)
    for (let attempts = 0; attempts < 5; attempts += 1) {
      expect(await ask(backend, { kind: 'udp', data: new Uint8Array(1) })).toEqual(ok)
    }
    expect(backend.hits()).toBe(5)
    await backend.kill()
  })
})
