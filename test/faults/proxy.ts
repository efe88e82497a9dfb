// A TCP proxy in front of an API server: what a network does to one client, and to no other.

import { connect, createServer, type Socket } from 'node:net'
import { freePorts } from '../controlplane/free-ports.ts'

/**
 * pass: all goes through. cut: connections end, new ones end at once. silent: what is open stays open
 * and says nothing, new ones are taken and say nothing. halfOpen: watches that are open say nothing, the
 * other connections end, new ones go through. garbage: what comes is answered by nonsense.
 */
export type ProxyMode = 'pass' | 'cut' | 'silent' | 'halfOpen' | 'garbage'

export type TcpProxy = Disposable & {
  readonly port: number
  readonly set: (mode: ProxyMode) => void
}

type Pair = { readonly client: Socket; readonly server: Socket; isWatch: boolean }

/** Starts one on loopback that leads to `port` there. Resolves when it listens. */
export async function startProxy(port: number): Promise<TcpProxy> {
  let mode: ProxyMode = 'pass'
  const pairs = new Set<Pair>()

  const listener = createServer((client) => {
    client.on('error', () => {})
    if (mode === 'cut') return void client.destroy()
    if (mode === 'garbage')
      return void client.once('data', () => client.end('220 smtp.example ESMTP ready\r\n'))
    const server = connect({ host: '127.0.0.1', port })
    server.on('error', () => client.destroy())
    const pair: Pair = { client, server, isWatch: false }
    pairs.add(pair)
    client.on('data', (data) => {
      if (data.includes('watch=true')) pair.isWatch = true
    })
    const forget = () => {
      pairs.delete(pair)
      client.destroy()
      server.destroy()
    }
    client.on('close', forget)
    server.on('close', forget)
    client.pipe(server)
    server.pipe(client)
    if (mode === 'silent') silence(pair)
  })

  function silence({ client, server }: Pair): void {
    client.unpipe(server)
    server.unpipe(client)
    client.pause()
    server.pause()
  }

  const [own = 0] = freePorts(1)
  const { promise, resolve } = Promise.withResolvers<void>()
  listener.listen(own, '127.0.0.1', resolve)
  await promise
  return {
    port: own,
    set: (next) => {
      mode = next
      for (const pair of pairs) {
        if (next === 'silent' || (next === 'halfOpen' && pair.isWatch)) silence(pair)
        else if (next === 'pass') {
          pair.client.pipe(pair.server)
          pair.server.pipe(pair.client)
        } else pair.client.destroy()
      }
    },
    [Symbol.dispose]: () => {
      listener.close()
      for (const { client } of pairs) client.destroy()
    },
  }
}
