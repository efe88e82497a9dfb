// The cluster's addresses and node ports: who holds which. Claimed when a Service is stored, freed when
// it is deleted.

import { parseIp } from './ip.ts'
import { isMap, type Json, type JsonMap, listAt, mapAt, textAt } from './json.ts'
import { invalid, invalidValue } from './status.ts'

const RANGE = '10.96.0.0/16'
const FIRST = 0x0a600000
const SIZE = 65536
const NODE_PORT_FIRST = 30000
const NODE_PORT_LAST = 32767
const SUBJECT = { group: '', kind: 'Service', plural: 'services' }

/** Hands out cluster IPs of 10.96.0.0/16 and node ports 30000-32767. */
export class ServiceAddresses {
  readonly #ips = new Set<number>()
  readonly #nodePorts = new Set<number>()
  #nextIp = 10
  #nextNodePort = NODE_PORT_FIRST

  /** The Service with its addresses; 422 when an asked-for one is not to be had. */
  claim(object: JsonMap, live: JsonMap | undefined): JsonMap {
    const spec = mapAt(object, 'spec')
    const ips = textAt(spec, 'type') === 'ExternalName' ? [] : listAt(spec, 'clusterIPs')
    const before = live === undefined ? [] : listAt(live, 'spec', 'clusterIPs')
    const withIps = this.#claimIp(object, spec, ips, before)
    const held = new Set(live === undefined ? [] : nodePortsOf(live))
    const ports = listAt(spec, 'ports').map((port, index) =>
      this.#claimNodePort(object, port, index, held),
    )
    for (const port of held) this.#nodePorts.delete(port)
    return { ...object, spec: { ...withIps, ...(ports.length === 0 ? {} : { ports }) } }
  }

  /** Frees what a deleted Service held. */
  release(object: JsonMap): void {
    for (const ip of listAt(object, 'spec', 'clusterIPs')) this.#ips.delete(numberOf(ip) ?? -1)
    for (const port of nodePortsOf(object)) this.#nodePorts.delete(port)
  }

  #claimIp(object: JsonMap, spec: JsonMap, ips: readonly Json[], before: readonly Json[]): JsonMap {
    if (textAt(spec, 'type') === 'ExternalName') {
      for (const ip of before) this.#ips.delete(numberOf(ip) ?? -1)
      return spec
    }
    const [asked] = ips
    if (asked === 'None' || (asked !== undefined && asked === before[0])) return spec
    const ip = asked === undefined ? this.#freeIp() : this.#askedIp(object, String(asked), ips)
    this.#ips.add(ip)
    const text = asked === undefined ? textOf(ip) : String(asked)
    return { ...spec, clusterIP: text, clusterIPs: [text] }
  }

  #askedIp(object: JsonMap, asked: string, ips: readonly Json[]): number {
    const refuse = (why: string) => {
      const rule = `failed to allocate IP ${asked}: ${why}`
      const name = textAt(object, 'metadata', 'name')
      return invalid(SUBJECT, name, [invalidValue('spec.clusterIPs', ips, rule)])
    }
    const number = numberOf(asked)
    if (number === undefined || number <= FIRST || number >= FIRST + SIZE - 1) {
      const range = `The range of valid IPs is ${RANGE}`
      throw refuse(`the provided IP (${asked}) is not in the valid range. ${range}`)
    }
    if (this.#ips.has(number)) throw refuse('provided IP is already allocated')
    return number
  }

  #freeIp(): number {
    for (let tries = 0; tries < SIZE; tries += 1) {
      const ip = FIRST + this.#nextIp
      this.#nextIp = this.#nextIp >= SIZE - 2 ? 10 : this.#nextIp + 1
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

function numberOf(ip: Json): number | undefined {
  const parsed = parseIp(String(ip))
  return parsed?.family === 'IPv4' ? Number(parsed.value) : undefined
}

function textOf(ip: number): string {
  return [24, 16, 8, 0].map((shift) => (ip >>> shift) & 255).join('.')
}
