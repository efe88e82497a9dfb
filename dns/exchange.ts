// One question to one name server: over UDP, and again over TCP when the answer did not fit.

import { connect } from 'node:net'
import { errorCode, wildcard } from '../probes/local.ts'
import { type Question, questionBytes, type Reply, readReply } from './message.ts'
import type { NameServer } from './servers.ts'

/** Resolves with what the server says, or `failed` with why it says nothing: at the latest when `signal` aborts. */
export async function exchange(
  server: NameServer,
  question: Question,
  signal: AbortSignal,
): Promise<Reply> {
  const reply = await overUdp(server, question, signal)
  return reply.kind === 'truncated' ? await overTcp(server, question, signal) : reply
}

/** From a port of its own, connected, so that only the server is heard; what answers another question is passed over. */
async function overUdp(
  server: NameServer,
  question: Question,
  signal: AbortSignal,
): Promise<Reply> {
  const { promise, resolve } = Promise.withResolvers<Reply>()
  const abort = () => resolve(timeout)
  signal.addEventListener('abort', abort)
  try {
    const socket = await Bun.udpSocket({
      hostname: wildcard(server.host),
      connect: { hostname: server.host, port: server.port },
      socket: {
        data: (_, bytes) => {
          const reply = readReply(bytes, question)
          if (reply) resolve(reply)
        },
        // Bun 1.4.5 passes the error alone; its types say (socket, error). The error is last in both.
        error: (...args: unknown[]) => resolve(failure(args.at(-1))),
      },
    })
    try {
      socket.send(questionBytes(question))
      return await promise
    } finally {
      socket.close()
    }
  } catch (error) {
    return failure(error)
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

async function overTcp(
  server: NameServer,
  question: Question,
  signal: AbortSignal,
): Promise<Reply> {
  const { promise, resolve } = Promise.withResolvers<Reply>()
  const abort = () => resolve(timeout)
  signal.addEventListener('abort', abort)
  const socket = connect(server)
  let received = Buffer.alloc(0)
  socket.on('connect', () => {
    const bytes = questionBytes(question)
    socket.write(Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]))
  })
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk])
    // Source: RFC 1035 section 4.2.2: the length comes first.
    if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return
    const reply = readReply(received.subarray(2, 2 + received.readUInt16BE(0)), question)
    resolve(reply && reply.kind !== 'truncated' ? reply : malformed)
  })
  socket.on('error', (error) => resolve(failure(error)))
  socket.on('close', () => resolve(malformed))
  try {
    return await promise
  } finally {
    signal.removeEventListener('abort', abort)
    socket.destroy()
  }
}

const timeout: Reply = { kind: 'failed', reason: 'timeout' }
const malformed: Reply = { kind: 'failed', reason: 'malformed answer' }

/** `failed` with the system's name for what went wrong, such as ECONNREFUSED. */
function failure(error: unknown): Reply {
  return { kind: 'failed', reason: errorCode(error) }
}
