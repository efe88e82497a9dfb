// What the demo publishes: four ports, one for each kind of probe, and the ClusterEndpoints that name
// their hosts. Pure.

import type { Address, ProbeKind } from '../../probes/target.ts'

/** Seconds between probes of a settled host. */
export const PERIOD_SECONDS = 2
/** Seconds in which a dead host must be out, and one that is back must be in. */
export const OUT_MAX_SECONDS = PERIOD_SECONDS + 4
export const BACK_MAX_SECONDS = PERIOD_SECONDS + 2
export const HOSTS_PER_PORT = 3
/** The ClusterEndpoint of the story. */
export const MAIN = 'shop'

/** A port of the Service, and how its hosts are probed. */
export type DemoPort = {
  readonly name: string
  readonly kind: ProbeKind
  /** As people write it. */
  readonly label: string
  readonly protocol: 'TCP' | 'UDP'
  readonly port: number
  /** The first one to try; below what systems choose for outgoing connections. */
  readonly targetPort: number
  readonly probe: Readonly<Record<string, unknown>>
  /** Which of its hosts is killed. Never the last one: other resources share it. */
  readonly victim: number
}

export type DemoHost = { readonly port: DemoPort; readonly address: Address }

const TCP = { kind: 'tcp', label: 'TCP', protocol: 'TCP' } as const
const HTTP = { kind: 'http', label: 'HTTP', protocol: 'TCP' } as const
const UDP = { kind: 'udp', label: 'UDP', protocol: 'UDP' } as const
const GRPC = { kind: 'grpc', label: 'gRPC', protocol: 'TCP' } as const

export const PORTS: readonly DemoPort[] = [
  {
    ...{ ...TCP, name: 'db', port: 5432, targetPort: 15_432, victim: 0 },
    probe: { tcpSocket: { enable: true } },
  },
  {
    ...{ ...HTTP, name: 'web', port: 80, targetPort: 18_080, victim: 1 },
    probe: { httpGet: { path: '/healthz' } },
  },
  {
    ...{ ...UDP, name: 'dns', port: 53, targetPort: 15_353, victim: 0 },
    probe: { udpSocket: { data: 'are you there?' } },
  },
  {
    ...{ ...GRPC, name: 'rpc', port: 9000, targetPort: 19_000, victim: 1 },
    probe: { grpc: { enable: true } },
  },
]

/**
 * Where the hosts of a port listen, `shift` ports further than asked for. With fewer addresses than
 * hosts they have different ports.
 */
export function addressesOf(
  port: DemoPort,
  hosts: readonly string[],
  shift: number,
): readonly Address[] {
  return Array.from({ length: HOSTS_PER_PORT }, (_, index) => ({
    host: hosts[index % hosts.length] ?? '',
    port: port.targetPort + shift + Math.floor(index / hosts.length),
  }))
}

/** The ClusterEndpoint of the story: all hosts of all ports. */
export function mainResource(hosts: readonly DemoHost[]): ClusterEndpoint {
  const entries = PORTS.flatMap((port) => {
    const own = hosts.filter((host) => host.port === port).map(({ address }) => address)
    return [...Map.groupBy(own, ({ port }) => port)].map(([targetPort, addresses]) =>
      entryOf(
        port,
        targetPort,
        addresses.map(({ host }) => host),
      ),
    )
  })
  return clusterEndpoint(MAIN, entries)
}

/** `count` small ones, on hosts that stay up; the last one also names a host that is down for good. */
export function furtherResources(hosts: readonly DemoHost[], count: number): ClusterEndpoint[] {
  return Array.from({ length: count }, (_, index) => {
    const name = `more-${String(index + 1).padStart(2, '0')}`
    const host = hosts.findLast(({ port }) => port === PORTS[index % PORTS.length])
    if (!host) throw new Error('Cannot make resources without hosts')
    const { port, address } = host
    const good = entryOf(port, address.port, [address.host])
    const isLast = index === count - 1
    return clusterEndpoint(name, isLast ? [good, entryOf(port, DEAD_PORT, [address.host])] : [good])
  })
}

/** tcpmux, which nobody runs. */
const DEAD_PORT = 1

export type ClusterEndpoint = ReturnType<typeof clusterEndpoint>

function clusterEndpoint(name: string, ports: readonly ReturnType<typeof entryOf>[]) {
  return {
    apiVersion: 'sealos.io/v1beta1',
    kind: 'ClusterEndpoint',
    metadata: { name },
    spec: { periodSeconds: PERIOD_SECONDS, ports },
  }
}

function entryOf(port: DemoPort, targetPort: number, hosts: readonly string[]) {
  const { name, protocol, probe } = port
  return { name, protocol, port: port.port, targetPort, hosts, ...probe, failureThreshold: 3 }
}
