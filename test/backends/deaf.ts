// A host that drops packets, without a firewall: a process that listens, is stopped, and whose queue of
// connections is full, so that the kernel answers no further SYN.

import { createConnection } from 'node:net'
import type { Address } from '../../probes/target.ts'
import type { Backend } from './backend.ts'

/** A deaf backend; `hear` wakes it up. The kernel sends a dropped SYN again after one second. */
export type Deaf = Address & Pick<Backend, 'kill'> & { hear(): void }

const CHILD = `
const server = require('node:net').createServer((socket) => socket.resume().on('error', () => {}))
server.listen({ host: process.argv[1], port: Number(process.argv[2]), backlog: 1 }, () => {
  console.log(server.address().port)
})`

/** Connections after which a queue that takes more is not going to fill up; Bun listens with 512. */
const QUEUE_MAX = 10_000

/** A connect that takes this long was dropped. On loopback it takes less than a millisecond. */
const DROPPED_MS = 200

/** Starts a backend whose address neither accepts nor refuses. */
export async function startDeafTcp({ host, port }: Address): Promise<Deaf> {
  const child = Bun.spawn([process.execPath, '-e', CHILD, host, String(port)], {
    stdout: 'pipe',
    stderr: 'inherit',
  })
  const kill = async () => {
    child.kill('SIGKILL')
    await child.exited
  }
  const address = { host, port: await firstLine(child.stdout) }
  child.kill('SIGSTOP')
  for (let queued = 0; await connects(address); queued += 1) {
    if (queued === QUEUE_MAX) throw new Error('Cannot fill the queue of connections')
  }
  return { ...address, kill, hear: () => child.kill('SIGCONT') }
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<number> {
  for await (const chunk of stream) return Number(new TextDecoder().decode(chunk))
  throw new Error('The deaf backend did not start')
}

/** True when the kernel took the connection; it stays in the queue when this side closes. */
function connects(address: Address): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = createConnection(address)
  const timer = setTimeout(() => resolve(false), DROPPED_MS)
  socket.on('connect', () => resolve(true))
  socket.on('error', () => resolve(false))
  return promise.finally(() => {
    clearTimeout(timer)
    socket.destroy()
  })
}
