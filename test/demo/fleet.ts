// The hosts outside the cluster: real servers of each kind, on addresses of this machine.

import type { Backend } from '../backends/backend.ts'
import { startGrpc } from '../backends/grpc.ts'
import { startHttp } from '../backends/http.ts'
import { startTcp } from '../backends/tcp.ts'
import { startUdp } from '../backends/udp.ts'
import { canListen } from './addresses.ts'
import { DemoFailed } from './failure.ts'
import { addressesOf, type DemoHost, type DemoPort, PORTS } from './plan.ts'

/** A host that can be killed and brought back. */
export type Member = DemoHost & { readonly backend: Backend }

const STARTERS = { tcp: startTcp, http: startHttp, udp: startUdp, grpc: startGrpc } as const

/** How often the next ports are tried when somebody has one, and how far away those are. */
const SHIFTS_MAX = 50
const SHIFT = 10

/** Starts all of them on `hosts`. Throws when one cannot listen. */
export async function startFleet(hosts: readonly string[]): Promise<readonly Member[]> {
  const members: Member[] = []
  try {
    for (const port of PORTS) members.push(...(await startPort(port, hosts)))
    return members
  } catch (error) {
    await stopFleet(members)
    throw error
  }
}

export async function stopFleet(members: readonly Member[]): Promise<void> {
  await Promise.all(members.map(({ backend }) => backend.kill()))
}

async function startPort(port: DemoPort, hosts: readonly string[]): Promise<Member[]> {
  for (let shift = 0; shift < SHIFT * SHIFTS_MAX; shift += SHIFT) {
    const addresses = addressesOf(port, hosts, shift)
    // Asked before, because grpc-js writes to the terminal when it cannot listen.
    if (!addresses.every(canListen)) continue
    const started = await Promise.allSettled(
      addresses.map((address) => STARTERS[port.kind](address)),
    )
    const backends = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
    if (backends.length === addresses.length) {
      return backends.map((backend) => {
        return { port, backend, address: { host: backend.host, port: backend.port } }
      })
    }
    // Somebody was faster, or has the UDP port.
    await Promise.all(backends.map((backend) => backend.kill()))
  }
  throw new DemoFailed(`Cannot find free ports for ${port.label} servers on ${hosts.join(', ')}`)
}
