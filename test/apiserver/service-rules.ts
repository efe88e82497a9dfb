// Services as the API server treats them: defaults, what may be asked for, what may change.

import { parseIp } from './ip.ts'
import { equal, isMap, type Json, type JsonMap, listAt, mapAt, textAt, withKey } from './json.ts'
import { dns1035Label, dnsLabel, portName } from './names.ts'
import { noRules, type Rules } from './resource.ts'
import type { ServiceAddresses } from './service-addresses.ts'
import {
  duplicate,
  type FieldError,
  invalidValue,
  required,
  tooMany,
  unsupported,
} from './status.ts'

const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']
const PROTOCOLS = ['SCTP', 'TCP', 'UDP']

/** The rules of Services; addresses come out of `addresses`. */
export function serviceRules(addresses: ServiceAddresses, isDualStack: boolean): Rules {
  return {
    ...noRules,
    name: dns1035Label,
    fillDefaults,
    prepareCreate: (object) => complete(object, isDualStack),
    prepareUpdate: (object, live) => complete(keepAllocated(object, live), isDualStack, live),
    validate: (object, live) => [
      ...validateService(object, live),
      ...validateFamilies(object, live, isDualStack),
    ],
    claim: (object, live) => addresses.claim(object, live),
  }
}

function fillDefaults(object: JsonMap): JsonMap {
  const spec = mapAt(object, 'spec')
  const type = textAt(spec, 'type') || 'ClusterIP'
  const routed = type !== 'ExternalName'
  const external = type === 'NodePort' || type === 'LoadBalancer'
  return {
    ...object,
    spec: {
      ...(routed ? { internalTrafficPolicy: 'Cluster' } : {}),
      ...(external ? { externalTrafficPolicy: 'Cluster' } : {}),
      ...(type === 'LoadBalancer' ? { allocateLoadBalancerNodePorts: true } : {}),
      ...fillAffinity(spec),
      type,
      ...(spec.ports === undefined ? {} : { ports: listAt(spec, 'ports').map(fillPort) }),
    },
    status: { loadBalancer: {}, ...mapAt(object, 'status') },
  }
}

function fillAffinity(spec: JsonMap): JsonMap {
  const sessionAffinity = textAt(spec, 'sessionAffinity') || 'None'
  if (sessionAffinity === 'None') {
    return { ...withKey(spec, 'sessionAffinityConfig', undefined), sessionAffinity }
  }
  return { sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } }, ...spec }
}

function fillPort(port: Json): Json {
  if (!isMap(port)) return port
  const { targetPort } = port
  const unset = targetPort === undefined || targetPort === 0 || targetPort === ''
  const target = unset ? port.port : targetPort
  return {
    protocol: 'TCP',
    ...port,
    ...(target === undefined ? {} : { targetPort: target }),
  }
}

/** What an update leaves out but the server has given stays. */
function keepAllocated(object: JsonMap, live: JsonMap): JsonMap {
  const before = mapAt(live, 'spec')
  const spec: Record<string, Json> = { ...mapAt(object, 'spec') }
  if (textAt(spec, 'type') === 'ExternalName') return object
  const wasRouted = textAt(before, 'type') !== 'ExternalName'
  if (wasRouted && spec.clusterIP === undefined && spec.clusterIPs === undefined) {
    if (before.clusterIP !== undefined) spec.clusterIP = before.clusterIP
    if (before.clusterIPs !== undefined) spec.clusterIPs = before.clusterIPs
  } else if (spec.clusterIP !== before.clusterIP && equal(spec.clusterIPs, before.clusterIPs)) {
    spec.clusterIPs = spec.clusterIP === undefined ? [] : [spec.clusterIP]
  }
  for (const key of ['ipFamilies', 'ipFamilyPolicy']) {
    if (spec[key] === undefined && before[key] !== undefined) spec[key] = before[key]
  }
  if (textAt(spec, 'type') === 'NodePort' || textAt(spec, 'type') === 'LoadBalancer') {
    const ports = listAt(before, 'ports')
    spec.ports = listAt(spec, 'ports').map((port) => keepNodePort(port, ports))
  }
  return { ...object, spec }
}

function keepNodePort(port: Json, before: readonly Json[]): Json {
  if (!isMap(port) || port.nodePort !== undefined) return port
  const same = before.find(
    (other) => isMap(other) && other.port === port.port && other.protocol === port.protocol,
  )
  return isMap(same) && same.nodePort !== undefined ? { ...port, nodePort: same.nodePort } : port
}

/** clusterIPs from clusterIP, and the families of a cluster of IPv4, or of IPv4 and IPv6. */
function complete(object: JsonMap, isDualStack: boolean, live?: JsonMap): JsonMap {
  const spec: Record<string, Json> = { ...mapAt(object, 'spec') }
  if (spec.type === 'ExternalName') {
    for (const key of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy']) {
      if (live === undefined || textAt(live, 'spec', 'type') !== 'ExternalName') delete spec[key]
    }
    return { ...object, spec }
  }
  const clusterIP = spec.clusterIP
  if (typeof clusterIP === 'string' && listAt(spec, 'clusterIPs').length === 0) {
    spec.clusterIPs = [clusterIP]
  }
  const isBare = spec.selector === undefined && clusterIP === 'None'
  spec.ipFamilies ??= isBare ? ['IPv4', 'IPv6'] : ['IPv4']
  spec.ipFamilyPolicy ??= isBare ? 'RequireDualStack' : 'SingleStack'
  const [family, ...others] = listAt(spec, 'ipFamilies')
  const isDual = spec.ipFamilyPolicy !== 'SingleStack' && (isDualStack || clusterIP === 'None')
  if (isDual && others.length === 0) {
    spec.ipFamilies = [family ?? 'IPv4', family === 'IPv6' ? 'IPv4' : 'IPv6']
  }
  return { ...object, spec }
}

function validateService(object: JsonMap, live: JsonMap | undefined): readonly FieldError[] {
  const spec = mapAt(object, 'spec')
  const type = textAt(spec, 'type')
  const ports = listAt(spec, 'ports')
  const errors: FieldError[] = []
  if (!TYPES.includes(type)) errors.push(unsupported('spec.type', type, TYPES))
  if (type === 'ExternalName') {
    if (textAt(spec, 'externalName') === '') errors.push(required('spec.externalName'))
  } else if (ports.length === 0 && spec.clusterIP !== 'None') {
    errors.push(required('spec.ports'))
  }
  errors.push(...validatePorts(ports))
  if (!['None', 'ClientIP'].includes(textAt(spec, 'sessionAffinity'))) {
    const affinity = spec.sessionAffinity ?? ''
    errors.push(unsupported('spec.sessionAffinity', affinity, ['ClientIP', 'None']))
  }
  return [...errors, ...validateAddresses(spec, live)]
}

/** Source: kubernetes pkg/registry/core/service and pkg/apis/core/validation. */
function validateFamilies(
  object: JsonMap,
  live: JsonMap | undefined,
  isDualStack: boolean,
): readonly FieldError[] {
  const { ipFamilyPolicy: policy, clusterIP } = mapAt(object, 'spec')
  const [primary, second] = listAt(object, 'spec', 'ipFamilies')
  if (isDualStack || clusterIP === 'None') return primaryStays(object, live)
  const errors: FieldError[] = []
  if (policy === 'RequireDualStack') {
    const rule = 'this cluster is not configured for dual-stack services'
    errors.push(invalidValue('spec.ipFamilyPolicy', policy, rule))
  }
  if (primary === 'IPv6' || second === 'IPv6') {
    const rule = 'not configured on this cluster'
    errors.push(invalidValue(`spec.ipFamilies[${primary === 'IPv6' ? 0 : 1}]`, 'IPv6', rule))
  }
  return errors
}

function primaryStays(object: JsonMap, live: JsonMap | undefined): readonly FieldError[] {
  const families = listAt(object, 'spec', 'ipFamilies')
  const [before] = listAt(live, 'spec', 'ipFamilies')
  if (before === undefined || families[0] === before) return []
  return [invalidValue('spec.ipFamilies[0]', families[0] ?? null, 'may not change once set')]
}

function validatePorts(ports: readonly Json[]): readonly FieldError[] {
  const names = new Set<string>()
  const numbers = new Set<string>()
  const errors: FieldError[] = []
  for (const [index, port] of ports.entries()) {
    const path = `spec.ports[${index}]`
    const name = textAt(port, 'name')
    errors.push(...validatePort(port, path, ports.length > 1))
    if (name !== '' && names.has(name)) errors.push(duplicate(`${path}.name`, name))
    names.add(name)
    const { port: number = null, protocol = null } = isMap(port) ? port : {}
    if (numbers.has(`${number}/${protocol}`)) {
      errors.push(duplicate(path, { port: number, protocol }))
    }
    numbers.add(`${number}/${protocol}`)
  }
  return errors
}

function validatePort(port: Json, path: string, needsName: boolean): readonly FieldError[] {
  const errors: FieldError[] = []
  const { name, port: number, protocol, targetPort } = isMap(port) ? port : {}
  if (name === undefined || name === '') {
    if (needsName) errors.push(required(`${path}.name`))
  } else {
    const wrong = dnsLabel(String(name))
    if (wrong !== undefined) errors.push(invalidValue(`${path}.name`, name, wrong))
  }
  if (!isPort(number)) errors.push(invalidValue(`${path}.port`, number ?? 0, PORT_RULE))
  if (protocol === undefined) errors.push(required(`${path}.protocol`))
  else if (!PROTOCOLS.includes(String(protocol))) {
    errors.push(unsupported(`${path}.protocol`, protocol, PROTOCOLS))
  }
  const wrong = typeof targetPort === 'string' ? portName(targetPort) : undefined
  if (wrong !== undefined) errors.push(invalidValue(`${path}.targetPort`, targetPort, wrong))
  if (typeof targetPort === 'number' && !isPort(targetPort)) {
    errors.push(invalidValue(`${path}.targetPort`, targetPort, PORT_RULE))
  }
  return errors
}

const PORT_RULE = 'must be between 1 and 65535, inclusive'

function isPort(value: Json | undefined): boolean {
  return typeof value === 'number' && value >= 1 && value <= 65535
}

function validateAddresses(spec: JsonMap, live: JsonMap | undefined): readonly FieldError[] {
  const ips = listAt(spec, 'clusterIPs')
  const before = listAt(live, 'spec', 'clusterIPs')
  const errors: FieldError[] = []
  for (const [index, ip] of ips.entries()) {
    if (ip === 'None' || parseIp(String(ip)) !== undefined) continue
    const rule = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'
    errors.push(invalidValue(`spec.clusterIPs[${index}]`, ip, rule))
  }
  if (ips.length > 2) errors.push(tooMany('spec.clusterIPs', ips.length, 2))
  if (spec.clusterIP !== undefined && ips[0] !== undefined && ips[0] !== spec.clusterIP) {
    const rule = 'first value must match `clusterIP`'
    errors.push(invalidValue('spec.clusterIPs[0]', ips[0], rule))
  }
  const stays = textAt(spec, 'type') !== 'ExternalName' && before.length > 0
  if (stays && before[0] !== ips[0]) {
    errors.push(invalidValue('spec.clusterIPs[0]', ips, 'may not change once set'))
  }
  return errors
}
