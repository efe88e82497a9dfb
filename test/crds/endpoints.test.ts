import { describe, expect, test } from 'bun:test'
import {
  type DesiredEndpoints,
  desiredEndpoints,
  endpointsDrift,
  isPublished,
  readEndpoints,
} from '../../crds/endpoints.ts'
import type { HostTarget } from '../../crds/targets.ts'
import { cepOf, only, planFor } from './fixtures.ts'
import { liveMetadata } from './live.ts'

const cep = cepOf()

/** `web=80@10.0.0.1,10.0.0.2`: port name, targetPort and hosts of one entry; `dns=53/UDP@...` with a protocol. */
function targetsOf(...entries: readonly string[]): readonly HostTarget[] {
  const names = new Map<string, number>()
  const ports = entries.map((entry) => {
    const [, name = '', targetPort = '', protocol = 'TCP', hosts = ''] =
      /^([^=]*)=(\d+)(?:\/(\w+))?@(.*)$/.exec(entry) ?? []
    const port = names.get(name) ?? 1000 + names.size
    names.set(name, port)
    return { name, protocol, port, targetPort: Number(targetPort), hosts: hosts.split(',') }
  })
  return planFor({ ports }).targets
}

/** Subsets as one line each: `10.0.0.1 10.0.0.2 = web/TCP/80`. */
function drawn({ subsets }: Pick<DesiredEndpoints, 'subsets'>): string[] {
  return subsets.map(({ addresses, ports }) => {
    const ips = addresses.map(({ ip }) => ip).join(' ')
    return `${ips} = ${ports.map(({ name = '', protocol, port }) => `${name}/${protocol}/${port}`).join(' ')}`
  })
}

function liveOf(subsets: unknown, metadata: Readonly<Record<string, unknown>> = {}) {
  return readEndpoints({
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: liveMetadata(metadata),
    subsets,
  })
}

describe('desiredEndpoints()', () => {
  test('holds what we mean and nothing else', () => {
    expect(desiredEndpoints(cep, targetsOf('web=80@10.0.0.1'))).toMatchObject({
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { name: 'wordpress', namespace: 'default' },
      subsets: [
        { addresses: [{ ip: '10.0.0.1' }], ports: [{ name: 'web', port: 80, protocol: 'TCP' }] },
      ],
    })
  })

  test('says so when nobody is healthy, so that the last address goes', () => {
    expect(desiredEndpoints(cep, []).subsets).toEqual([])
    expect(JSON.stringify(desiredEndpoints(cep, []))).toContain('"subsets":[]')
  })

  test('leaves the name of a port without one out', () => {
    const [subset] = desiredEndpoints(cep, targetsOf('=80@10.0.0.1')).subsets
    expect(subset?.ports).toEqual([{ port: 80, protocol: 'TCP' }])
    expect(Object.keys(subset?.ports[0] ?? {})).not.toContain('name')
  })

  const rows: readonly [name: string, entries: readonly string[], subsets: readonly string[]][] = [
    ['addresses of one port', ['web=80@10.0.0.2,10.0.0.1'], ['10.0.0.1 10.0.0.2 = web/TCP/80']],
    [
      'ports that the same addresses serve',
      ['web=80@10.0.0.1,10.0.0.2', 'tls=443@10.0.0.2,10.0.0.1'],
      ['10.0.0.1 10.0.0.2 = tls/TCP/443 web/TCP/80'],
    ],
    [
      'addresses by what they serve',
      ['web=80@10.0.0.1,10.0.0.2', 'tls=443@10.0.0.2,10.0.0.3'],
      ['10.0.0.3 = tls/TCP/443', '10.0.0.2 = tls/TCP/443 web/TCP/80', '10.0.0.1 = web/TCP/80'],
    ],
    [
      'addresses by their targetPorts',
      ['web=80@10.0.0.1', 'web=8080@10.0.0.2'],
      ['10.0.0.1 = web/TCP/80', '10.0.0.2 = web/TCP/8080'],
    ],
    [
      'TCP and UDP of one number',
      ['dns=53@10.0.0.1', 'dns-udp=53/UDP@10.0.0.1'],
      ['10.0.0.1 = dns-udp/UDP/53 dns/TCP/53'],
    ],
    ['IPv4 and IPv6', ['web=80@fd00::1,10.0.0.1'], ['10.0.0.1 fd00::1 = web/TCP/80']],
    // A subset is mirrored into an EndpointSlice, in which a name may occur once.
    [
      'two instances on one machine apart',
      ['web=80@10.0.0.1', 'web=8080@10.0.0.1'],
      ['10.0.0.1 = web/TCP/80', '10.0.0.1 = web/TCP/8080'],
    ],
    [
      'two instances without a name apart',
      ['=80@10.0.0.1', '=8080@10.0.0.1'],
      ['10.0.0.1 = /TCP/80', '10.0.0.1 = /TCP/8080'],
    ],
    [
      'three instances beside other ports and addresses',
      ['web=1@10.0.0.1,10.0.0.2', 'web=2@10.0.0.1', 'web=3@10.0.0.1', 'tls=443@10.0.0.1,10.0.0.2'],
      ['10.0.0.1 10.0.0.2 = tls/TCP/443 web/TCP/1', '10.0.0.1 = web/TCP/2', '10.0.0.1 = web/TCP/3'],
    ],
  ]
  for (const [name, entries, subsets] of rows) {
    test(`groups ${name}`, () => {
      expect(drawn(desiredEndpoints(cep, targetsOf(...entries)))).toEqual([...subsets])
    })

    test(`gives the same bytes for ${name}, whatever the order`, () => {
      const targets = targetsOf(...entries)
      const bytes = JSON.stringify(desiredEndpoints(cep, targets))
      for (let turn = 0; turn < targets.length; turn++) {
        const turned = [...targets.slice(turn), ...targets.slice(0, turn)]
        expect(JSON.stringify(desiredEndpoints(cep, turned))).toBe(bytes)
        expect(JSON.stringify(desiredEndpoints(cep, turned.toReversed()))).toBe(bytes)
      }
    })

    test(`of ${name} has no name twice in a subset, and every pair once`, () => {
      const targets = targetsOf(...entries)
      const { subsets: groups } = desiredEndpoints(cep, targets)
      for (const { ports } of groups) {
        expect(new Set(ports.map(({ name: port = '' }) => port)).size).toBe(ports.length)
        if (ports.length > 1) for (const { name: port } of ports) expect(port).toBeDefined()
      }
      const pairs = groups.flatMap(({ addresses, ports }) =>
        addresses.flatMap(({ ip }) => ports.map(({ port }) => `${ip} ${port}`)),
      )
      const wanted = targets.map(({ host, port }) => `${host} ${port}`)
      expect(pairs.sort()).toEqual(wanted.sort())
    })

    test(`of ${name} does not differ from itself once it stands, so that nothing is written`, () => {
      const desired = desiredEndpoints(cep, targetsOf(...entries))
      const live = liveOf(JSON.parse(JSON.stringify(desired.subsets)))
      expect(endpointsDrift(desired, live)).toEqual([])
      const stored = desired.subsets.length === 0 ? undefined : desired.subsets
      expect(endpointsDrift(desired, liveOf(stored))).toEqual([])
    })
  }

  test('sorts a thousand addresses and ten ports within a moment', () => {
    const hosts = Array.from({ length: 1_000 }, (_, index) => `10.1.${index >> 8}.${index & 255}`)
    const ports = Array.from({ length: 10 }, (_, index) => `p${index}=${index + 1}@${hosts}`)
    const targets = targetsOf(...ports)
    const fromMs = performance.now()
    expect(desiredEndpoints(cep, targets).subsets).toHaveLength(1)
    expect(performance.now() - fromMs).toBeLessThan(1_000)
  })
})

describe('endpointsDrift()', () => {
  const desired = desiredEndpoints(
    cep,
    targetsOf('web=80@10.0.0.1,10.0.0.2', 'tls=443@10.0.0.1,10.0.0.2'),
  )
  const web = { name: 'web', port: 80, protocol: 'TCP' }
  const tls = { name: 'tls', port: 443, protocol: 'TCP' }
  const one = { ip: '10.0.0.1' }
  const two = { ip: '10.0.0.2' }
  const rows: readonly [name: string, subsets: unknown, drift: readonly string[]][] = [
    ['nothing in canonical form', [{ addresses: [one, two], ports: [tls, web] }], []],
    ['nothing in another order', [{ addresses: [two, one], ports: [web, tls] }], []],
    [
      'nothing in one subset for each port, as the Go original writes them',
      [
        { addresses: [one, two], ports: [web] },
        { addresses: [one, two], ports: [tls] },
      ],
      [],
    ],
    [
      'nothing in one subset for each address and port',
      [
        { addresses: [one], ports: [web] },
        { addresses: [two], ports: [web] },
        { addresses: [two], ports: [tls] },
        { addresses: [one], ports: [tls] },
      ],
      [],
    ],
    [
      'nothing of an address that stands twice',
      [{ addresses: [one, two, one], ports: [tls, web, tls] }],
      [],
    ],
    [
      'nothing of fields that we do not write',
      [
        {
          addresses: [{ ...one, hostname: 'a', nodeName: 'n' }, two],
          ports: [{ ...tls, appProtocol: 'https' }, web],
        },
      ],
      [],
    ],
    [
      'nothing of TCP by default',
      [{ addresses: [one, two], ports: [{ name: 'web', port: 80 }, tls] }],
      [],
    ],
    [
      'an empty subset beside',
      [{ addresses: [one, two], ports: [tls, web] }, { ports: [web] }],
      [],
    ],
    ['a missing address', [{ addresses: [one], ports: [tls, web] }], ['subsets']],
    [
      'an extra address',
      [{ addresses: [one, two, { ip: '10.0.0.3' }], ports: [tls, web] }],
      ['subsets'],
    ],
    ['a missing port', [{ addresses: [one, two], ports: [tls] }], ['subsets']],
    [
      'an extra port',
      [{ addresses: [one, two], ports: [tls, web, { ...web, port: 81 }] }],
      ['subsets'],
    ],
    ['another name', [{ addresses: [one, two], ports: [tls, { ...web, name: 'x' }] }], ['subsets']],
    [
      'no name',
      [{ addresses: [one, two], ports: [tls, { ...web, name: undefined }] }],
      ['subsets'],
    ],
    [
      'another protocol',
      [{ addresses: [one, two], ports: [tls, { ...web, protocol: 'UDP' }] }],
      ['subsets'],
    ],
    [
      'one port for one address only',
      [
        { addresses: [one, two], ports: [tls] },
        { addresses: [one], ports: [web] },
      ],
      ['subsets'],
    ],
    [
      'an address that is not ready',
      [{ addresses: [one], notReadyAddresses: [two], ports: [tls, web] }],
      ['subsets'],
    ],
    [
      'an address that is ready and not ready',
      [{ addresses: [one, two], notReadyAddresses: [two], ports: [tls, web] }],
      ['subsets'],
    ],
    ['no subsets', undefined, ['subsets']],
    ['subsets that are null', null, ['subsets']],
    [
      'addresses and ports that are null',
      [{ addresses: null, ports: null, notReadyAddresses: null }],
      ['subsets'],
    ],
  ]
  for (const [name, subsets, drift] of rows) {
    test(`tells ${drift.length === 0 || name.startsWith('nothing') ? name : `subsets: ${name}`}`, () => {
      expect(endpointsDrift(desired, liveOf(subsets))).toEqual([...drift])
    })
  }

  test('tells nothing when nobody is healthy and nothing stands, in any form', () => {
    for (const subsets of [undefined, null, [], [{}], [{ ports: [web] }]]) {
      expect(endpointsDrift(desiredEndpoints(cep, []), liveOf(subsets))).toEqual([])
    }
  })

  test('tells addresses that stand though nobody is healthy', () => {
    expect(
      endpointsDrift(desiredEndpoints(cep, []), liveOf([{ addresses: [one], ports: [web] }])),
    ).toEqual(['subsets'])
  })

  test('takes IPv6 in any form', () => {
    const six = desiredEndpoints(cep, targetsOf('web=80@fd00::1'))
    for (const ip of ['fd00::1', 'FD00::1', 'fd00:0:0:0:0:0:0:1', 'fd00::0001']) {
      expect(endpointsDrift(six, liveOf([{ addresses: [{ ip }], ports: [web] }]))).toEqual([])
    }
    expect(endpointsDrift(six, liveOf([{ addresses: [{ ip: 'fd00::2' }], ports: [web] }]))).toEqual(
      ['subsets'],
    )
  })

  test('tells metadata as well', () => {
    const live = liveOf([{ addresses: [one, two], ports: [tls, web] }], {
      ownerReferences: [],
      labels: null,
    })
    expect(endpointsDrift(desired, live)).toEqual(['labels', 'ownerReferences'])
  })
})

describe('isPublished()', () => {
  const target = only(targetsOf('web=80@10.0.0.1'))
  const rows: readonly [name: string, subset: object, isIn: boolean][] = [
    [
      'its address and port',
      { addresses: [{ ip: '10.0.0.1' }], ports: [{ name: 'web', port: 80 }] },
      true,
    ],
    [
      'another name of the port',
      { addresses: [{ ip: '10.0.0.1' }], ports: [{ name: 'old', port: 80 }] },
      true,
    ],
    ['no name of the port', { addresses: [{ ip: '10.0.0.1' }], ports: [{ port: 80 }] }, true],
    [
      'its address among others',
      { addresses: [{ ip: '10.0.0.9' }, { ip: '10.0.0.1' }], ports: [{ port: 1 }, { port: 80 }] },
      true,
    ],
    ['another address', { addresses: [{ ip: '10.0.0.2' }], ports: [{ port: 80 }] }, false],
    ['another port', { addresses: [{ ip: '10.0.0.1' }], ports: [{ port: 8080 }] }, false],
    [
      'another protocol',
      { addresses: [{ ip: '10.0.0.1' }], ports: [{ port: 80, protocol: 'UDP' }] },
      false,
    ],
    [
      'its address, not ready',
      { notReadyAddresses: [{ ip: '10.0.0.1' }], ports: [{ port: 80 }] },
      false,
    ],
    ['its address without ports', { addresses: [{ ip: '10.0.0.1' }] }, false],
  ]
  for (const [name, subset, isIn] of rows) {
    test(`is ${isIn} for ${name}`, () => expect(isPublished(liveOf([subset]), target)).toBe(isIn))
  }

  test('looks through every subset', () => {
    const ports = [{ port: 80 }]
    const live = liveOf([
      { addresses: [{ ip: '10.0.0.7' }], ports },
      { addresses: [{ ip: '10.0.0.1' }], ports },
    ])
    expect(isPublished(live, target)).toBe(true)
  })

  test('knows IPv6 in any form', () => {
    const six = only(targetsOf('web=80@fd00::1'))
    const live = liveOf([{ addresses: [{ ip: 'FD00:0:0::0001' }], ports: [{ port: 80 }] }])
    expect(isPublished(live, six)).toBe(true)
  })
})

describe('readEndpoints()', () => {
  for (const [name, value] of [
    ['nothing', undefined],
    ['null', null],
    ['a list', []],
    ['no metadata', { subsets: [] }],
    ['subsets that are an object', { metadata: liveMetadata(), subsets: {} }],
    ['an address without an ip', { metadata: liveMetadata(), subsets: [{ addresses: [{}] }] }],
    ['a port that is text', { metadata: liveMetadata(), subsets: [{ ports: [{ port: '80' }] }] }],
  ] as const) {
    test(`throws at ${name}, rather than go on with half of it`, () => {
      expect(() => readEndpoints(value)).toThrow()
    })
  }
})
