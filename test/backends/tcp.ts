// A TCP backend, and with it every backend that is a script over a plain socket.

import { createServer, type Server, type Socket } from 'node:net'
import type { Address } from '../../probes/target.ts'
import { type Backend, backend, type Running } from './backend.ts'

/** What a server does with one connection. Errors of the socket are already taken care of. */
export type Script = (socket: Socket) => void

/** Accepts, reads what comes, says nothing, closes when the other side closes; or follows `script`. */
export function startTcp(
  options: Address,
  script: Script = (socket) => socket.resume(),
): Promise<Backend> {
  return backend(options, (address, hit) => {
    const open = new Set<Socket>()
    const server = createServer({ pauseOnConnect: false }, (socket) => {
      hit()
      open.add(socket)
      socket.on('close', () => open.delete(socket))
      socket.on('error', () => open.delete(socket)) // a peer that resets is nothing unusual here
      script(socket)
    })
    return listen(server, address, open)
  })
}

function listen(server: Server, { host, port }: Address, open: Set<Socket>): Promise<Running> {
  const { promise, resolve, reject } = Promise.withResolvers<Running>()
  server.once('error', reject)
  server.listen({ host, port }, () => {
    const address = server.address()
    if (address === null || typeof address === 'string') return reject(new Error('No TCP address'))
    resolve({ port: address.port, stop: () => stop(server, open) })
  })
  return promise
}

function stop(server: Server, open: Set<Socket>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  server.close(() => resolve())
  for (const socket of open) socket.resetAndDestroy()
  return promise
}
