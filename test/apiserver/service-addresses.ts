// The cluster's addresses and node ports: who holds which. Claimed when a Service is stored, freed when
// it is deleted.

import { parseIp } from './ip.ts'
import { isMap, type Json, type JsonMap, listAt, mapAt, textAt } from './json.ts'
import { invalid, invalidValue } from './status.ts'

/** What cluster IPs come out of, by family. */
const RANGES = {
  IPv4: { text: '10.96.0.0/16', first: 0x0a600000n, print: textOfV4 },
  IPv6: { text: 'fd00:10:96::/112', first: 0xfd0000100096n << 80n, print: textOfV6 },
} as const
const SIZE = 65536n
const NODE_PORT_FIRST = 30000
const NODE_PORT_LAST = 32767
const SUBJECT = { group: '', kind: 'Service', plural: 'services' }

/** Hands out cluster IPs of both ranges and node ports 30000-32767. */
export class ServiceAddresses {
  /** The two ranges have no value in common. */
  readonly #ips = new Set<bigint>()
  readonly #nodePorts = new Set<number>()
  #nextIp = 10n
  #nextNodePort = NODE_PORT_FIRST

  /** The Service with its addresses; 422 when an asked-for one is not to be had. */
  claim(object: JsonMap, live: JsonMap | undefined): JsonMap {
    const spec = mapAt(object, 'spec')
    const ips = textAt(spec, 'type') === 'ExternalName' ? [] : listAt(spec, 'clusterIPs')
    const before = live === undefined ? [] : listAt(live, 'spec', 'clusterIPs')
    const withIps = this.#claimIps(object, spec, ips, before)
    const held = new Set(live === undefined ? [] : nodePortsOf(live))
    const ports = listAt(spec, 'ports').map((port, index) =>
      this.#claimNodePort(object, port, index, held),
    )
    for (const port of held) this.#nodePorts.delete(port)
    return { ...object, spec: { ...withIps, ...(ports.length === 0 ? {} : { ports }) } }
  }

  /** Frees what a deleted Service held. */
  release(object: JsonMap): void {
    for (const ip of listAt(object, 'spec', 'clusterIPs')) this.#ips.delete(numberOf(ip))
    for (const port of nodePortsOf(object)) this.#nodePorts.delete(port)
  }

  #claimIps(
    object: JsonMap,
    spec: JsonMap,
    ips: readonly Json[],
    before: readonly Json[],
  ): JsonMap {
    if (textAt(spec, 'type') === 'ExternalName') {
      for (const ip of before) this.#ips.delete(numberOf(ip))
      return spec
    }
    if (ips[0] === 'None') return spec
    const families = listAt(spec, 'ipFamilies')
    const clusterIPs = families.map((family, index) => {
      const asked = ips[index]
      if (asked !== undefined && asked === before[index]) return asked
      return this.#claimIp(object, family === 'IPv6' ? 'IPv6' : 'IPv4', asked, ips)
    })
    return { ...spec, clusterIP: clusterIPs[0] ?? '', clusterIPs }
  }

  #claimIp(
    object: JsonMap,
    family: keyof typeof RANGES,
    asked: Json | undefined,
    ips: readonly Json[],
  ): string {
    if (asked === undefined) {
      const ip = this.#freeIp(family)
      this.#ips.add(ip)
      return RANGES[family].print(ip)
    }
    this.#ips.add(this.#askedIp(object, family, String(asked), ips))
    return String(asked)
  }

  #askedIp(
    object: JsonMap,
    family: keyof typeof RANGES,
    asked: string,
    ips: readonly Json[],
  ): bigint {
    const refuse = (why: string) => {
      const rule = `failed to allocate IP ${asked}: ${why}`
      const name = textAt(object, 'metadata', 'name')
      return invalid(SUBJECT, name, [invalidValue('spec.clusterIPs', ips, rule)])
    }
    const value = numberOf(asked)
    const { first, text } = RANGES[family]
    if (value <= first || value >= first + SIZE - 1n) {
      const range = `The range of valid IPs is ${text}`
      throw refuse(`the provided IP (${asked}) is not in the valid range. ${range}`)
    }
    if (this.#ips.has(value)) throw refuse('provided IP is already allocated')
    return value
  }

  #freeIp(family: keyof typeof RANGES): bigint {
    for (let tries = 0n; tries < SIZE; tries += 1n) {
      const ip = RANGES[family].first + this.#nextIp
      this.#nextIp = this.#nextIp >= SIZE - 2n ? 10n : this.#nextIp + 1n
      if (!this.#ips.has(ip)) return ip
    }
    throw new Error('Cannot allocate a cluster IP as the range is full')
  }

  #claimNodePort(object: JsonMap, port: Json, index: number, held: Set<number>): Json {
    const type = textAt(object, 'spec', 'type')
    if (!isMap(port) || (type !== 'NodePort' && type !== 'LoadBalancer')) return port
    const asked = port.nodePort
    if (typeof asked === 'number' && asked !== 0) {
      if (!held.delete(asked)) this.#takeNodePort(object, asked, index)
      return port
    }
    while (this.#nodePorts.has(this.#nextNodePort)) this.#nextNodePort += 1
    this.#nodePorts.add(this.#nextNodePort)
    return { ...port, nodePort: this.#nextNodePort }
  }

  #takeNodePort(object: JsonMap, asked: number, index: number): void {
    const inRange = asked >= NODE_PORT_FIRST && asked <= NODE_PORT_LAST
    if (inRange && !this.#nodePorts.has(asked)) {
      this.#nodePorts.add(asked)
      return
    }
    const rule = inRange
      ? 'provided port is already allocated'
      : `provided port is not in the valid range. The range of valid ports is ${NODE_PORT_FIRST}-${NODE_PORT_LAST}`
    const field = `spec.ports[${index}].nodePort`
    throw invalid(SUBJECT, textAt(object, 'metadata', 'name'), [invalidValue(field, asked, rule)])
  }
}

function nodePortsOf(object: JsonMap): readonly number[] {
  return listAt(object, 'spec', 'ports').flatMap((port) =>
    isMap(port) && typeof port.nodePort === 'number' ? [port.nodePort] : [],
  )
}

/** -1 for what is no address: nobody holds that. */
function numberOf(ip: Json): bigint {
  return parseIp(String(ip))?.value ?? -1n
}

function textOfV4(ip: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (ip >> shift) & 255n).join('.')
}

/** Of the range above only: all between the prefix and the last group is zero. */
function textOfV6(ip: bigint): string {
  return `fd00:10:96::${(ip & 0xffffn).toString(16)}`
}
