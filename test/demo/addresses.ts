// Addresses of this machine that backends can listen on.

import { networkInterfaces } from 'node:os'
import { parseHost } from '../../crds/hosts.ts'
import type { Address } from '../../probes/target.ts'
import { HOSTS_PER_PORT } from './plan.ts'

/** Loopback addresses: several on Linux, where all of 127.0.0.0/8 is local; one elsewhere. */
export function loopbackAddresses(): readonly string[] {
  const several = ['127.0.33.151', '127.0.33.152', '127.0.33.153'].filter(isLocal)
  return several.length > 0 ? several : ['127.0.0.1']
}

/**
 * Addresses that a real API server takes into Endpoints, whatever interface has them; IPv4 ones if
 * there are any. Empty when this machine has none.
 */
export function ownAddresses(): readonly string[] {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  const usable = all.filter(
    ({ address }) => parseHost(address, { allowLoopback: false }).ok && isLocal(address),
  )
  const v4 = usable.filter(({ family }) => family === 'IPv4')
  const chosen = v4.length > 0 ? v4 : usable
  return [...new Set(chosen.map(({ address }) => address))].slice(0, HOSTS_PER_PORT)
}

/** Whether a TCP server can be had there; port 0 asks for the host alone. */
export function canListen({ host, port }: Address): boolean {
  try {
    Bun.listen({ hostname: host, port, socket: { data() {} } }).stop(true)
    return true
  } catch {
    // Not an address of this machine, or taken, whatever the system calls it.
    return false
  }
}

function isLocal(host: string): boolean {
  return canListen({ host, port: 0 })
}
