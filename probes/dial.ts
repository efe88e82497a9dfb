// The life of one attempt's connection: whatever ends it, the socket is freed and one value comes out.

import type { Socket } from 'node:net'
import { connectFailure, transferFailure } from './local.ts'
import { type Address, failed, type Outcome, unknown } from './target.ts'

/**
 * Runs `talk` on a connecting socket of the attempt's own. The first call of `done` settles the
 * attempt; an abort, an error or a close of the socket does so in its place, but the handlers of `talk`
 * hear of those first. The socket is destroyed before the promise resolves: FIN when all that came was
 * read, and at once when it is still connecting. Never rejects.
 */
export function converse<T>(
  open: () => Socket,
  address: Address,
  signal: AbortSignal,
  talk: (socket: Socket, done: (value: T | Outcome) => void) => void,
): Promise<T | Outcome> {
  if (signal.aborted) return Promise.resolve(unknown('aborted'))
  return new Promise((resolve) => {
    const socket = open()
    const abort = () => done(unknown('aborted'))
    const done = (value: T | Outcome | Promise<Outcome>) => {
      signal.removeEventListener('abort', abort)
      socket.destroy()
      resolve(value)
    }
    let connected = false
    signal.addEventListener('abort', abort)
    socket.on('connect', () => {
      connected = true
    })
    talk(socket, done)
    // Stays for the life of the socket: an error that comes after the end is nobody's news.
    socket.on('error', (error) => {
      done(connected ? transferFailure('read', error) : connectFailure(error, address))
    })
    socket.on('close', () => done(CLOSED))
  })
}

const CLOSED = failed('connection closed before the response')

/**
 * `host:port` as it stands in a URL or a Host header: the name if the host has one, IPv6 in brackets,
 * without its zone (RFC 6874).
 */
export function authority({ host, port, name }: Address): string {
  if (name !== undefined) return `${name}:${port}`
  return host.includes(':') ? `[${host.replace(/%.*/, '')}]:${port}` : `${host}:${port}`
}
