// Well hosts of all four kinds, each a backend of its own, and when each was asked.

import type { Address } from '../../probes/target.ts'
import type { Backend } from '../backends/backend.ts'
import { startGrpc } from '../backends/grpc.ts'
import { startHttp } from '../backends/http.ts'
import { startTcp } from '../backends/tcp.ts'
import { startUdp } from '../backends/udp.ts'
import { Arrivals } from '../process/arrivals.ts'

export type GoodHosts = {
  readonly arrivals: Arrivals
  /** Entries of `spec.ports`, without name and port. */
  readonly entries: readonly Readonly<Record<string, unknown>>[]
  kill(): Promise<void>
}

type Starter = {
  readonly probe: Readonly<Record<string, unknown>>
  readonly start: (address: Address, note: () => void) => Promise<Backend>
}

const TCP: Starter = {
  probe: { tcpSocket: { enable: true } },
  start: (address, note) =>
    startTcp(address, (socket) => {
      note()
      socket.resume()
    }),
}
const HTTP: Starter = {
  probe: { httpGet: { path: '/' } },
  start: (address, note) =>
    startHttp({
      ...address,
      handler: () => {
        note()
        return new Response('ok\n')
      },
    }),
}
const UDP: Starter = {
  probe: { protocol: 'UDP', udpSocket: { enable: true, data: 'ping' } },
  start: (address, note) =>
    startUdp(address, (data, reply) => {
      note()
      reply(data)
    }),
}
const GRPC: Starter = {
  probe: { grpc: { enable: true } },
  start: (address, note) =>
    startGrpc({
      ...address,
      answer: () => {
        note()
        return 'SERVING'
      },
    }),
}

/** Half of them TCP, for those are most hosts there are; the other half is shared out. */
const KINDS = [TCP, HTTP, TCP, UDP, TCP, GRPC] as const

export async function startGoodHosts(count: number): Promise<GoodHosts> {
  const arrivals = new Arrivals()
  const backends: Backend[] = []
  const entries: Record<string, unknown>[] = []
  for (let index = 0; index < count; index++) {
    const { probe, start } = KINDS[index % KINDS.length] ?? TCP
    const host = `127.0.${100 + (index >> 8)}.${index & 255}`
    const backend = await start({ host, port: 0 }, () => arrivals.note(host))
    backends.push(backend)
    entries.push({ ...probe, hosts: [host], targetPort: backend.port })
  }
  return {
    arrivals,
    entries,
    kill: async () => void (await Promise.all(backends.map((backend) => backend.kill()))),
  }
}
