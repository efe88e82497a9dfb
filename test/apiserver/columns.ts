// The columns of `kubectl get`: those of the built-in kinds, and those that a CRD declares by JSONPath.

import { isMap, type Json, type JsonMap, listAt, mapAt, textAt } from './json.ts'
import { jsonPath } from './json-path.ts'
import type { builtInSchemas } from './kinds.ts'
import type { Column } from './resource.ts'

type Kind = keyof typeof builtInSchemas

/** Columns without NAME, which every table begins with. */
export function builtInColumns(kind: Kind): readonly Column[] {
  return [...(builtIn[kind] ?? []), ageColumn]
}

/** The columns of a CRD version; a definition without any has AGE. */
export function crdColumns(declared: readonly Json[]): readonly Column[] {
  if (declared.length === 0) return [ageColumn]
  return declared.filter(isMap).map((column) => {
    const type = textAt(column, 'type')
    const path = textAt(column, 'jsonPath')
    return {
      name: textAt(column, 'name'),
      type,
      format: textAt(column, 'format'),
      description:
        textAt(column, 'description') ||
        `Custom resource definition column (in JSONPath format): ${path}`,
      priority: typeof column.priority === 'number' ? column.priority : 0,
      cell: (object, nowMs) => {
        const value = jsonPath(object, path)
        if (type !== 'date') return value
        return typeof value === 'string' ? age(value, nowMs) : '<unknown>'
      },
    }
  })
}

function column(name: string, cell: Column['cell'], priority = 0): Column {
  return { name, type: 'string', format: '', description: '', priority, cell }
}

const ageColumn = column('Age', (object, nowMs) =>
  age(textAt(object, 'metadata', 'creationTimestamp'), nowMs),
)

const builtIn: { readonly [kind in Kind]?: readonly Column[] } = {
  Service: [
    column('Type', (object) => textAt(object, 'spec', 'type')),
    column('Cluster-IP', (object) => textAt(object, 'spec', 'clusterIP') || '<none>'),
    column('External-IP', externalIp),
    column('Port(s)', servicePorts),
    column('Selector', (object) => pairs(mapAt(object, 'spec', 'selector')), 1),
  ],
  Endpoints: [column('Endpoints', endpointsCell)],
  EndpointSlice: [
    column('AddressType', (object) => textAt(object, 'addressType')),
    column('Ports', (object) => firstOf(listAt(object, 'ports').map((p) => String(mapAt(p).port)))),
    column('Endpoints', (object) =>
      firstOf(listAt(object, 'endpoints').flatMap((e) => listAt(e, 'addresses').map(String))),
    ),
  ],
  Lease: [column('Holder', (object) => textAt(object, 'spec', 'holderIdentity'))],
  Namespace: [column('Status', (object) => textAt(object, 'status', 'phase'))],
  Event: [
    column('Last Seen', (object, nowMs) => age(lastSeen(object), nowMs)),
    column('Type', (object) => textAt(object, 'type')),
    column('Reason', (object) => textAt(object, 'reason')),
    column('Object', (object) => {
      const { kind = '', name = '' } = mapAt(object, 'involvedObject')
      return `${String(kind).toLowerCase()}/${name}`
    }),
    column('Message', (object) => textAt(object, 'message').trim()),
  ],
}

function lastSeen(object: JsonMap): string {
  return (
    textAt(object, 'series', 'lastObservedTime') ||
    textAt(object, 'lastTimestamp') ||
    textAt(object, 'eventTime') ||
    textAt(object, 'metadata', 'creationTimestamp')
  )
}

function externalIp(object: JsonMap): string {
  const type = textAt(object, 'spec', 'type')
  if (type === 'ExternalName') return textAt(object, 'spec', 'externalName')
  const given = listAt(object, 'spec', 'externalIPs').map(String)
  if (type !== 'LoadBalancer') return given.join(',') || '<none>'
  const ingress = listAt(object, 'status', 'loadBalancer', 'ingress')
  const found = ingress.map((item) => textAt(item, 'ip') || textAt(item, 'hostname'))
  return [...found, ...given].join(',') || '<pending>'
}

function servicePorts(object: JsonMap): string {
  const ports = listAt(object, 'spec', 'ports').map((item) => {
    const { port, nodePort, protocol } = mapAt(item)
    return nodePort === undefined ? `${port}/${protocol}` : `${port}:${nodePort}/${protocol}`
  })
  return ports.join(',') || '<none>'
}

/** kubectl's `a:1,b:2 + 3 more...`. Source: pkg/printers/internalversion, formatEndpoints. */
function endpointsCell(object: JsonMap): string {
  const shown: string[] = []
  let count = 0
  for (const subset of listAt(object, 'subsets')) {
    const ips = listAt(subset, 'addresses').map((address) => textAt(address, 'ip'))
    const ports = listAt(subset, 'ports').map((port) => String(mapAt(port).port))
    const targets =
      ports.length === 0 ? ips : ports.flatMap((port) => ips.map((ip) => join(ip, port)))
    count += targets.length
    shown.push(...targets.slice(0, Math.max(0, 3 - shown.length)))
  }
  if (count === 0) return '<none>'
  return count > shown.length
    ? `${shown.join(',')} + ${count - shown.length} more...`
    : shown.join(',')
}

function join(ip: string, port: string): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`
}

function firstOf(items: readonly string[]): string {
  if (items.length === 0) return '<unset>'
  const more = items.length > 3 ? ` + ${items.length - 3} more...` : ''
  return `${items.slice(0, 3).join(',')}${more}`
}

function pairs(map: JsonMap): string {
  return (
    Object.entries(map)
      .map(([key, value]) => `${key}=${value}`)
      .join(',') || '<none>'
  )
}

/** The time since a timestamp as kubectl writes it. Source: apimachinery, duration.HumanDuration. */
export function age(timestamp: string, nowMs: number): string {
  const seconds = Math.floor((nowMs - Date.parse(timestamp)) / 1000)
  if (Number.isNaN(seconds)) return '<unknown>'
  if (seconds < -1) return '<invalid>'
  if (seconds < 120) return `${Math.max(0, seconds)}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 10) return both(minutes, 'm', seconds % 60, 's')
  if (minutes < 180) return `${minutes}m`
  const hours = Math.floor(minutes / 60)
  if (hours < 8) return both(hours, 'h', minutes % 60, 'm')
  if (hours < 48) return `${hours}h`
  const days = Math.floor(hours / 24)
  if (days < 8) return both(days, 'd', hours % 24, 'h')
  if (days < 730) return `${days}d`
  const years = Math.floor(days / 365)
  return years < 8 ? both(years, 'y', days % 365, 'd') : `${years}y`
}

function both(large: number, unit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${unit}` : `${large}${unit}${small}${smallUnit}`
}
