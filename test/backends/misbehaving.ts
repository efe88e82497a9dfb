// Backends that do what hosts should not. Each takes an address (port 0 allowed) and is a Backend.

import { createServer as createHttp2Server, type ServerHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'
import type { Address } from '../../probes/target.ts'
import type { Backend } from './backend.ts'
import { type Script, startTcp } from './tcp.ts'
import { startUdp } from './udp.ts'

/** Accepts, reads, never says a word. */
export function startSilentTcp(options: Address): Promise<Backend> {
  return startTcp(options)
}

/** Hears datagrams, never answers. */
export function startSilentUdp(options: Address): Promise<Backend> {
  return startUdp(options, () => {})
}

/** Answers every datagram with a flood of `count`. */
export function startFloodingUdp(options: Address, count = 2_000): Promise<Backend> {
  return startUdp(options, (data, reply) => {
    for (let sent = 0; sent < count; sent += 1) reply(data)
  })
}

/** Sends a valid HTTP answer one byte at a time. */
export function startDripping(options: Address, intervalMs = 1_000): Promise<Backend> {
  const answer = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n')
  return startTcp(options, (socket) => {
    let at = 0
    socket.resume()
    const timer = setInterval(() => {
      if (at < answer.length) socket.write(answer.subarray(at, at + 1))
      at += 1
    }, intervalMs)
    socket.on('close', () => clearInterval(timer))
  })
}

/** 200, then a body without end, as fast as it is taken. */
export function startEndlessBody(options: Address): Promise<Backend> {
  return startTcp(options, endlessly('HTTP/1.1 200 OK\r\n\r\n', 'x'.repeat(16 * 1024)))
}

/** 200, then headers without end. */
export function startEndlessHeaders(options: Address): Promise<Backend> {
  return startTcp(options, endlessly('HTTP/1.1 200 OK\r\n', `X-Filler: ${'x'.repeat(1_000)}\r\n`))
}

/** 100 Continue for ever. */
export function startEndlessInterim(options: Address): Promise<Backend> {
  return startTcp(options, endlessly('', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(600)))
}

/** Every page redirects to itself. */
export function startRedirectLoop(options: Address): Promise<Backend> {
  return startTcp(options, (socket) => {
    socket.once('data', () =>
      socket.end('HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n'),
    )
  })
}

/** Greets with bytes of no protocol, at once and without end. */
export function startGarbage(options: Address): Promise<Backend> {
  const garbage = '\x00\xff\x17 220 ready \r\n\x80'.repeat(1_000)
  return startTcp(options, endlessly('', Buffer.from(garbage, 'latin1')))
}

/** Where a connection is reset: on accept, at the first bytes of the request, or in its answer. */
export type ResetStage = 'accept' | 'request' | 'head' | 'body'

/** Resets every connection at `stage`. */
export function startResetting(options: Address, stage: ResetStage): Promise<Backend> {
  const said = { accept: '', request: '', head: 'HTTP/1.1 200', body: 'HTTP/1.1 200 OK\r\n\r\nx' }
  return startTcp(options, (socket) => {
    if (stage === 'accept') return void socket.resetAndDestroy()
    socket.once('data', () => {
      if (said[stage] === '') socket.resetAndDestroy()
      else socket.write(said[stage], () => socket.resetAndDestroy())
    })
  })
}

/** Closes every connection politely as soon as it has heard something. */
export function startClosing(options: Address): Promise<Backend> {
  return startTcp(options, (socket) => {
    socket.once('data', () => socket.end())
  })
}

/** HTTP/2: the handshake, then GOAWAY and nothing else; the connection stays open. */
export function startGoaway(options: Address): Promise<Backend> {
  return startHttp2(options, (session) => session.goaway(0, 0))
}

/** HTTP/2: the handshake, then every stream is left without an answer. */
export function startSilentHttp2(options: Address): Promise<Backend> {
  return startHttp2(options, () => {})
}

/** HTTP/2: answers with a body of `bytes` and neither a status nor an end. */
export function startEndlessHttp2(options: Address): Promise<Backend> {
  return startHttp2(options, (session) => {
    session.on('stream', (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
      // Not `while (stream.write(...))`: under Bun 1.4.5 an HTTP/2 stream never says that it is full.
      const more = () => {
        if (!stream.destroyed) stream.write(Buffer.alloc(16 * 1024), () => setImmediate(more))
      }
      more()
    })
  })
}

function startHttp2(
  options: Address,
  greet: (session: ServerHttp2Session) => void,
): Promise<Backend> {
  const http2 = createHttp2Server()
  http2.on('sessionError', () => {})
  http2.on('session', (session) => {
    session.on('error', () => {}) // a peer that resets is nothing unusual here
    session.on('stream', (stream) => void stream.on('error', () => {}))
    greet(session)
  })
  return startTcp(options, (socket) => void http2.emit('connection', socket))
}

/** Writes `first`, then `rest` again and again for as long as the peer takes it. */
function endlessly(first: string | Uint8Array, rest: string | Uint8Array): Script {
  return (socket: Socket) => {
    const more = () => {
      while (!socket.destroyed && socket.write(rest));
    }
    socket.resume()
    socket.on('drain', more)
    socket.write(first)
    more()
  }
}
