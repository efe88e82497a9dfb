// A UDP backend, and with it every backend that is a script over datagrams.

import type { Address } from '../../probes/target.ts'
import { type Backend, backend } from './backend.ts'

/** What a server does with one datagram; `reply` sends one back. */
export type DatagramScript = (data: Uint8Array, reply: (data: Uint8Array) => void) => void

/** Sends every datagram back as it came, or follows `script`. */
export function startUdp(
  options: Address,
  script: DatagramScript = (data, reply) => reply(data),
): Promise<Backend> {
  return backend(options, async ({ host, port }, hit) => {
    const socket = await Bun.udpSocket({
      hostname: host,
      port,
      socket: {
        data: (from, data, peerPort, peer) => {
          hit()
          script(data, (answer) => {
            if (!from.closed) from.send(answer, peerPort, peer)
          })
        },
        error: () => {}, // a prober that has gone: its port answers with an ICMP, which is no news
      },
    })
    return { port: socket.port, stop: async () => socket.close() }
  })
}
