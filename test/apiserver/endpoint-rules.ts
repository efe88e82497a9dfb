// Endpoints and EndpointSlices as the API server treats them: which addresses and ports may be published.

import { parseIp, specialIp } from './ip.ts'
import { isMap, type Json, type JsonMap, listAt, textAt } from './json.ts'
import { dnsLabel, dnsSubdomain } from './names.ts'
import { noRules, type Rules } from './resource.ts'
import {
  duplicate,
  type FieldError,
  invalidValue,
  required,
  tooMany,
  unsupported,
} from './status.ts'

const PROTOCOLS = ['SCTP', 'TCP', 'UDP']
const ADDRESS_TYPES = ['FQDN', 'IPv4', 'IPv6']
const ENDPOINTS_MAX = 1000
const ADDRESSES_MAX = 100
const PORTS_MAX = 100

/** The rules of Endpoints. */
export function endpointsRules(allowLoopback: boolean): Rules {
  return {
    ...noRules,
    name: dnsSubdomain,
    fillDefaults: (object) =>
      object.subsets === undefined
        ? object
        : { ...object, subsets: listAt(object, 'subsets').map(fillSubset) },
    validate: (object) =>
      listAt(object, 'subsets').flatMap((subset, index) =>
        validateSubset(subset, `subsets[${index}]`, allowLoopback),
      ),
  }
}

/** The rules of EndpointSlices. */
export function endpointSliceRules(allowLoopback: boolean): Rules {
  return {
    ...noRules,
    name: dnsSubdomain,
    validate: (object, live) => validateSlice(object, live, allowLoopback),
  }
}

function fillSubset(subset: Json): Json {
  if (!isMap(subset) || subset.ports === undefined) return subset
  const ports = listAt(subset, 'ports').map((port) =>
    isMap(port) ? { protocol: 'TCP', ...port } : port,
  )
  return { ...subset, ports }
}

function validateSubset(subset: Json, path: string, allowLoopback: boolean): readonly FieldError[] {
  const addresses = listAt(subset, 'addresses')
  const notReady = listAt(subset, 'notReadyAddresses')
  const ports = listAt(subset, 'ports')
  const check = (list: readonly Json[], name: string) =>
    list.flatMap((address, index) =>
      validateAddress(textAt(address, 'ip'), `${path}.${name}[${index}].ip`, allowLoopback),
    )
  return [
    ...(addresses.length + notReady.length === 0
      ? [required(path, 'must specify `addresses` or `notReadyAddresses`')]
      : []),
    ...check(addresses, 'addresses'),
    ...check(notReady, 'notReadyAddresses'),
    ...ports.flatMap((port, index) =>
      validatePort(port, `${path}.ports[${index}]`, ports.length > 1),
    ),
  ]
}

function validateAddress(ip: string, field: string, allowLoopback: boolean): readonly FieldError[] {
  const wrong = specialIp(ip, allowLoopback)
  return wrong === undefined ? [] : [invalidValue(field, ip, wrong)]
}

function validatePort(port: Json, path: string, needsName: boolean): readonly FieldError[] {
  const { name = '', port: number = 0, protocol = '' } = isMap(port) ? port : {}
  const errors: FieldError[] = []
  if (name === '') {
    if (needsName) errors.push(required(`${path}.name`))
  } else {
    const wrong = dnsLabel(String(name))
    if (wrong !== undefined) errors.push(invalidValue(`${path}.name`, name, wrong))
  }
  if (typeof number !== 'number' || number < 1 || number > 65535) {
    const rule = 'must be between 1 and 65535, inclusive'
    errors.push(invalidValue(`${path}.port`, number, rule))
  }
  if (protocol === '') errors.push(required(`${path}.protocol`))
  else if (!PROTOCOLS.includes(String(protocol))) {
    errors.push(unsupported(`${path}.protocol`, protocol, PROTOCOLS))
  }
  return errors
}

function validateSlice(
  object: JsonMap,
  live: JsonMap | undefined,
  allowLoopback: boolean,
): readonly FieldError[] {
  const addressType = textAt(object, 'addressType')
  const endpoints = listAt(object, 'endpoints')
  const ports = listAt(object, 'ports')
  const errors: FieldError[] = []
  if (addressType === '') errors.push(required('addressType'))
  else if (!ADDRESS_TYPES.includes(addressType)) {
    errors.push(unsupported('addressType', addressType, ADDRESS_TYPES))
  }
  if (live !== undefined && textAt(live, 'addressType') !== addressType) {
    errors.push(invalidValue('addressType', addressType, 'field is immutable'))
  }
  if (endpoints.length > ENDPOINTS_MAX) {
    errors.push(tooMany('endpoints', endpoints.length, ENDPOINTS_MAX))
  }
  for (const [index, endpoint] of endpoints.entries()) {
    const path = `endpoints[${index}].addresses`
    errors.push(...validateSliceAddresses(endpoint, path, addressType, allowLoopback))
  }
  if (ports.length > PORTS_MAX) errors.push(tooMany('ports', ports.length, PORTS_MAX))
  const names = new Set<string>()
  for (const [index, port] of ports.entries()) {
    const name = textAt(port, 'name')
    if (names.has(name)) errors.push(duplicate(`ports[${index}].name`, name))
    names.add(name)
    errors.push(...validatePort(port, `ports[${index}]`, false))
  }
  return errors
}

function validateSliceAddresses(
  endpoint: Json,
  path: string,
  addressType: string,
  allowLoopback: boolean,
): readonly FieldError[] {
  const addresses = listAt(endpoint, 'addresses')
  if (addresses.length === 0) return [required(path, 'must contain at least 1 address')]
  if (addresses.length > ADDRESSES_MAX) return [tooMany(path, addresses.length, ADDRESSES_MAX)]
  if (addressType === 'FQDN') return []
  return addresses.flatMap((address, index) => {
    const field = `${path}[${index}]`
    const family = parseIp(String(address))?.family
    if (family !== undefined && family !== addressType && ADDRESS_TYPES.includes(addressType)) {
      return [invalidValue(field, address, `must be an ${addressType} address`)]
    }
    return validateAddress(String(address), field, allowLoopback)
  })
}
