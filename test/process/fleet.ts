// Well hosts by the hundred, each at an address of its own behind one listener, and when they were asked.

import { startTcp } from '../backends/tcp.ts'
import { tcpPort } from '../integration/manifests.ts'
import { Arrivals } from './arrivals.ts'
import type { Scene } from './scene.ts'

export type Fleet = {
  readonly arrivals: Arrivals
  /** `ip:port` of each. */
  readonly addresses: readonly string[]
  readonly port: number
}

export type FleetOptions = {
  readonly count: number
  readonly periodSeconds: number
  /** The n-th address; all must lead to this machine. */
  readonly hostOf?: (n: number) => string
  /** Members of each entry of `spec.ports` beside the hosts. */
  readonly port?: Readonly<Record<string, unknown>>
}

/** Hosts of one ClusterEndpoint. */
const HOSTS_EACH = 50

/** Starts a fleet and makes ClusterEndpoints `fleet-0`, `fleet-1`... of it. One false failure unpublishes. */
export async function startFleet(scene: Scene, options: FleetOptions): Promise<Fleet> {
  const { count, periodSeconds, hostOf = loopback, port: more = {} } = options
  const arrivals = new Arrivals()
  const { port } = scene.keep(
    await startTcp({ host: '0.0.0.0', port: 0 }, (socket) => {
      arrivals.note(`${socket.localAddress}`)
      socket.resume()
    }),
  )
  const hosts = Array.from({ length: count }, (_, n) => hostOf(n))
  for (let at = 0; at < count; at += HOSTS_EACH) {
    const ports = [tcpPort('web', port, hosts.slice(at, at + HOSTS_EACH), { ...STRICT, ...more })]
    scene.create(`fleet-${at / HOSTS_EACH}`, { periodSeconds, ports })
  }
  return { arrivals, port, addresses: hosts.map((host) => `${host}:${port}`) }
}

function loopback(n: number): string {
  return `127.0.${64 + (n >> 8)}.${n & 255}`
}

/** Unpublishes at the first failure, but gives a busy machine the time to answer. */
export const STRICT = { failureThreshold: 1, timeoutSeconds: 5 } as const
