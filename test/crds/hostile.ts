// Specs as only an attacker, a broken template or a tired person writes them: what each may lead to is
// one clear, bounded message, and nothing else. Plain JSON, so that they can be sent to an API server.

export type HostileSpec = {
  readonly name: string
  readonly spec: unknown
  /**
   * What has to be told: `issue` is part of an issue of the whole spec, `refused` part of the message
   * of a host that is left out while the rest goes on, `nothing` means that the spec is good after all.
   */
  readonly expect:
    | { readonly issue: string }
    | { readonly refused: string }
    | { readonly nothing: true }
}

const HEX = '0123456789abcdef'

function port(fields: object): unknown {
  return { ports: [{ name: 'web', port: 80, hosts: ['10.33.40.151'], ...fields }] }
}

function host(value: unknown): unknown {
  return { ports: [{ name: 'web', port: 80, hosts: ['10.33.40.151', value] }] }
}

/** An object with keys that a literal would not make its own, such as `__proto__`. */
function json(text: string): unknown {
  return JSON.parse(text)
}

function nested(depth: number, wrap: (inner: unknown) => unknown): unknown {
  let value: unknown = 'bottom'
  for (let level = 0; level < depth; level++) value = wrap(value)
  return value
}

function ports(count: number, fields: object = {}): unknown[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `p${index}`,
    port: index + 1,
    ...fields,
  }))
}

const atPort = 'spec.ports[0]'
const refusedAt = 'spec.ports[0].hosts[1]: Cannot use host '

export const hostileSpecs: readonly HostileSpec[] = [
  // The whole of it.
  { name: 'null for the spec', spec: null, expect: { issue: 'spec: ' } },
  { name: 'a list for the spec', spec: [{ ports: [] }], expect: { issue: 'spec: ' } },
  { name: 'text for the spec', spec: 'ports: []', expect: { issue: 'spec: ' } },
  { name: 'a number for the spec', spec: 1e308, expect: { issue: 'spec: ' } },
  { name: 'nothing in the spec', spec: {}, expect: { issue: 'spec.ports: ' } },
  {
    name: 'an object for the ports',
    spec: { ports: { 0: { port: 80 }, length: 1 } },
    expect: { issue: 'spec.ports: ' },
  },
  { name: 'no ports', spec: { ports: [] }, expect: { issue: 'spec.ports: ' } },
  { name: 'null for a port', spec: { ports: [null] }, expect: { issue: 'spec.ports[0]: ' } },
  { name: 'a list for a port', spec: { ports: [[]] }, expect: { issue: 'spec.ports[0]: ' } },
  {
    name: 'a thousand empty ports',
    spec: { ports: new Array(1_000).fill({}) },
    expect: { issue: 'and 991 more' },
  },
  { name: '1,001 ports', spec: { ports: ports(1_001) }, expect: { issue: 'spec.ports: ' } },

  // Amplification.
  {
    name: '10,000 hosts for a thousand ports',
    spec: {
      hosts: Array.from({ length: 10_000 }, (_, index) => `10.1.${index >> 8}.${index & 255}`),
      ports: ports(1_000),
    },
    expect: { issue: 'Too many hosts: 10000000' },
  },
  {
    name: '100,000 hosts',
    spec: port({ hosts: new Array(100_000).fill('10.0.0.1') }),
    expect: { issue: 'spec.ports[0].hosts: ' },
  },
  {
    name: '10,000 hosts, all of them neither addresses nor names',
    spec: port({ hosts: Array.from({ length: 10_000 }, (_, index) => `db_${index}.internal`) }),
    expect: { refused: 'spec.ports[0].hosts[9999]: Cannot use host "db_9999.internal"' },
  },
  {
    name: '10,000 names',
    spec: port({ hosts: Array.from({ length: 10_000 }, (_, index) => `db-${index}.internal`) }),
    expect: { nothing: true },
  },
  {
    name: '10,000 times the same host',
    spec: port({ hosts: new Array(10_000).fill('10.33.40.151') }),
    expect: { nothing: true },
  },
  {
    name: '300,000 wrong bytes of data',
    spec: port({ protocol: 'UDP', udpSocket: { data: new Array(300_000).fill(-1) } }),
    expect: { issue: `${atPort}.udpSocket.data: ` },
  },
  {
    name: 'a megabyte of data',
    spec: port({ protocol: 'UDP', udpSocket: { data: 'x'.repeat(1_000_000) } }),
    expect: { issue: `${atPort}.udpSocket.data: ` },
  },

  // Depth.
  {
    name: 'a host 500 lists deep',
    spec: host(nested(500, (inner) => [inner])),
    expect: { refused: `${refusedAt}a list as it must be text` },
  },
  {
    name: 'a host 500 objects deep',
    spec: host(nested(500, (inner) => ({ inner }))),
    expect: { refused: `${refusedAt}an object as it must be text` },
  },
  {
    name: 'data 500 lists deep',
    spec: port({ udpSocket: { data: nested(500, (inner) => [inner]) } }),
    expect: { issue: `${atPort}.udpSocket.data: ` },
  },
  {
    name: 'a probe 500 objects deep',
    spec: port({ tcpSocket: nested(500, (tcpSocket) => ({ tcpSocket })) }),
    expect: { nothing: true },
  },

  // Keys that objects have anyway.
  {
    name: '__proto__ in the spec',
    spec: json('{"__proto__":{"ports":[{"port":80}]}}'),
    expect: { issue: 'spec.ports: ' },
  },
  {
    name: '__proto__ in a port',
    spec: { ports: [json('{"__proto__":{"port":80}}')] },
    expect: { issue: 'spec.ports[0].port: ' },
  },
  {
    name: '__proto__ in a probe',
    spec: port({ tcpSocket: json('{"__proto__":{"enable":"x"}}') }),
    expect: { nothing: true },
  },
  {
    name: 'constructor and prototype everywhere',
    spec: json(
      '{"constructor":{"prototype":{"ports":[]}},"ports":[{"port":80,"constructor":null,"hosts":["10.33.40.151"]}]}',
    ),
    expect: { nothing: true },
  },
  {
    name: '__proto__ for a host',
    spec: host('__proto__'),
    expect: { refused: `${refusedAt}"__proto__"` },
  },
  {
    name: 'a host with a toString of its own',
    spec: host({ toString: 1, valueOf: 1 }),
    expect: { refused: `${refusedAt}an object` },
  },
  {
    name: 'a host with a toJSON of its own',
    spec: host({ toJSON: 'x', length: 7 }),
    expect: { refused: `${refusedAt}an object` },
  },
  {
    name: '__proto__ for the name of a port',
    spec: port({ name: '__proto__' }),
    expect: { issue: `${atPort}.name: ` },
  },
  {
    name: 'constructor for the name of two ports',
    spec: {
      ports: [
        { name: 'constructor', port: 1 },
        { name: 'constructor', port: 2 },
      ],
    },
    expect: { issue: 'spec.ports[1].name: Duplicate name "constructor"' },
  },

  // Numbers that are none.
  { name: 'a port as text', spec: port({ port: '80' }), expect: { issue: `${atPort}.port: ` } },
  { name: 'a port of zero', spec: port({ port: 0 }), expect: { issue: `${atPort}.port: ` } },
  { name: 'a port of 65536', spec: port({ port: 65_536 }), expect: { issue: `${atPort}.port: ` } },
  { name: 'a port and a half', spec: port({ port: 80.5 }), expect: { issue: `${atPort}.port: ` } },
  {
    name: 'a negative timeout',
    spec: port({ timeoutSeconds: -1 }),
    expect: { issue: `${atPort}.timeoutSeconds: ` },
  },
  {
    name: 'a timeout at which timers overflow',
    spec: port({ timeoutSeconds: 2_147_484 }),
    expect: { issue: `${atPort}.timeoutSeconds: ` },
  },
  {
    name: 'a period beyond all numbers',
    spec: json('{"periodSeconds":1e999,"ports":[{"port":80}]}'),
    expect: { issue: 'spec.periodSeconds: ' },
  },
  {
    name: 'NaN as text for a threshold',
    spec: port({ failureThreshold: 'NaN' }),
    expect: { issue: `${atPort}.failureThreshold: ` },
  },
  {
    name: 'a threshold of 9007199254740993',
    spec: json('{"ports":[{"port":80,"failureThreshold":9007199254740993}]}'),
    expect: { issue: `${atPort}.failureThreshold: ` },
  },
  {
    name: 'a period of 1e-9',
    spec: { periodSeconds: 1e-9, ports: [{ port: 80 }] },
    expect: { issue: 'spec.periodSeconds: ' },
  },
  {
    name: 'minus zero everywhere',
    spec: {
      periodSeconds: -0,
      ports: [{ port: 80, targetPort: -0, timeoutSeconds: -0, failureThreshold: -0 }],
    },
    expect: { nothing: true },
  },
  {
    name: 'a truth as text',
    spec: port({ tcpSocket: { enable: 'yes' } }),
    expect: { issue: `${atPort}.tcpSocket.enable: ` },
  },

  // Lists for objects and the other way round.
  {
    name: 'a list for tcpSocket',
    spec: port({ tcpSocket: [] }),
    expect: { issue: `${atPort}.tcpSocket: ` },
  },
  {
    name: 'a list for httpGet',
    spec: port({ httpGet: [{ path: '/' }] }),
    expect: { issue: `${atPort}.httpGet: ` },
  },
  { name: 'a list for grpc', spec: port({ grpc: [] }), expect: { issue: `${atPort}.grpc: ` } },
  {
    name: 'a list for udpSocket',
    spec: port({ udpSocket: [1, 2] }),
    expect: { issue: `${atPort}.udpSocket: ` },
  },
  {
    name: 'an object for the hosts',
    spec: port({ hosts: { 0: '10.0.0.1' } }),
    expect: { issue: `${atPort}.hosts: ` },
  },
  {
    name: 'text for the hosts',
    spec: port({ hosts: '10.0.0.1' }),
    expect: { issue: `${atPort}.hosts: ` },
  },
  {
    name: 'an object for data',
    spec: port({ udpSocket: { data: { 0: 1, length: 1 } } }),
    expect: { issue: `${atPort}.udpSocket.data: ` },
  },
  {
    name: 'all four probes at once',
    spec: port({ tcpSocket: {}, httpGet: {}, udpSocket: {}, grpc: {} }),
    expect: { issue: 'tcpSocket and httpGet and udpSocket and grpc' },
  },

  // Text that wants to be something else.
  {
    name: 'a header that smuggles a request',
    spec: port({ httpGet: { httpHeaders: [{ name: 'A', value: 'b\r\n\r\nDELETE / HTTP/1.1' }] } }),
    expect: { issue: `${atPort}.httpGet.httpHeaders[0].value: Invalid header value` },
  },
  {
    name: 'a header name that smuggles a header',
    spec: port({ httpGet: { httpHeaders: [{ name: 'A: b\r\nHost', value: 'c' }] } }),
    expect: { issue: `${atPort}.httpGet.httpHeaders[0].name: Invalid header name` },
  },
  {
    name: 'a path that smuggles a request',
    spec: port({ httpGet: { path: '/ HTTP/1.1\r\nHost: evil\r\n\r\n' } }),
    expect: { issue: `${atPort}.httpGet.path: Invalid path` },
  },
  {
    name: 'a path with a NUL',
    spec: port({ httpGet: { path: '/\u0000' } }),
    expect: { issue: `${atPort}.httpGet.path: Invalid path` },
  },
  {
    name: 'a scheme that reads files',
    spec: port({ httpGet: { scheme: 'file' } }),
    expect: { issue: `${atPort}.httpGet.scheme: ` },
  },
  {
    name: 'a protocol a megabyte long',
    spec: port({ protocol: 'x'.repeat(1_000_000) }),
    expect: { issue: '…' },
  },
  {
    name: 'a protocol that paints the terminal',
    spec: port({ protocol: '\u001b[2J\u001b]0;pwned\u0007' }),
    expect: { issue: '"?[2J?]0;pwned?"' },
  },
  {
    name: 'a protocol that forges a log line',
    spec: port({ protocol: 'x"\n{"level":"error"}' }),
    expect: { issue: 'x"?{"level":"error"}' },
  },
  {
    name: 'a protocol that is half a character',
    spec: port({ protocol: '\ud83d' }),
    expect: { issue: '"?"' },
  },
  {
    name: 'a name that fits only to the eye',
    spec: port({ name: 'w\u0435b' }),
    expect: { issue: `${atPort}.name: ` },
  },
  {
    name: 'a name that ends in a line',
    spec: port({ name: 'web\n' }),
    expect: { issue: `${atPort}.name: ` },
  },
  {
    name: 'a name that costs time to match',
    spec: port({ name: `${'a-'.repeat(50_000)}!` }),
    expect: { issue: `${atPort}.name: ` },
  },
  {
    name: 'a cluster IP with a zone',
    spec: { clusterIP: 'fe80::1%eth0', ports: [{ port: 80 }] },
    expect: { issue: 'spec.clusterIP: ' },
  },
  {
    name: 'a cluster IP that is a command',
    spec: { clusterIP: '$(reboot)', ports: [{ port: 80 }] },
    expect: { issue: 'spec.clusterIP: ' },
  },

  // Hosts.
  {
    name: 'no host at all',
    spec: host(''),
    expect: { refused: `${refusedAt}"" as it must be an IP address` },
  },
  {
    name: 'null for a host',
    spec: host(null),
    expect: { refused: `${refusedAt}null as it must be text` },
  },
  {
    name: 'an address as a number',
    spec: host(167_772_161),
    expect: { refused: `${refusedAt}167772161 as it must be text` },
  },
  {
    name: 'an address in octal',
    spec: host('010.0.0.1'),
    expect: { refused: 'must be an IP address' },
  },
  {
    name: 'an address in digits of another script',
    spec: host('１０.0.0.1'),
    expect: { refused: 'must be an IP address' },
  },
  {
    name: 'the metadata service of the cloud',
    spec: host('169.254.169.254'),
    expect: { refused: 'must not be a link-local address' },
  },
  {
    name: 'this machine',
    spec: host('127.0.0.1'),
    expect: { refused: 'must not be a loopback address' },
  },
  {
    name: 'this machine in disguise',
    spec: host('::ffff:127.0.0.1'),
    expect: { refused: 'must be written as the IPv4 address it maps' },
  },
  {
    name: 'everywhere',
    spec: host('::'),
    expect: { refused: 'must not be the unspecified address' },
  },
  {
    name: 'a host with a NUL',
    spec: host('10.0.0.1\u0000.evil'),
    expect: { refused: '"10.0.0.1?.evil"' },
  },
  {
    name: 'a host that runs backwards',
    spec: host('\u202e1.0.0.01'),
    expect: { refused: '"?1.0.0.01"' },
  },
  {
    name: 'a host a megabyte long',
    spec: host(HEX.repeat(65_536)),
    expect: { refused: `"${HEX.repeat(4).slice(0, 63)}…"` },
  },
  {
    name: 'a zone a megabyte long',
    spec: host(`fe80::1%${'a'.repeat(1_000_000)}`),
    expect: { refused: 'must not carry a zone' },
  },
  {
    name: 'a host that would be cut through a character',
    spec: host(`${'x'.repeat(62)}😀😀`),
    expect: { refused: `"${'x'.repeat(62)}?…"` },
  },
]
