// Hosts that answer anything at all: random bytes, and good answers with bytes changed, cut, repeated.
// Whatever comes, an attempt resolves, says something short, and only a good answer is ok.

import { expect, test } from 'bun:test'
import type { Probe } from '../../probes/target.ts'
import { END, END_HEADERS, fields, frame } from '../backends/scripted-http2.ts'
import { startTcp } from '../backends/tcp.ts'
import { ask, descriptors, grpc, http, until } from './asking.ts'

const SEED = Number(process.env.FUZZ_SEED ?? 20_261_122)
const ROUNDS = Number(process.env.FUZZ_ROUNDS ?? 300)
const AT_ONCE = 30

const httpAnswer = Buffer.from(
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 4\r\n\r\nbody',
)
const grpcAnswer = Buffer.concat([
  frame('settings', 0, 0),
  frame('settings', END, 0),
  frame(
    'headers',
    END_HEADERS,
    1,
    fields({ ':status': '200', 'content-type': 'application/grpc' }),
  ),
  frame('data', 0, 1, Uint8Array.from([0, 0, 0, 0, 2, 8, 2])), // NOT_SERVING: one flip from ok
  frame('headers', END_HEADERS | END, 1, fields({ 'grpc-status': '0' })),
])

test.each<[string, Probe, Buffer]>([
  ['HTTP', http(), httpAnswer],
  ['gRPC', grpc, grpcAnswer],
])(
  `%s attempts survive ${ROUNDS} random answers (FUZZ_SEED=${SEED})`,
  async (_kind, probe, good) => {
    const random = generator(SEED)
    const backend = await startTcp({ host: '127.0.0.1', port: 0 }, (socket) => {
      const answer = random() < 0.3 ? randomBytes(random) : mutated(good, random)
      const at = Math.floor(random() * answer.length)
      const ending = random()
      socket.once('data', () => {
        socket.resume()
        socket.write(answer.subarray(0, at))
        setImmediate(() => {
          socket.write(answer.subarray(at))
          if (ending < 0.4) socket.end()
          else if (ending < 0.6) socket.resetAndDestroy()
        })
      })
    })
    const before = descriptors()
    let rounds = 0
    const lane = async () => {
      while (rounds < ROUNDS) {
        rounds += 1
        const outcome = await ask(backend, probe, 40)
        if (outcome.result === 'ok') continue
        expect(outcome.reason).toMatch(/^[\w ./()-]{1,60}$/)
        if (outcome.result === 'unknown') expect(outcome.reason).toBe('aborted')
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, lane))
    await backend.kill()
    await until(() => descriptors() <= before, 'all descriptors are back')
  },
)

function randomBytes(random: () => number): Buffer {
  return Buffer.from(Array.from({ length: random() * 500 }, () => random() * 256))
}

/** A copy with a few bytes changed, a piece cut out, or a piece repeated. */
function mutated(good: Buffer, random: () => number): Buffer {
  const bytes = Buffer.from(good)
  for (let changes = random() * 4; changes > 0; changes -= 1) {
    bytes[Math.floor(random() * bytes.length)] = random() * 256
  }
  const from = Math.floor(random() * bytes.length)
  const to = Math.floor(random() * bytes.length)
  const kind = random()
  return kind < 0.5 ? bytes : Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)])
}

/** mulberry32: small, and the same numbers for the same seed everywhere. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
