// The floor of the benchmark: the bare calls of each kind of attempt with nothing else around them, or
// nothing at all. Compiled to a program of its own. Arguments: mode, port, attempts a second, seconds to
// warm up, seconds to measure; addresses on standard input, comma separated. Prints one line of JSON.

import { connect } from 'node:net'
import {
  type Destination,
  destinationOf,
  EVENT,
  errnoName,
  IN_PROGRESS,
  type Libc,
  libc,
} from '../../probes/libc.ts'

/** As the operator's own tick, so that both do their work in portions of the same size. */
const TICK_MS = 50

const [mode = '', port = '', rate = '', warmSeconds = '', seconds = ''] = process.argv.slice(2)
const PORT = Number(port)
const GET = Buffer.from('GET / HTTP/1.1\r\nHost: bench\r\nAccept: */*\r\nConnection: close\r\n\r\n')
/** Preface, SETTINGS without push, HEADERS of a Check and its empty message: what a gRPC attempt sends. */
const CALL = Buffer.from(process.env.EO_BENCH_GRPC_CALL ?? '', 'hex')
/** How its last frame begins: HEADERS with END_HEADERS and END_STREAM, on stream 1. */
const CALL_END = Buffer.from([1, 5, 0, 0, 0, 1])
const SETTINGS_ACK = Buffer.from([0, 0, 0, 4, 1, 0, 0, 0, 0])
const PING = Buffer.from('ping')
const NOTHING = Buffer.alloc(0)
const NOWHERE = destinationOf({ host: '', port: 0 })

/** The same object each time for the same host, as the operator's targets are. */
type Attempt = (to: Destination) => Promise<void>

/** What waits for its first event, by descriptor. */
const waiting = new Map<number, () => void>()
let epoll = -1
let isLookDue = false

/**
 * The system calls that the operator makes, by the same means. Talks, and is done when `end` has come, or else
 * with whatever comes first; what comes before the end is acknowledged.
 */
function viaOwnCalls(
  type: 'stream' | 'datagram',
  request?: Uint8Array,
  end: Uint8Array = NOTHING,
): Attempt {
  const own = libc()
  if (!own) return () => Promise.reject(new Error('There is no libc that is known here'))
  const into = Buffer.alloc(64 * 1024)
  return (to) =>
    new Promise((resolve) => {
      const fd = checked(own.socket(type, to))
      const begun = own.connect(fd, to)
      if (begun !== IN_PROGRESS) checked(begun)
      const done = () => {
        waiting.delete(fd)
        own.close(fd)
        resolve()
      }
      const answered = () => {
        const count = checked(own.receive(fd, into))
        if (count === 0 || into.subarray(0, count).includes(end)) return done()
        say(SETTINGS_ACK)
      }
      const say = (bytes: Uint8Array) => {
        checked(own.send(fd, bytes))
        waiting.set(fd, answered)
      }
      const opened = () => {
        if (!request) return done()
        say(request)
        checked(own.arm(epoll, 'modify', fd, EVENT.in, fd))
      }
      if (epoll < 0) epoll = checked(own.newEpoll())
      const isOpen = type === 'datagram' && request
      checked(own.arm(epoll, 'add', fd, isOpen ? EVENT.in : EVENT.out, fd))
      if (isOpen) say(request)
      else waiting.set(fd, opened)
      lookSoon(own)
    })
}

function checked(result: number): number {
  if (result < 0) throw new Error(errnoName(result))
  return result
}

/** One look after a portion was begun, and one each millisecond while answers are waited for. */
function lookSoon(own: Libc): void {
  if (isLookDue) return
  isLookDue = true
  queueMicrotask(() => look(own))
}

function look(own: Libc): void {
  own.ready(epoll, (id) => waiting.get(id)?.())
  isLookDue = waiting.size > 0
  if (isLookDue) setTimeout(() => look(own), 1)
}

/** The connection that cannot be cancelled while it connects. Talks, and is done at the first answer. */
function viaBunConnect(request: Uint8Array | undefined): Attempt {
  return ({ host, port }) =>
    new Promise((resolve, reject) => {
      Bun.connect({
        hostname: host,
        port,
        socket: {
          open(socket) {
            if (request) socket.write(request)
            else {
              socket.end()
              resolve()
            }
          },
          data(socket) {
            socket.end()
            resolve()
          },
          error: (_, error) => reject(error),
        },
      }).catch(reject)
    })
}

/** The connection that can be cancelled. */
const viaNodeNet: Attempt = ({ host, port }) =>
  new Promise((resolve, reject) => {
    const socket = connect({ host, port })
    socket.on('error', reject)
    socket.on('connect', () => {
      socket.destroy()
      resolve()
    })
  })

const viaBunUdp: Attempt = async ({ host, port }) => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const socket = await Bun.udpSocket({
    hostname: '0.0.0.0',
    connect: { hostname: host, port },
    socket: { data: () => resolve() },
  })
  socket.send(PING)
  await promise
  socket.close()
}

const attempts: Readonly<Record<string, () => Attempt>> = {
  tcp: () => viaOwnCalls('stream'),
  http: () => viaOwnCalls('stream', GET),
  udp: () => viaOwnCalls('datagram', PING),
  grpc: () => viaOwnCalls('stream', CALL, CALL_END),
  'Bun tcp': () => viaBunConnect(undefined),
  'Bun http': () => viaBunConnect(GET),
  'Bun udp': () => viaBunUdp,
  'Bun grpc': () => viaBunConnect(CALL),
  'node:net tcp': () => viaNodeNet,
}

// No top-level await: bytecode needs a module without it.
void main(attempts[mode]?.())

async function main(attempt: Attempt | undefined): Promise<void> {
  if (!attempt) {
    setInterval(() => {}, 1_000)
    return
  }
  const hosts = (await Bun.stdin.text()).split(',')
  const all = hosts.map((host) => destinationOf({ host, port: PORT }))
  await run(attempt, all, Number(warmSeconds))
  const before = process.cpuUsage()
  const done = await run(attempt, all, Number(seconds))
  const { user, system } = process.cpuUsage(before)
  console.log(JSON.stringify({ cpuUs: (user + system) / done }))
  process.exit(0)
}

/** Attempts in portions at each tick, or one after another on 64 lanes when no rate is given. */
async function run(
  attempt: Attempt,
  all: readonly Destination[],
  forSeconds: number,
): Promise<number> {
  const endMs = performance.now() + forSeconds * 1000
  let begun = 0
  const one = () => attempt(all[begun++ % all.length] ?? NOWHERE)
  if (Number(rate) === 0) {
    const lane = async () => {
      while (performance.now() < endMs) await one()
    }
    await Promise.all(Array.from({ length: 64 }, lane))
    return begun
  }
  let running: Promise<void>[] = []
  let due = 0
  for (let lastMs = performance.now(); lastMs < endMs; ) {
    await Bun.sleep(TICK_MS)
    await Promise.all(running)
    const nowMs = performance.now()
    // What was missed while it was stopped is not made up for.
    due += (Math.min(nowMs - lastMs, 2 * TICK_MS) / 1000) * Number(rate)
    lastMs = nowMs
    running = []
    while (begun < due) running.push(one())
  }
  await Promise.all(running)
  return begun
}
