// The hosts of a soak run: real backends on loopback addresses that go down and come back.

import type { Backend } from '../backends/backend.ts'
import { startGrpc } from '../backends/grpc.ts'
import { startHttp } from '../backends/http.ts'
import { startTcp } from '../backends/tcp.ts'
import { startUdp } from '../backends/udp.ts'

export type Host = {
  readonly backend: Backend
  /** The part of a port entry that says how it is probed. */
  readonly probe: Readonly<Record<string, unknown>>
  readonly protocol: 'TCP' | 'UDP'
  isUp: boolean
  /** Since when it is as it is, monotonic milliseconds. */
  sinceMs: number
}

const KINDS = [
  { start: startTcp, probe: { tcpSocket: {} }, protocol: 'TCP' },
  { start: startHttp, probe: { httpGet: { path: '/' } }, protocol: 'TCP' },
  { start: startUdp, probe: { udpSocket: { data: 'ping' } }, protocol: 'UDP' },
  { start: startGrpc, probe: { grpc: {} }, protocol: 'TCP' },
] as const

/** Below the range of which the system hands ports out: a host that is down keeps its own. */
const PORT = 10_080

/** Starts `count` hosts, each kind in turn, each on an address of its own in 127.0.0.0/8. */
export async function startHosts(count: number): Promise<Host[]> {
  const hosts: Host[] = []
  for (let index = 0; index < count; index++) {
    const { start, probe, protocol } = KINDS[index % KINDS.length] ?? KINDS[0]
    const host = `127.0.${60 + Math.floor(index / 200)}.${1 + (index % 200)}`
    const backend = await start({ host, port: PORT })
    hosts.push({ backend, probe, protocol, isUp: true, sinceMs: performance.now() })
  }
  return hosts
}

/** Kills a host that is up, revives one that is down. */
export async function flip(host: Host): Promise<void> {
  // From before the change when it goes, from after it when it comes: the model never knows too early.
  if (host.isUp) {
    host.isUp = false
    host.sinceMs = performance.now()
    await host.backend.kill()
    return
  }
  await host.backend.restart()
  host.isUp = true
  host.sinceMs = performance.now()
}

export async function killAll(hosts: readonly Host[]): Promise<void> {
  await Promise.all(hosts.map(({ backend }) => backend.kill()))
}
