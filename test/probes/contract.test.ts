// What is asked of every prober, whatever it speaks: it never rejects, says what is expected, and
// leaves no socket behind. A rejection without a handler fails any test; leak.test.ts counts them too.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { forgoLibc } from '../../probes/libc.ts'
import { type Address, failed, type Outcome, ok, type Probe, unknown } from '../../probes/target.ts'
import type { Backend } from '../backends/backend.ts'
import { startDeafTcp } from '../backends/deaf.ts'
import { startGrpc } from '../backends/grpc.ts'
import { startHttp } from '../backends/http.ts'
import {
  startEndlessBody,
  startEndlessHttp2,
  startFloodingUdp,
  startGarbage,
  startResetting,
  startSilentTcp,
  startSilentUdp,
} from '../backends/misbehaving.ts'
import { startTcp } from '../backends/tcp.ts'
import { startUdp } from '../backends/udp.ts'
import { ask, descriptors, grpc, http, tcp, udp, until } from './asking.ts'

type Start = (options: Address) => Promise<Pick<Backend, 'host' | 'port' | 'kill'>>
type Row = readonly [start: Start, expected: Outcome]

type Contract = {
  readonly probe: Probe
  readonly answers: (options: Address) => Promise<Backend>
  readonly refused: Outcome
  readonly silent: Start
  readonly late: Start
  readonly resets: Row
  readonly floods: Row
  readonly garbage: Row
}

/** How long a host that answers late takes. A deaf one, for TCP, takes until the SYN comes again: 1 s. */
const LATE_MS = 150
const aborted = unknown('aborted')

const contracts: Readonly<Record<Probe['kind'], Contract>> = {
  tcp: {
    probe: tcp,
    answers: (options) => startTcp(options),
    refused: failed('connect ECONNREFUSED'),
    silent: startDeafTcp,
    late: async (options) => {
      const deaf = await startDeafTcp(options)
      setTimeout(deaf.hear, LATE_MS)
      return deaf
    },
    resets: [(options) => startResetting(options, 'request'), ok], // nothing is sent: it never comes
    floods: [startGarbage, ok],
    garbage: [startGarbage, ok],
  },
  http: {
    probe: http(),
    answers: startHttp,
    refused: failed('connect ECONNREFUSED'),
    silent: startSilentTcp,
    late: (options) =>
      startHttp({ ...options, handler: () => Bun.sleep(LATE_MS).then(() => new Response('ok')) }),
    resets: [(options) => startResetting(options, 'request'), failed('read ECONNRESET')],
    floods: [startEndlessBody, ok],
    garbage: [startGarbage, failed('malformed HTTP response')],
  },
  udp: {
    probe: udp,
    answers: (options) => startUdp(options),
    refused: failed('read ECONNREFUSED'),
    silent: startSilentUdp,
    late: (options) => startUdp(options, (data, reply) => void setTimeout(reply, LATE_MS, data)),
    resets: [closedUdp, failed('read ECONNREFUSED')], // an ICMP is the nearest thing to a reset
    floods: [startFloodingUdp, ok],
    garbage: [(options) => startUdp(options, (_data, reply) => reply(Buffer.from('\0\xff'))), ok],
  },
  grpc: {
    probe: grpc,
    answers: startGrpc,
    refused: failed('connect ECONNREFUSED'),
    silent: startSilentTcp,
    late: (options) =>
      startGrpc({ ...options, answer: () => Bun.sleep(LATE_MS).then(() => 'SERVING') }),
    resets: [(options) => startResetting(options, 'request'), failed('read ECONNRESET')],
    floods: [startEndlessHttp2, failed('gRPC response too large')],
    garbage: [startGarbage, failed('malformed HTTP/2 response')],
  },
}

const questions = (['own', "Bun's"] as const).flatMap((sockets) =>
  Object.entries(contracts).map(([kind, contract]) => [kind, sockets, contract] as const),
)

describe.each(questions)('a %s attempt by %s sockets', (_kind, sockets, contract) => {
  const { probe } = contract
  beforeAll(() => forgoLibc(sockets !== 'own'))
  afterAll(() => forgoLibc(false))

  test('is ok when the host answers', async () => {
    await expectOutcome(contract.answers, probe, ok)
  })

  test('is ok when the host answers over IPv6', async () => {
    await expectOutcome((options) => contract.answers({ ...options, host: '::1' }), probe, ok)
  })

  test.each(['127.0.0.1', '::1'])('fails at once when %s refuses', async (host) => {
    await expectOutcome(
      async () => {
        const backend = await contract.answers({ host, port: 0 })
        await backend.kill()
        return backend
      },
      probe,
      contract.refused,
    )
  })

  test('waits for a host that never answers until it is aborted', async () => {
    await expectOutcome(contract.silent, probe, aborted, 100)
  })

  test('is ok when the host answers late but in time', async () => {
    await expectOutcome(contract.late, probe, ok)
  })

  test('ends when the host resets the connection', async () => {
    await expectOutcome(contract.resets[0], probe, contract.resets[1])
  })

  test('ends at once when the host floods', async () => {
    await expectOutcome(contract.floods[0], probe, contract.floods[1])
  })

  test('ends at once when the host talks garbage', async () => {
    await expectOutcome(contract.garbage[0], probe, contract.garbage[1])
  })

  test('sends nothing when it is aborted before it starts', async () => {
    const backend = await contract.answers({ host: '127.0.0.1', port: 0 })
    const before = descriptors()
    expect(await ask(backend, probe, AbortSignal.abort())).toEqual(aborted)
    expect(descriptors()).toBe(before)
    // A full attempt after it: had the first one sent anything, it would have arrived by now.
    expect(await ask(backend, probe)).toEqual(ok)
    await until(() => backend.hits() >= 1, 'the host has taken it')
    expect(backend.hits()).toBe(1)
    await backend.kill()
  })

  test('leaves no listener on its signal', async () => {
    const backend = await contract.answers({ host: '127.0.0.1', port: 0 })
    const { signal } = new AbortController()
    const listeners = new Set<unknown>()
    const watched = new Proxy(signal, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        return (type: string, listener: unknown) => {
          if (name === 'addEventListener') listeners.add(listener)
          if (name === 'removeEventListener') listeners.delete(listener)
          return value.call(target, type, listener)
        }
      },
    })
    expect(await ask(backend, probe, watched)).toEqual(ok)
    await until(() => listeners.size === 0, 'the listener is removed')
    await backend.kill()
    expect((await ask(backend, probe, watched)).result).toBe('failed')
    await until(() => listeners.size === 0, 'the listener is removed')
  })

  test('holds no socket any more when an abort mid-way has resolved it', async () => {
    const backend = await contract.silent({ host: '127.0.0.1', port: 0 })
    await ask(backend, probe, 20) // what is loaded at the first attempt is not this one's
    const before = await settledDescriptors()
    const controller = new AbortController()
    const outcome = ask(backend, probe, controller.signal)
    await until(() => descriptors() > before, 'the attempt has a socket')
    controller.abort()
    controller.abort()
    expect(await outcome).toEqual(aborted)
    await until(() => descriptors() <= before, 'the socket is freed')
    await backend.kill()
  })
})

/** Starts a backend, asks once, and sees that both end with as many descriptors as there were. */
async function expectOutcome(
  start: Start,
  probe: Probe,
  expected: Outcome,
  timeoutMs?: number,
): Promise<void> {
  const before = await settledDescriptors()
  const backend = await start({ host: '127.0.0.1', port: 0 })
  try {
    expect(await ask(backend, probe, timeoutMs)).toEqual(expected)
  } finally {
    await backend.kill()
  }
  await until(() => descriptors() <= before, 'all descriptors are back')
}

/** The count once it has stood still: what an earlier test closed may still be on its way out. */
async function settledDescriptors(): Promise<number> {
  let last = -1
  let since = performance.now()
  await until(() => {
    const now = descriptors()
    if (now !== last) since = performance.now()
    last = now
    return performance.now() - since > 20
  }, 'the descriptors stand still')
  return last
}

/** The address of a UDP port that nobody listens on. */
async function closedUdp(options: Address): Promise<Backend> {
  const backend = await startUdp(options)
  await backend.kill()
  return backend
}
