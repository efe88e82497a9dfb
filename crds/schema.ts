// The one source of what a ClusterEndpoint's spec may say: the CRD's OpenAPI is generated from it
// (crds/generate.ts), the types are inferred from it, and its defaults are filled here and nowhere else.

import { isIP } from 'node:net'
import * as v from 'valibot'
import type { Probe } from '../probes/target.ts'
import { FAMILIES, FAMILY_POLICIES, type FamilyWish } from './families.ts'

/** Seconds. A day: longer than anybody means, and far from the 2^31 ms at which timers overflow. */
const SECONDS_MAX = 86_400
const THRESHOLD_MAX = 1_000
/** Bytes. What one IPv4 UDP datagram can carry. */
const UDP_DATA_BYTES_MAX = 65_507
/**
 * Hosts of one resource, counted once for each port: `spec.hosts` serves every port, so 1.5 MB of
 * YAML, what etcd takes, could ask for a hundred million targets.
 */
export const HOSTS_MAX = 20_000

/** RFC 1123 label, as Service port names must be. */
const PORT_NAME = /^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$/
/** RFC 9110 token. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** No control characters except tab, and nothing beyond Latin-1: what one header line can carry. */
const HEADER_VALUE = /^[\t -~\u00a0-\u00ff]*$/
/** No control characters. */
const PATH = /^\P{Cc}*$/u

/**
 * As v.object, which also takes an array for an object: `tcpSocket: []` would be a probe. The answer
 * to an array is the one to any other value that is no object.
 */
function object<const E extends v.ObjectEntries>(entries: E, message?: string) {
  const schema = v.object(entries, message)
  const run: (typeof schema)['~run'] = (dataset, config) =>
    schema['~run'](Array.isArray(dataset.value) ? { value: 'an array' } : dataset, config)
  return { ...schema, '~run': run }
}

function count(fallback: number, max: number, text: string) {
  return v.pipe(
    v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(max)), fallback),
    v.description(`${text} 0 means the default.`),
    v.transform((value) => value || fallback),
  )
}

function seconds(fallback: number, text: string) {
  return v.pipe(
    count(fallback, SECONDS_MAX, text),
    v.transform((value) => value * 1000),
  )
}

const enable = v.pipe(
  v.optional(v.boolean(), true),
  v.description('Whether to probe; false counts every host as healthy.'),
)

const hosts = v.pipe(
  // Each host is judged on its own (crds/hosts.ts), so that one bad host never costs a good one.
  v.array(v.pipe(v.unknown(), v.metadata({ type: 'string' }))),
  v.maxLength(HOSTS_MAX),
  v.description(
    'Hosts outside the cluster: IPv4 or IPv6 addresses, or DNS names, each of whose addresses is probed and published on its own.',
  ),
)

const tcpSocket = v.pipe(
  object({ enable }),
  v.description('Healthy when a TCP connection to the host can be opened within the timeout.'),
)

// Messages of its own wherever a value is told otherwise: a header may hold a secret, and messages end up in status.
const httpHeader = object(
  {
    name: v.pipe(
      v.string(),
      v.maxLength(256),
      v.regex(HEADER_NAME, 'Invalid header name: use letters, digits and dashes'),
      v.description('Header name; canonicalised when sent.'),
    ),
    value: v.pipe(
      v.optional(v.string('Invalid header value: use text, in quotes if it is a number'), ''),
      v.maxLength(8192, 'Invalid header value: longer than 8192 characters'),
      v.check(
        (value) => HEADER_VALUE.test(value),
        'Invalid header value: it must not hold control characters or characters beyond Latin-1',
      ),
      v.description('Header value. Empty removes User-Agent or Accept.'),
    ),
  },
  'Invalid header: use an object with name and value',
)

const httpGet = v.pipe(
  object({
    path: v.pipe(
      v.optional(v.string(), ''),
      v.maxLength(2048),
      v.regex(PATH, 'Invalid path: it must not hold control characters'),
      v.description('Path and query to GET. Default: /'),
      v.transform((path) => (path.startsWith('/') ? path : `/${path}`)),
    ),
    scheme: v.pipe(
      v.optional(v.picklist(['http', 'https', 'HTTP', 'HTTPS', '']), 'http'),
      v.description('http or https, in either case. Certificates are not verified.'),
      v.transform((scheme) => (scheme.toLowerCase() === 'https' ? ('https' as const) : 'http')),
    ),
    httpHeaders: v.pipe(
      v.optional(
        v.pipe(
          v.array(httpHeader, 'Invalid headers: use a list of objects with name and value'),
          v.maxLength(64),
        ),
        [],
      ),
      v.description('Headers to send; repeated names are sent as repeated lines.'),
    ),
  }),
  v.description('Healthy when an HTTP GET ends with a status from 200 to 399.'),
)

const UDP_DATA_RULE = 'Invalid data: use text or an array of bytes from 0 to 255'

const udpData = v.pipe(
  v.union([v.string(), v.array(v.unknown())], UDP_DATA_RULE),
  // One check for all bytes, not a schema for each: the API server checks nothing here, and an issue
  // for each of the 400,000 wrong bytes of one hostile resource took 470 MB.
  v.check((data) => typeof data === 'string' || data.every(isByte), UDP_DATA_RULE),
  v.description(
    'What to send: text, or an array of bytes from 0 to 255. Default: an empty datagram.',
  ),
  // Without a type: both forms are stored as they are. Bounded all the same, for the API server takes half a second
  // for each write of a status beside 300,000 bytes. A character of text is a byte at least.
  v.metadata({
    'x-kubernetes-preserve-unknown-fields': true,
    maxItems: UDP_DATA_BYTES_MAX,
    maxLength: UDP_DATA_BYTES_MAX,
  }),
  v.transform((data) =>
    typeof data === 'string' ? Buffer.from(data) : Uint8Array.from(data.filter(isByte)),
  ),
  v.check(
    (bytes) => bytes.length <= UDP_DATA_BYTES_MAX,
    `Invalid data: a datagram holds at most ${UDP_DATA_BYTES_MAX} bytes`,
  ),
)

function isByte(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 255
}

const udpSocket = v.pipe(
  object({ enable, data: v.optional(udpData) }),
  v.description('Healthy when the host answers a datagram with any datagram.'),
)

const grpc = v.pipe(
  object({
    enable,
    service: v.pipe(
      v.optional(v.string(), ''),
      v.maxLength(1024),
      v.description('Service to ask about. Default: "", the server as a whole.'),
    ),
  }),
  v.description('Healthy when grpc.health.v1.Health/Check answers SERVING. Plaintext.'),
)

/** The fields of one entry of `spec.ports`, before it is known which probe it means. */
const portFields = object({
  name: v.pipe(
    v.optional(v.string(), ''),
    v.maxLength(63),
    v.regex(PORT_NAME, 'Invalid name: use lower case letters, digits and dashes (RFC 1123 label)'),
    v.description(
      'Name of the Service port; required when there is more than one. Entries with the same name, protocol and port are one Service port.',
    ),
  ),
  protocol: v.pipe(
    v.optional(v.picklist(['TCP', 'UDP', 'SCTP', '']), 'TCP'),
    v.description('Protocol of the Service port.'),
    v.transform((protocol) => (protocol === '' ? ('TCP' as const) : protocol)),
  ),
  port: v.pipe(
    v.number(),
    v.integer(),
    v.minValue(1),
    v.maxValue(65535),
    v.description('Port of the Service, from 1 to 65535.'),
  ),
  targetPort: v.pipe(
    v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65535)), 0),
    v.description('Port on the hosts. 0 or absent: the same as port.'),
  ),
  hosts: v.optional(hosts),
  timeoutSeconds: seconds(1, 'Seconds after which an attempt has failed. Default: 1.'),
  successThreshold: count(
    1,
    THRESHOLD_MAX,
    'Successes in a row that make a host healthy. Default: 1.',
  ),
  failureThreshold: count(
    3,
    THRESHOLD_MAX,
    'Failures in a row that make a host unhealthy. Default: 3.',
  ),
  tcpSocket: v.optional(tcpSocket),
  httpGet: v.optional(httpGet),
  udpSocket: v.optional(udpSocket),
  grpc: v.optional(grpc),
})

type PortFields = v.InferOutput<typeof portFields>

/** The probes that an entry asks for, by the name of the field that asks. */
function probesOf(fields: PortFields): { readonly field: string; readonly probe: Probe }[] {
  const { tcpSocket, httpGet, udpSocket, grpc } = fields
  const probes: { readonly field: string; readonly probe: Probe }[] = []
  if (tcpSocket?.enable) probes.push({ field: 'tcpSocket', probe: { kind: 'tcp' } })
  if (httpGet) {
    const { scheme, path, httpHeaders: headers } = httpGet
    probes.push({ field: 'httpGet', probe: { kind: 'http', scheme, path, headers } })
  }
  if (udpSocket?.enable) {
    const data = udpSocket.data ?? new Uint8Array()
    probes.push({ field: 'udpSocket', probe: { kind: 'udp', data } })
  }
  if (grpc?.enable) probes.push({ field: 'grpc', probe: { kind: 'grpc', service: grpc.service } })
  return probes
}

const port = v.pipe(
  portFields,
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return
    const fields = probesOf(dataset.value).map((each) => each.field)
    if (fields.length <= 1) return
    addIssue({
      message: `Invalid probe: an entry has at most one, this has ${fields.join(' and ')}`,
    })
  }),
  v.transform((fields) => ({
    name: fields.name,
    protocol: fields.protocol,
    port: fields.port,
    targetPort: fields.targetPort || fields.port,
    hosts: fields.hosts ?? [],
    timeoutMs: fields.timeoutSeconds,
    successThreshold: fields.successThreshold,
    failureThreshold: fields.failureThreshold,
    probe: probesOf(fields)[0]?.probe,
  })),
)

/** One entry of `spec.ports` with its defaults filled. Durations in milliseconds. */
export type PortEntry = v.InferOutput<typeof port>

/** `spec` of a ClusterEndpoint: its output has every default filled and milliseconds for seconds. */
export const specSchema = v.pipe(
  object({
    clusterIP: v.pipe(
      v.optional(v.string(), ''),
      v.check(
        (ip) => ip === '' || ip === 'None' || (isIP(ip) !== 0 && !ip.includes('%')),
        'Invalid clusterIP: use None (headless), an IP address, or leave it out',
      ),
      v.description(
        'Cluster IP of the Service: None for a headless one, an address to ask for it, absent to have one allocated. Cannot be changed later.',
      ),
    ),
    ipFamilyPolicy: v.pipe(
      v.optional(v.picklist([...FAMILY_POLICIES, '']), ''),
      v.description(
        'As in a Service. Default: PreferDualStack if there are hosts of both families, else what the cluster gives.',
      ),
      v.transform((policy) => (policy === '' ? undefined : policy)),
    ),
    ipFamilies: v.pipe(
      v.optional(v.pipe(v.array(v.picklist(FAMILIES)), v.maxLength(2)), []),
      v.check(
        (families) => new Set(families).size === families.length,
        'Invalid ipFamilies: name each family once',
      ),
      v.description(
        'As in a Service: its address families, the primary one first, which cannot be changed later. Default: what the cluster gives.',
      ),
    ),
    periodSeconds: seconds(
      10,
      'Seconds between attempts on a host whose verdict is settled. Default: 10.',
    ),
    fastPeriodSeconds: seconds(
      1,
      'Seconds between attempts while the verdict on a host is in doubt; never above periodSeconds. Default: 1.',
    ),
    hosts: v.pipe(
      v.optional(hosts, []),
      v.description(
        'Deprecated: hosts for every port that names none of its own. Use ports[].hosts.',
      ),
    ),
    ports: v.pipe(
      v.array(port),
      v.minLength(1),
      v.maxLength(1000),
      v.description('Ports of the Service, each with its hosts and how they are probed.'),
    ),
  }),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return
    const { ports, hosts } = dataset.value
    const total = ports.reduce((sum, entry) => sum + (entry.hosts.length || hosts.length), 0)
    if (total > HOSTS_MAX) {
      addIssue({ message: `Too many hosts: ${total} over all ports, at most ${HOSTS_MAX}` })
    }
    for (const { index, field, message } of portConflicts(ports)) {
      addIssue({ message, path: portPath(dataset.value, index, field) })
    }
  }),
  v.transform((spec) => ({
    clusterIP: spec.clusterIP,
    /** What is asked of the Service's address families. */
    families: {
      ...(spec.ipFamilyPolicy === undefined ? {} : { ipFamilyPolicy: spec.ipFamilyPolicy }),
      ...(spec.ipFamilies.length === 0 ? {} : { ipFamilies: spec.ipFamilies }),
    } satisfies FamilyWish,
    periodMs: spec.periodSeconds,
    fastPeriodMs: Math.min(spec.fastPeriodSeconds, spec.periodSeconds),
    ports: spec.ports.map((entry, index) => ({
      ...entry,
      hosts: entry.hosts.length > 0 ? entry.hosts : spec.hosts,
      /** Where `hosts` stand in the resource, for messages. */
      hostsPath: entry.hosts.length > 0 ? `spec.ports[${index}].hosts` : 'spec.hosts',
    })),
  })),
)

/** A spec with every default filled. Durations in milliseconds; hosts still unjudged. */
export type Spec = v.InferOutput<typeof specSchema>

type PortConflict = {
  readonly index: number
  readonly field: 'name' | 'port'
  readonly message: string
}

/** What is wrong among Service ports, by the rules of the API server: it would refuse the whole Service. */
function portConflicts(entries: readonly PortEntry[]): PortConflict[] {
  const conflicts: PortConflict[] = []
  const byName = new Map<string, { readonly index: number; readonly socket: string }>()
  const bySocket = new Map<string, { readonly index: number; readonly name: string }>()
  for (const [index, { name, protocol, port }] of entries.entries()) {
    const socket = `${protocol} ${port}`
    const sameName = byName.get(name)
    const sameSocket = bySocket.get(socket)
    if (sameName && sameName.socket !== socket && name !== '') {
      const message = `Duplicate name "${name}": ports[${sameName.index}] has it for ${sameName.socket}, this for ${socket}`
      conflicts.push({ index, field: 'name', message })
    }
    if (sameSocket && sameSocket.name !== name) {
      const message = `Duplicate port ${socket}: ports[${sameSocket.index}] has it under the name "${sameSocket.name}"`
      conflicts.push({ index, field: 'port', message })
    }
    byName.set(name, sameName ?? { index, socket })
    bySocket.set(socket, sameSocket ?? { index, name })
  }
  if (bySocket.size <= 1) return conflicts
  for (const [index, { name }] of entries.entries()) {
    if (name !== '') continue
    conflicts.push({ index, field: 'name', message: 'Required when there is more than one port' })
  }
  return conflicts
}

/** Where `spec.ports[index].field` stands, in the form in which valibot tells it. */
function portPath(
  spec: { readonly ports: readonly PortEntry[] },
  index: number,
  field: PortConflict['field'],
): [v.IssuePathItem, ...v.IssuePathItem[]] {
  const entry = spec.ports[index]
  const item = { type: 'unknown', origin: 'value' } as const
  return [
    { ...item, input: spec, key: 'ports', value: spec.ports },
    { ...item, input: spec.ports, key: index, value: entry },
    { ...item, input: entry, key: field, value: entry?.[field] },
  ]
}
