import { describe, expect, test } from 'bun:test'
import { isSameQuestion, isSameSpec, planOf } from '../../crds/targets.ts'
import { only, planFor, specOf, strict } from './fixtures.ts'

const tcp = { tcpSocket: { enable: true } }

describe('planOf()', () => {
  test('makes one target of each host of each entry', () => {
    const { ports, targets, refused } = planFor({
      periodSeconds: 20,
      fastPeriodSeconds: 2,
      ports: [
        {
          name: 'web',
          port: 8080,
          targetPort: 80,
          hosts: ['10.0.0.2', 'FD00::1'],
          timeoutSeconds: 4,
          successThreshold: 2,
          failureThreshold: 5,
          httpGet: { path: '/up' },
        },
      ],
    })
    const servicePort = { name: 'web', protocol: 'TCP', port: 8080, targetPort: 80 } as const
    const asked = {
      port: 80,
      servicePort,
      probe: { kind: 'http', scheme: 'http', path: '/up', headers: [] },
      timeoutMs: 4_000,
      periodMs: 20_000,
      fastPeriodMs: 2_000,
      successThreshold: 2,
      failureThreshold: 5,
    }
    expect(ports).toEqual([servicePort])
    expect(refused).toEqual([])
    expect(targets).toEqual([
      expect.objectContaining({ ...asked, host: '10.0.0.2' }),
      expect.objectContaining({ ...asked, host: 'fd00::1' }),
    ])
  })

  test('without a probe makes targets that are never asked', () => {
    expect(
      only(planFor({ ports: [{ port: 80, hosts: ['10.0.0.1'] }] }).targets).probe,
    ).toBeUndefined()
  })

  test('makes one Service port of entries with the same name, protocol and port', () => {
    const { ports, targets } = planFor({
      ports: [
        { name: 'db', port: 5432, targetPort: 5432, hosts: ['10.0.0.1'] },
        { name: 'db', port: 5432, targetPort: 6432, hosts: ['10.0.0.2'] },
        { name: 'db', port: 5432, protocol: '', targetPort: 7432, hosts: ['10.0.0.3'] },
      ],
    })
    // Its targetPort is the first one; the addresses have their own.
    expect(ports).toEqual([{ name: 'db', protocol: 'TCP', port: 5432, targetPort: 5432 }])
    expect(targets.map(({ host, port }) => `${host}:${port}`)).toEqual([
      '10.0.0.1:5432',
      '10.0.0.2:6432',
      '10.0.0.3:7432',
    ])
    for (const { servicePort } of targets) expect(servicePort).toBe(only(ports))
  })

  test('keeps a Service port that has no host', () => {
    const { ports, targets } = planFor({ ports: [{ name: 'empty', port: 80 }] })
    expect(ports).toHaveLength(1)
    expect(targets).toEqual([])
  })

  test('uses the hosts of the spec for each port that has none', () => {
    const { targets } = planFor({
      hosts: ['10.0.0.1', '10.0.0.2'],
      ports: [
        { name: 'a', port: 1 },
        { name: 'b', port: 2, hosts: ['10.0.0.3'] },
      ],
    })
    expect(targets.map(({ host, port }) => `${host}:${port}`)).toEqual([
      '10.0.0.1:1',
      '10.0.0.2:1',
      '10.0.0.3:2',
    ])
  })

  test('does not change the spec', () => {
    const spec = specOf({ hosts: ['10.0.0.1', 'x'], ports: [{ port: 80, ...tcp }] })
    const before = structuredClone(spec)
    planOf(spec, strict)
    expect(spec).toEqual(before)
  })
})

describe('planOf() counts a host that is named twice once', () => {
  const rows: readonly [name: string, hosts: readonly string[], kept: readonly string[]][] = [
    ['in the same form', ['10.0.0.1', '10.0.0.1'], ['10.0.0.1']],
    ['in two forms', ['fd00::1', 'FD00:0:0::1'], ['fd00::1']],
    ['with spaces around', ['10.0.0.1', ' 10.0.0.1 '], ['10.0.0.1']],
    ['with another between', ['10.0.0.1', '10.0.0.2', '10.0.0.1'], ['10.0.0.1', '10.0.0.2']],
  ]
  for (const [name, hosts, kept] of rows) {
    test(`${name}, and tells nobody`, () => {
      const { targets, refused } = planFor({ ports: [{ port: 80, hosts, ...tcp }] })
      expect(targets.map(({ host }) => host)).toEqual([...kept])
      expect(refused).toEqual([])
    })
  }

  type Entry = Readonly<Record<string, unknown>>
  const twice: readonly [name: string, first: Entry, second: Entry, isTold: boolean][] = [
    ['the same probe', { tcpSocket: {} }, { tcpSocket: { enable: true } }, false],
    ['no probe in two ways', {}, { tcpSocket: { enable: false } }, false],
    [
      'the same path in two ways',
      { httpGet: { path: 'a' } },
      { httpGet: { path: '/a', scheme: 'HTTP' } },
      false,
    ],
    [
      'the same data in two forms',
      { udpSocket: { data: 'A' } },
      { udpSocket: { data: [65] } },
      false,
    ],
    ['no data in two forms', { udpSocket: {} }, { udpSocket: { data: '' } }, false],
    ['the same service in two ways', { grpc: {} }, { grpc: { service: '' } }, false],
    ['a probe and none', { tcpSocket: {} }, {}, true],
    ['none and a probe', {}, { tcpSocket: {} }, true],
    ['two kinds', { tcpSocket: {} }, { httpGet: {} }, true],
    ['two paths', { httpGet: { path: '/a' } }, { httpGet: { path: '/b' } }, true],
    ['two schemes', { httpGet: {} }, { httpGet: { scheme: 'https' } }, true],
    ['two sets of data', { udpSocket: { data: 'A' } }, { udpSocket: { data: 'B' } }, true],
    ['data and none', { udpSocket: { data: 'A' } }, { udpSocket: {} }, true],
    ['two services', { grpc: {} }, { grpc: { service: 'a' } }, true],
    [
      'one header more',
      { httpGet: {} },
      { httpGet: { httpHeaders: [{ name: 'A', value: 'b' }] } },
      true,
    ],
    [
      'two values of a header',
      { httpGet: { httpHeaders: [{ name: 'A', value: 'b' }] } },
      { httpGet: { httpHeaders: [{ name: 'A', value: 'c' }] } },
      true,
    ],
  ]
  for (const [name, first, second, isTold] of twice) {
    test(`in two entries that ask for ${name}, and ${isTold ? 'tells so' : 'tells nobody'}`, () => {
      const { targets, refused } = planFor({
        ports: [
          { port: 80, hosts: ['10.0.0.1'], ...first },
          { port: 80, hosts: ['10.0.0.2', '10.0.0.1'], ...second },
        ],
      })
      expect(targets.map(({ host }) => host)).toEqual(['10.0.0.1', '10.0.0.2'])
      expect(targets[0]?.probe).toEqual(
        only(specOf({ ports: [{ port: 80, ...first }] }).ports).probe,
      )
      expect(refused.map(({ message }) => message)).toEqual(
        isTold
          ? ['spec.ports[1].hosts[1]: Cannot probe host "10.0.0.1" in two ways; the first counts']
          : [],
      )
    })
  }

  test('but not under two targetPorts, nor under two Service ports', () => {
    const { targets } = planFor({
      ports: [
        { name: 'a', port: 80, targetPort: 8080, hosts: ['10.0.0.1'] },
        { name: 'a', port: 80, targetPort: 8081, hosts: ['10.0.0.1'] },
        { name: 'b', port: 81, targetPort: 8080, hosts: ['10.0.0.1'] },
        { name: 'c', port: 80, protocol: 'UDP', targetPort: 8080, hosts: ['10.0.0.1'] },
      ],
    })
    expect(targets).toHaveLength(4)
    expect(new Set(targets.map(({ key }) => key)).size).toBe(4)
  })
})

describe('planOf() refuses a bad host', () => {
  test('and keeps the good ones around it', () => {
    const { ports, targets, refused } = planFor({
      ports: [
        { name: 'a', port: 80, targetPort: 8080, hosts: ['10.0.0.1', 'db_1.internal', '10.0.0.2'] },
        { name: 'b', port: 81, hosts: ['10.0.0.3'] },
      ],
    })
    expect(targets.map(({ host }) => host)).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3'])
    expect(refused).toEqual([
      {
        servicePort: ports[0] ?? { name: '', protocol: 'TCP', port: 0, targetPort: 0 },
        targetPort: 8080,
        host: 'db_1.internal',
        message:
          'spec.ports[0].hosts[1]: Cannot use host "db_1.internal" as it must not hold an underscore',
      },
    ])
  })

  test('of the spec once for each port that it would serve, and says where it stands', () => {
    const { refused } = planFor({
      hosts: ['10.0.0.1', '127.0.0.1'],
      ports: [
        { name: 'a', port: 1 },
        { name: 'b', port: 2 },
      ],
    })
    expect(refused.map(({ servicePort, message }) => `${servicePort.name} ${message}`)).toEqual([
      'a spec.hosts[1]: Cannot use host "127.0.0.1" as it must not be a loopback address',
      'b spec.hosts[1]: Cannot use host "127.0.0.1" as it must not be a loopback address',
    ])
  })

  test('unless the policy allows it', () => {
    const { targets, refused } = planFor(
      { ports: [{ port: 80, hosts: ['127.0.0.1', '0.0.0.0'] }] },
      { allowLoopback: true },
    )
    expect(targets.map(({ host }) => host)).toEqual(['127.0.0.1'])
    expect(refused.map(({ host }) => host)).toEqual(['0.0.0.0'])
  })

  test('even if all are bad', () => {
    const { targets, refused } = planFor({ ports: [{ port: 80, hosts: ['a', 'b', 7] }] })
    expect(targets).toEqual([])
    expect(refused.map(({ host }) => host)).toEqual(['a', 'b', '7'])
  })
})

describe('keys of targets', () => {
  const keyOf = (entry: object, more: object = {}) =>
    only(
      planFor({ ...more, ports: [{ name: 'a', port: 80, hosts: ['10.0.0.1'], ...entry }] }).targets,
    ).key

  const same: readonly [name: string, entry: object, more?: object][] = [
    ['another probe', { httpGet: {} }],
    ['another timeout', { timeoutSeconds: 9 }],
    ['other thresholds', { successThreshold: 2, failureThreshold: 9 }],
    ['another period', {}, { periodSeconds: 60 }],
    ['targetPort said', { targetPort: 80 }],
    ['protocol said', { protocol: 'TCP' }],
    ['the host in another form', { hosts: [' 10.0.0.1'] }],
  ]
  for (const [name, entry, more] of same) {
    test(`stay the same with ${name}, so that health survives the edit`, () => {
      expect(keyOf(entry, more)).toBe(keyOf({}))
    })
  }

  for (const [name, entry] of [
    ['name', { name: 'b' }],
    ['port', { port: 81, targetPort: 80 }],
    ['targetPort', { targetPort: 81 }],
    ['protocol', { protocol: 'UDP' }],
    ['host', { hosts: ['10.0.0.2'] }],
  ] as const) {
    test(`change with the ${name}`, () => {
      expect(keyOf(entry)).not.toBe(keyOf({}))
    })
  }

  test('stay the same when entries and hosts change places', () => {
    const a = { name: 'a', port: 1, hosts: ['10.0.0.1', '10.0.0.2'] }
    const b = { name: 'b', port: 2, hosts: ['10.0.0.3'] }
    const keysOf = (ports: readonly object[]) =>
      planFor({ ports })
        .targets.map(({ key }) => key)
        .sort()
    expect(keysOf([b, { ...a, hosts: a.hosts.toReversed() }])).toEqual(keysOf([a, b]))
  })

  test('tell ten thousand hosts apart', () => {
    const hosts = Array.from({ length: 10_000 }, (_, index) => `10.1.${index >> 8}.${index & 255}`)
    const { targets } = planFor({ ports: [{ port: 80, hosts }] })
    expect(new Set(targets.map(({ key }) => key)).size).toBe(10_000)
  })
})

describe('isSameQuestion()', () => {
  const targetOf = (entry: object, more: object = {}) =>
    only(
      planFor({
        periodSeconds: 30,
        ...more,
        ports: [{ port: 80, hosts: ['10.0.0.1'], ...tcp, ...entry }],
      }).targets,
    )

  test('is true of two readings of one spec, for every kind of probe', () => {
    for (const probe of [
      {},
      { tcpSocket: undefined },
      { tcpSocket: undefined, httpGet: { httpHeaders: [{ name: 'A', value: 'b' }] } },
      { tcpSocket: undefined, udpSocket: { data: 'x'.repeat(65_507) } },
      { tcpSocket: undefined, grpc: { service: 'a' } },
    ]) {
      expect(isSameQuestion(targetOf(probe), targetOf(probe))).toBe(true)
    }
  })

  const rows: readonly [name: string, entry: object, more?: object][] = [
    ['another timeout', { timeoutSeconds: 2 }],
    ['another successThreshold', { successThreshold: 2 }],
    ['another failureThreshold', { failureThreshold: 2 }],
    ['another period', {}, { periodSeconds: 31 }],
    ['another fast period', {}, { fastPeriodSeconds: 2 }],
    ['no probe', { tcpSocket: undefined }],
    ['another probe', { tcpSocket: undefined, grpc: {} }],
  ]
  for (const [name, entry, more] of rows) {
    test(`is false of ${name}, either way`, () => {
      expect(isSameQuestion(targetOf({}), targetOf(entry, more))).toBe(false)
      expect(isSameQuestion(targetOf(entry, more), targetOf({}))).toBe(false)
    })
  }

  test('does not depend on what the Service port is called', () => {
    expect(isSameQuestion(targetOf({ name: 'a' }), targetOf({ name: 'b' }))).toBe(true)
  })
})

test('planOf() of 20,000 hosts with 64 KB of data each takes no longer than a tick should', () => {
  const hosts = Array.from({ length: 20_000 }, (_, index) => `10.1.${index >> 8}.${index & 255}`)
  const spec = specOf({ ports: [{ port: 80, hosts, udpSocket: { data: 'x'.repeat(65_000) } }] })
  const fromMs = performance.now()
  expect(planOf(spec, strict).targets).toHaveLength(20_000)
  // Seconds, when the data was turned into text for each host.
  expect(performance.now() - fromMs).toBeLessThan(1_000)
})

test("planOf() reads the seed's sample as eight targets", async () => {
  const sample = Bun.YAML.parse(
    await Bun.file(new URL('../../deploy/samples/wordpress.yaml', import.meta.url)).text(),
  )
  const spec = typeof sample === 'object' && sample !== null && 'spec' in sample ? sample.spec : {}
  const { ports, targets, refused } = planFor(spec)
  expect(refused).toEqual([])
  expect(
    ports.map(({ name, protocol, port, targetPort }) => [name, protocol, port, targetPort]),
  ).toEqual([
    ['wp-https', 'TCP', 38081, 443],
    ['wp-http', 'TCP', 38082, 80],
    ['wp-udp', 'UDP', 38003, 1234],
    ['wp-grpc', 'TCP', 38083, 8080],
  ])
  expect(targets.map(({ host, port, probe }) => `${probe?.kind} ${host}:${port}`)).toEqual([
    'tcp 10.33.40.151:443',
    'tcp 10.33.40.152:443',
    'http 10.33.40.151:80',
    'http 10.33.40.152:80',
    'udp 10.33.40.151:1234',
    'udp 10.33.40.152:1234',
    'grpc 10.33.40.151:8080',
    'grpc 10.33.40.152:8080',
  ])
  expect(targets[2]?.probe).toMatchObject({ scheme: 'http', path: '/healthz' })
  expect(targets[4]?.probe).toEqual({
    kind: 'udp',
    data: Buffer.from('This is flag data for UDP svc test'),
  })
  expect(targets[6]?.probe).toEqual({ kind: 'grpc', service: '' })
})

describe('isSameSpec()', () => {
  const spec = (hosts: readonly string[]) => specOf({ ports: [{ port: 80, hosts, ...tcp }] })
  const names = ['10.0.0.1', 'db.example.com']

  test('is blind to where hosts stand', () => {
    expect(isSameSpec(spec(names), specOf({ hosts: names, ports: [{ port: 80, ...tcp }] }))).toBe(
      true,
    )
  })
  test('tells names apart, as addresses', () => {
    expect(isSameSpec(spec(names), spec(['10.0.0.1', 'other.example.com']))).toBe(false)
    expect(isSameSpec(spec(names), spec(['10.0.0.1']))).toBe(false)
    expect(isSameSpec(spec(names), spec(['10.0.0.2', 'db.example.com']))).toBe(false)
  })
})
