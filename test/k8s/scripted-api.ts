// An API server that does exactly what a test says, request by request, down to the bytes.

import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { createServer as createHttps } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { ClusterConfig } from '../../k8s/config.ts'
import type { Credentials } from '../../k8s/credentials.ts'

export type Asked = {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** What happens to one request: an answer, or anything else that can be done to its socket. */
export type Answer = (response: ServerResponse, socket: Socket, asked: Asked) => unknown

export type ScriptedApi = Disposable & {
  readonly url: string
  readonly asked: readonly Asked[]
  /** Number of connections so far. */
  readonly connections: () => number
  /** Number of connections open now. */
  readonly open: () => number
  /** What befalls the next requests, in order; the last one stays. */
  readonly script: (...answers: readonly Answer[]) => void
}

export const json =
  (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Answer =>
  (response) => {
    response.writeHead(status, { 'Content-Type': 'application/json', ...headers })
    response.end(JSON.stringify(body))
  }

export const reset: Answer = (_, socket) => socket.resetAndDestroy()
export const hang: Answer = () => {}

/** Starts one on a free port of loopback. */
export async function startScriptedApi(tls?: {
  readonly key: string
  readonly cert: string
}): Promise<ScriptedApi> {
  let answers: readonly Answer[] = [json(200, {})]
  const asked: Asked[] = []
  const open = new Set<Socket>()
  let connections = 0
  const server = tls ? createHttps(tls) : createServer()
  server.on('connection', (socket: Socket) => {
    connections++
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    socket.on('error', () => {})
  })
  server.on('request', async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const { method = '', url = '', headers } = request
    const told = { method, url, headers, body }
    asked.push(told)
    const [answer = hang, ...rest] = answers
    if (rest.length > 0) answers = rest
    await answer(response, request.socket, told)
  })
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await promise
  const { port } = server.address() as AddressInfo
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    asked,
    connections: () => connections,
    open: () => open.size,
    script: (...next) => {
      answers = next
    },
    [Symbol.dispose]: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** A config that leads to `server`, and counts how often its credentials were forgotten or doubted. */
export function configOf(
  server: string,
  credentials: Credentials = { headers: {}, tls: {} },
  proxy?: string,
): ClusterConfig & { readonly forgotten: () => number; readonly doubted: () => number } {
  let forgotten = 0
  let doubted = 0
  return {
    server,
    proxy,
    namespace: undefined,
    credentials: async () => credentials,
    forget: () => {
      forgotten++
    },
    doubt: () => {
      doubted++
    },
    forgotten: () => forgotten,
    doubted: () => doubted,
  }
}
