// An HTTP backend that is told each answer byte by byte and remembers each request byte by byte.

import type { Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import type { Address } from '../../probes/target.ts'
import type { Backend } from './backend.ts'
import { SELF_SIGNED } from './http.ts'
import { startTcp } from './tcp.ts'

/** A backend that keeps what it was sent: one text per request head, in order. */
export type ScriptedHttp = Backend & { requests(): readonly string[] }

export type ScriptedHttpOptions = Address & {
  /** One answer per request, the last one again and again. `$PORT` stands for the backend's own port. */
  readonly answers: readonly string[]
  readonly tls?: boolean
}

/** Answers the n-th request with the n-th text, then closes. */
export async function startScriptedHttp(options: ScriptedHttpOptions): Promise<ScriptedHttp> {
  const requests: string[] = []
  const serve = (socket: Socket) => {
    let head = ''
    socket.on('error', () => {})
    socket.on('data', (chunk: Uint8Array) => {
      head += Buffer.from(chunk).toString('utf8')
      if (!head.endsWith('\r\n\r\n')) return
      const answer = options.answers[Math.min(requests.length, options.answers.length - 1)] ?? ''
      requests.push(head.replaceAll(`:${backend.port}`, ':$PORT'))
      socket.end(answer.replaceAll('$PORT', String(backend.port)))
    })
  }
  const tls = createTlsServer(SELF_SIGNED, serve)
  const script = options.tls ? (socket: Socket) => void tls.emit('connection', socket) : serve
  const backend = await startTcp(options, script)
  return { ...backend, requests: () => requests }
}
