// The gRPC prober against grpc-js's server, and against servers that break HTTP/2 at every stage.

import { describe, expect, test } from 'bun:test'
import { status } from '@grpc/grpc-js'
import { version } from '../../package.json'
import { callBytes } from '../../probes/http2-call.ts'
import { octets } from '../../probes/octets.ts'
import { OCTETS_MAX } from '../../probes/recent.ts'
import { failed, type Outcome, ok, type Probe, unknown } from '../../probes/target.ts'
import { type HealthAnswer, startGrpc } from '../backends/grpc.ts'
import { startHttp } from '../backends/http.ts'
import {
  startClosing,
  startEndlessHttp2,
  startGoaway,
  startResetting,
  startSilentHttp2,
} from '../backends/misbehaving.ts'
import {
  END,
  END_HEADERS,
  type Ending,
  fields,
  frame,
  startScriptedHttp2,
  uint32,
} from '../backends/scripted-http2.ts'
import { startTcp } from '../backends/tcp.ts'
import { ask, grpc } from './asking.ts'

const LOOPBACK = { host: '127.0.0.1', port: 0 }
const closed = failed('connection closed before the response')
const reset = failed('HTTP/2 stream reset')
const goaway = failed('HTTP/2 GOAWAY')
const malformed = failed('malformed HTTP/2 response')
const floods = failed('too many HTTP/2 frames')
const aborted = unknown('aborted')

describe('against a gRPC server', () => {
  test.each<[HealthAnswer, Outcome]>([
    ['SERVING', ok],
    ['NOT_SERVING', failed('grpc NOT_SERVING')],
    ['UNKNOWN', failed('grpc UNKNOWN')],
    ['SERVICE_UNKNOWN', failed('grpc SERVICE_UNKNOWN')],
    ['never', aborted],
  ])('%s', async (answer, expected) => {
    const backend = await startGrpc({ ...LOOPBACK, answer: () => answer })
    expect(await ask(backend, grpc, answer === 'never' ? 100 : 5_000)).toEqual(expected)
    expect(backend.hits()).toBe(1)
    await backend.kill()
  })

  const codes = Object.keys(status).filter((name): name is keyof typeof status =>
    /^[A-Z]/.test(name),
  )
  test.each(codes.filter((code) => code !== 'OK'))('the call fails with %s', async (code) => {
    const backend = await startGrpc({ ...LOOPBACK, answer: () => ({ code }) })
    expect(await ask(backend, grpc)).toEqual(failed(`grpc ${code}`))
    await backend.kill()
  })

  test.each(['', 'db', 'ü', 'x'.repeat(120)])('the service %p is asked for', async (service) => {
    const asked: string[] = []
    const backend = await startGrpc({
      ...LOOPBACK,
      answer: (name) => {
        asked.push(name)
        return 'SERVING'
      },
    })
    const probe: Probe = { kind: 'grpc', service }
    expect(await ask(backend, probe)).toEqual(ok)
    expect(asked).toEqual([service])
    await backend.kill()
  })

  test('one without the health service fails', async () => {
    const backend = await startGrpc({ ...LOOPBACK, health: false })
    expect(await ask(backend, grpc)).toEqual(failed('grpc UNIMPLEMENTED'))
    await backend.kill()
  })

  test('every attempt has a connection of its own, also after the host came back', async () => {
    const backend = await startGrpc(LOOPBACK)
    expect(await ask(backend, grpc)).toEqual(ok)
    await backend.kill()
    expect(await ask(backend, grpc)).toEqual(failed('connect ECONNREFUSED'))
    await backend.restart()
    expect(await ask(backend, grpc)).toEqual(ok)
    await backend.kill()
  })
})

describe('on the wire', () => {
  test('a call is what gRPC says it is', async () => {
    const { promise, resolve } = Promise.withResolvers<Uint8Array>()
    const backend = await startTcp(LOOPBACK, (socket) => {
      socket.once('data', (bytes: Uint8Array) => {
        resolve(bytes)
        socket.end()
      })
    })
    await ask(backend, { kind: 'grpc', service: 'db' })
    const head = {
      ':method': 'POST',
      ':scheme': 'http',
      ':path': '/grpc.health.v1.Health/Check',
      ':authority': `127.0.0.1:${backend.port}`,
      te: 'trailers',
      'content-type': 'application/grpc',
      'user-agent': `kube-probe/${version}`,
    }
    const message = Uint8Array.from([0, 0, 0, 0, 4, 0x0a, 2, 0x64, 0x62])
    const call = callBytes(octets(fields(head)), octets(message))
    expect(Buffer.from(await promise)).toEqual(Buffer.from(call))
    await backend.kill()
  })

  test('settings are acknowledged before the answer is there', async () => {
    const backend = await startTcp(LOOPBACK, (socket) => {
      let received = ''
      socket.write(settings)
      socket.on('data', (bytes: Uint8Array) => {
        received += Buffer.from(bytes).toString('hex')
        if (received.endsWith('000000040100000000')) socket.write(Buffer.concat(good))
      })
    })
    expect(await ask(backend, grpc)).toEqual(ok)
    await backend.kill()
  })

  test.each([
    [16_000, ok],
    [17_000, failed('gRPC service name too long')],
  ])('a service name of %d bytes', async (bytes, expected) => {
    const backend = await startGrpc(LOOPBACK)
    const probe: Probe = { kind: 'grpc', service: 'x'.repeat(bytes) }
    expect(await ask(backend, probe)).toEqual(expected)
    await backend.kill()
  })
})

describe('against something else', () => {
  test('an HTTP/1.1 server fails', async () => {
    const backend = await startHttp(LOOPBACK)
    expect((await ask(backend, grpc)).result).toBe('failed')
    await backend.kill()
  })

  test.each([
    ['closes at once', startClosing, closed],
    ['says GOAWAY', startGoaway, goaway],
    ['never answers the call', startSilentHttp2, aborted],
    ['answers without end', startEndlessHttp2, failed('gRPC response too large')],
  ] as const)('a server that %s', async (_sentence, start, expected) => {
    const backend = await start(LOOPBACK)
    expect(await ask(backend, grpc, expected === aborted ? 100 : 5_000)).toEqual(expected)
    await backend.kill()
  })

  test.each(['accept', 'request', 'head', 'body'] as const)(
    'one that resets at %s',
    async (stage) => {
      const backend = await startResetting(LOOPBACK, stage)
      expect((await ask(backend, grpc)).result).toBe('failed')
      await backend.kill()
    },
  )
})

const settings = frame('settings', 0, 0)
const hello = [settings, frame('settings', END, 0)]
const head = (headers: Readonly<Record<string, string>>, flags = 0) =>
  frame('headers', END_HEADERS | flags, 1, fields(headers))
const answerHead = head({ ':status': '200', 'content-type': 'application/grpc' })
const serving = Uint8Array.from([0, 0, 0, 0, 2, 8, 1])
const trailers = head({ 'grpc-status': '0' }, END)
const good = [answerHead, frame('data', 0, 1, serving), trailers]
const noStatus = failed('no gRPC status in the response')

describe('frame by frame', () => {
  test.each<[sentence: string, frames: Uint8Array[], expected: Outcome, ending?: Ending]>([
    ['a good answer is ok', [...hello, ...good], ok],
    ['a good answer is ok when the host closes', [...hello, ...good], ok, 'close'],
    ['a good answer is ok when the host resets', [...hello, ...good], ok, 'reset'],
    ['an answer without settings', good, malformed],
    ['a good answer is ok behind hints', [...hello, head({ ':status': '103' }), ...good], ok],
    [
      'a good answer is ok behind GOAWAY',
      [...hello, frame('goaway', 0, 0, uint32(1, 0)), ...good],
      ok,
    ],
    [
      'a good answer is ok before RST_STREAM',
      [...hello, ...good, frame('rstStream', 0, 1, uint32(0))],
      ok,
    ],
    ['GOAWAY that leaves the call out', [...hello, frame('goaway', 0, 0, uint32(0, 0))], goaway],
    [
      'GOAWAY that leaves the call out, and a close',
      [...hello, frame('goaway', 0, 0, uint32(0, 0))],
      goaway,
      'close',
    ],
    ['GOAWAY with an error', [...hello, frame('goaway', 0, 0, uint32(1, 2))], goaway],
    [
      'GOAWAY that takes the call, and a close',
      [...hello, frame('goaway', 0, 0, uint32(1, 0))],
      closed,
      'close',
    ],
    ['RST_STREAM without an error', [...hello, frame('rstStream', 0, 1, uint32(0))], reset],
    ['RST_STREAM with a refusal', [...hello, frame('rstStream', 0, 1, uint32(7))], reset],
    ['RST_STREAM with a cancel', [...hello, frame('rstStream', 0, 1, uint32(8))], reset],
    ['a close behind the settings', hello, closed, 'close'],
    ['a reset behind the settings', hello, failed('read ECONNRESET'), 'reset'],
    ['a close behind the head', [...hello, answerHead], closed, 'close'],
    [
      'a status in the head',
      [...hello, head({ ':status': '200', 'grpc-status': '12' }, END)],
      failed('grpc UNIMPLEMENTED'),
    ],
    [
      'a status that is no number',
      [...hello, head({ ':status': '200', 'grpc-status': 'x' }, END)],
      failed('grpc UNKNOWN'),
    ],
    ['an HTTP error', [...hello, head({ ':status': '404' }, END)], failed('HTTP 404')],
    [
      'a web page',
      [...hello, head({ ':status': '200' }), frame('data', END, 1, Buffer.from('<html>'))],
      noStatus,
    ],
    [
      'a message without a status',
      [...hello, answerHead, frame('data', END, 1, serving)],
      noStatus,
    ],
    [
      'a status without a message',
      [...hello, answerHead, trailers],
      failed('malformed gRPC response'),
    ],
    [
      'half a message',
      [...hello, answerHead, frame('data', 0, 1, serving.subarray(0, 6)), trailers],
      failed('malformed gRPC response'),
    ],
    ['no room for a call', [frame('settings', 0, 0, Uint8Array.from([0, 3, 0, 0, 0, 0]))], aborted],
    [
      'no room for a request',
      [frame('settings', 0, 0, Uint8Array.from([0, 4, 0, 0, 0, 0]))],
      aborted,
    ],
    [
      'a flood of PINGs',
      [...hello, ...Array.from({ length: 20_000 }, () => frame('ping', 0, 0, new Uint8Array(8)))],
      floods,
    ],
    ['a flood of SETTINGS', Array.from({ length: 20_000 }, () => settings), floods],
    [
      'a head without end',
      [
        ...hello,
        frame('headers', 0, 1, fields({ ':status': '200' })),
        ...Array.from({ length: 5_000 }, () =>
          frame('continuation', 0, 1, fields({ a: 'x'.repeat(100) })),
        ),
      ],
      failed('response header too large'),
    ],
    [
      'a frame that is too large',
      [...hello, frame('data', 0, 1, new Uint8Array(1_000_000))],
      malformed,
    ],
    [
      'a header that is none',
      [...hello, frame('headers', END_HEADERS | END, 1, new Uint8Array(5).fill(255))],
      malformed,
    ],
    [
      'a push that was not asked for',
      [
        ...hello,
        frame('pushPromise', END_HEADERS, 1, Buffer.concat([uint32(2), fields({ ':path': '/' })])),
      ],
      malformed,
    ],
  ])('%s', async (_sentence, frames, expected, ending = 'stay') => {
    const backend = await startScriptedHttp2({ ...LOOPBACK, frames, ending })
    expect(await ask(backend, grpc, expected === aborted ? 100 : 5_000)).toEqual(expected)
    await backend.kill()
  })
})

describe('an answer that is known', () => {
  const notServing = Uint8Array.from([0, 0, 0, 0, 2, 8, 2])
  const ping = frame('ping', END, 0, new Uint8Array(8))
  const tooLong = Array.from({ length: OCTETS_MAX / ping.length + 1 }, () => ping)

  test.each<[sentence: string, frames: Uint8Array[], expected: Outcome]>([
    ['means the same again', good, ok],
    [
      'is told from one that says NOT_SERVING',
      [good[0] ?? head({}), frame('data', 0, 1, notServing), trailers],
      failed('grpc NOT_SERVING'),
    ],
    ['is told from its own beginning', good.slice(0, 2), closed],
    ['is told from one that begins with more', [ping, ...good], ok],
    ['may go on behind its end', [...good, frame('rstStream', 0, 1, uint32(8))], ok],
    ['may be longer than what is kept', [...tooLong, ...good], ok],
  ])('%s', async (_sentence, frames, expected) => {
    const backend = await startScriptedHttp2({
      ...LOOPBACK,
      frames: [...hello, ...frames],
      ending: 'close',
    })
    for (let attempts = 0; attempts < 3; attempts += 1) {
      expect(await ask(backend, grpc)).toEqual(expected)
    }
    await backend.kill()
  })
})
