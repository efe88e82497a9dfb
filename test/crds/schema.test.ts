import { describe, expect, test } from 'bun:test'
import type { PortEntry, Spec } from '../../crds/schema.ts'
import { inline, issuesOf, only, specOf } from './fixtures.ts'

/** A spec of one port, with `fields` in that port and `more` beside `ports`. */
function onePort(fields: object, more: object = {}): unknown {
  return { ...more, ports: [{ port: 80, ...fields }] }
}

function portOf(fields: object, more: object = {}): Spec['ports'][number] {
  return only(specOf(onePort(fields, more)).ports)
}

describe('a spec that says only what it must', () => {
  test('gets every default', () => {
    expect(specOf({ ports: [{ port: 80 }] })).toEqual({
      clusterIP: '',
      families: {},
      periodMs: 10_000,
      fastPeriodMs: 1_000,
      ports: [
        {
          name: '',
          protocol: 'TCP',
          port: 80,
          targetPort: 80,
          hosts: [],
          hostsPath: 'spec.hosts',
          timeoutMs: 1_000,
          successThreshold: 1,
          failureThreshold: 3,
          probe: undefined,
        },
      ],
    })
  })

  test('means the same as one that says zero, or nothing as text, everywhere', () => {
    const zeros = {
      clusterIP: '',
      periodSeconds: 0,
      fastPeriodSeconds: 0,
      hosts: [],
      ports: [
        {
          name: '',
          protocol: '',
          port: 80,
          targetPort: 0,
          hosts: [],
          timeoutSeconds: 0,
          successThreshold: 0,
          failureThreshold: 0,
        },
      ],
    }
    expect(specOf(zeros)).toEqual(specOf({ ports: [{ port: 80 }] }))
  })

  test('means the same as one that says each default', () => {
    const said = {
      periodSeconds: 10,
      fastPeriodSeconds: 1,
      ports: [
        {
          protocol: 'TCP',
          port: 80,
          targetPort: 80,
          timeoutSeconds: 1,
          successThreshold: 1,
          failureThreshold: 3,
        },
      ],
    }
    expect(specOf(said)).toEqual(specOf({ ports: [{ port: 80 }] }))
  })

  test('may hold fields that we do not know', () => {
    const spec = { ports: [{ port: 80, color: 'red', tcpSocket: { port: 9 } }], replicas: 3 }
    expect(only(specOf(spec).ports).probe).toEqual({ kind: 'tcp' })
  })

  test('is not changed by being read', () => {
    const spec = onePort(
      { hosts: ['10.0.0.1'], udpSocket: { data: [1, 2] } },
      { hosts: ['10.0.0.2'] },
    )
    const before = structuredClone(spec)
    specOf(spec)
    expect(spec).toEqual(before)
  })
})

type NumberField = {
  readonly field: string
  readonly path: string
  readonly specWith: (value: unknown) => unknown
  readonly read: (spec: Spec) => number
  readonly min: number
  readonly max: number
  /** What absent and 0 mean; undefined where the field must be given. */
  readonly fallback: number | undefined
  readonly unit: number
}

function portField(
  field: string,
  read: (entry: PortEntry) => number,
  limits: Pick<NumberField, 'min' | 'max' | 'fallback' | 'unit'>,
): NumberField {
  return {
    field,
    path: `spec.ports[0].${field}`,
    specWith: (value) => onePort(value === undefined ? {} : { [field]: value }),
    read: (spec) => read(only(spec.ports)),
    ...limits,
  }
}

const numberFields: readonly NumberField[] = [
  {
    field: 'periodSeconds',
    path: 'spec.periodSeconds',
    specWith: (value) => onePort({}, value === undefined ? {} : { periodSeconds: value }),
    read: ({ periodMs }) => periodMs,
    min: 0,
    max: 86_400,
    fallback: 10,
    unit: 1000,
  },
  {
    field: 'fastPeriodSeconds',
    path: 'spec.fastPeriodSeconds',
    specWith: (value) =>
      onePort(
        {},
        { periodSeconds: 86_400, ...(value === undefined ? {} : { fastPeriodSeconds: value }) },
      ),
    read: ({ fastPeriodMs }) => fastPeriodMs,
    min: 0,
    max: 86_400,
    fallback: 1,
    unit: 1000,
  },
  {
    field: 'port',
    path: 'spec.ports[0].port',
    specWith: (value) => ({ ports: [value === undefined ? {} : { port: value }] }),
    read: ({ ports }) => only(ports).port,
    min: 1,
    max: 65_535,
    fallback: undefined,
    unit: 1,
  },
  portField('targetPort', ({ targetPort }) => targetPort, {
    min: 0,
    max: 65_535,
    fallback: 80,
    unit: 1,
  }),
  portField('timeoutSeconds', ({ timeoutMs }) => timeoutMs, {
    min: 0,
    max: 86_400,
    fallback: 1,
    unit: 1000,
  }),
  portField('successThreshold', ({ successThreshold }) => successThreshold, {
    min: 0,
    max: 1000,
    fallback: 1,
    unit: 1,
  }),
  portField('failureThreshold', ({ failureThreshold }) => failureThreshold, {
    min: 0,
    max: 1000,
    fallback: 3,
    unit: 1,
  }),
]

for (const { field, path, specWith, read, min, max, fallback, unit } of numberFields) {
  describe(field, () => {
    if (fallback === undefined) {
      test('must be given', () => {
        expect(only(issuesOf(specWith(undefined)))).toStartWith(`${path}: `)
      })
    } else {
      for (const value of [undefined, 0, -0]) {
        test(`is ${fallback} when it is ${Object.is(value, -0) ? '-0' : value}`, () => {
          expect(read(specOf(specWith(value)))).toBe(fallback * unit)
        })
      }
    }
    for (const value of [Math.max(min, 1), 2, max - 1, max]) {
      test(`may be ${value}`, () => {
        expect(read(specOf(specWith(value)))).toBe(value * unit)
      })
    }
    const wrong: readonly unknown[] = [
      min - 1,
      max + 1,
      -(2 ** 31),
      2 ** 31,
      2 ** 53,
      1e308,
      1.5,
      -0.1,
      1e-9,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      1n,
      '1',
      '',
      true,
      null,
      [],
      [1],
      {},
    ]
    for (const value of wrong) {
      test(`must not be ${inline(value)}`, () => {
        const issues = issuesOf(specWith(value))
        expect(issues.length).toBeGreaterThanOrEqual(1)
        for (const issue of issues) expect(issue).toStartWith(`${path}: `)
      })
    }
  })
}

describe('fastPeriodSeconds and periodSeconds', () => {
  const rows: readonly [period: number | undefined, fast: number | undefined, fastMs: number][] = [
    [undefined, undefined, 1_000],
    [1, undefined, 1_000],
    [1, 1, 1_000],
    [1, 2, 1_000],
    [5, 4, 4_000],
    [5, 5, 5_000],
    [5, 6, 5_000],
    [undefined, 11, 10_000],
    [undefined, 86_400, 10_000],
    [0, 0, 1_000],
    [86_400, 86_400, 86_400_000],
  ]
  for (const [periodSeconds, fastPeriodSeconds, fastMs] of rows) {
    test(`of ${fastPeriodSeconds} and ${periodSeconds} make a fast period of ${fastMs} ms`, () => {
      const more = {
        ...(periodSeconds === undefined ? {} : { periodSeconds }),
        ...(fastPeriodSeconds === undefined ? {} : { fastPeriodSeconds }),
      }
      const spec = specOf(onePort({}, more))
      expect(spec.fastPeriodMs).toBe(fastMs)
      expect(spec.fastPeriodMs).toBeLessThanOrEqual(spec.periodMs)
    })
  }
})

describe('hosts', () => {
  test('of the spec serve every port that has none of its own', () => {
    const { ports } = specOf({
      hosts: ['10.0.0.1'],
      ports: [
        { name: 'a', port: 1 },
        { name: 'b', port: 2, hosts: ['10.0.0.2'] },
        { name: 'c', port: 3, hosts: [] },
      ],
    })
    expect(ports.map(({ hosts, hostsPath }) => [hosts, hostsPath])).toEqual([
      [['10.0.0.1'], 'spec.hosts'],
      [['10.0.0.2'], 'spec.ports[1].hosts'],
      [['10.0.0.1'], 'spec.hosts'],
    ])
  })

  test('are not judged here, whatever they are', () => {
    const hosts = ['db.internal', 42, null, {}, [], '10.0.0.1']
    expect(portOf({ hosts }).hosts).toEqual(hosts)
  })

  for (const value of [null, '10.0.0.1', 1, true, {}, { 0: '10.0.0.1', length: 1 }]) {
    test(`must be a list, not ${inline(value)}`, () => {
      expect(only(issuesOf(onePort({ hosts: value })))).toStartWith('spec.ports[0].hosts: ')
      expect(only(issuesOf(onePort({}, { hosts: value })))).toStartWith('spec.hosts: ')
    })
  }

  const many = (count: number) => new Array<string>(count).fill('10.0.0.1')
  const ports = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ name: `p${index}`, port: index + 1 }))
  const limits = [
    { name: '20,000 in one port', spec: onePort({ hosts: many(20_000) }), fits: true },
    { name: '20,001 in one port', spec: onePort({ hosts: many(20_001) }), fits: false },
    { name: '20,000 for one port', spec: { hosts: many(20_000), ports: ports(1) }, fits: true },
    { name: '10,000 for two ports', spec: { hosts: many(10_000), ports: ports(2) }, fits: true },
    { name: '10,001 for two ports', spec: { hosts: many(10_001), ports: ports(2) }, fits: false },
    { name: '20 for a thousand ports', spec: { hosts: many(20), ports: ports(1_000) }, fits: true },
    {
      name: '21 for a thousand ports',
      spec: { hosts: many(21), ports: ports(1_000) },
      fits: false,
    },
  ]
  for (const { name, spec, fits } of limits) {
    test(`are ${fits ? 'not ' : ''}too many when they are ${name}`, () => {
      const issues = issuesOf(spec)
      if (fits) expect(issues).toEqual([])
      else expect(issues.join()).toMatch(/20001|20002|21000/)
    })
  }
})

describe('ports', () => {
  test('must be given', () => {
    expect(only(issuesOf({}))).toStartWith('spec.ports: ')
  })

  for (const value of [[], null, {}, 'x', 80, true, { 0: { port: 80 }, length: 1 }]) {
    test(`must be a list with at least one entry, not ${inline(value)}`, () => {
      expect(only(issuesOf({ ports: value }))).toStartWith('spec.ports: ')
    })
  }

  for (const value of [null, 80, 'http', true, [], [{ port: 80 }]]) {
    test(`must hold objects, not ${inline(value)}`, () => {
      expect(only(issuesOf({ ports: [value] }))).toStartWith('spec.ports[0]: ')
    })
  }

  const many = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ name: `p${index}`, port: index + 1 }))
  test('may be a thousand, and no more', () => {
    expect(issuesOf({ ports: many(1_000) })).toEqual([])
    expect(only(issuesOf({ ports: many(1_001) }))).toStartWith('spec.ports: ')
  })
})

describe('the spec itself', () => {
  for (const value of [undefined, null, [], 'x', 0, true, [{ ports: [{ port: 80 }] }]]) {
    test(`must be an object, not ${inline(value)}`, () => {
      expect(only(issuesOf(value))).toStartWith('spec: ')
    })
  }
})

describe('name', () => {
  for (const name of ['', 'a', '0', 'wp-https', 'a-0', '80', 'x'.repeat(63)]) {
    test(`may be ${JSON.stringify(name)}`, () => {
      expect(portOf({ name }).name).toBe(name)
    })
  }
  for (const name of [
    '-',
    '-a',
    'a-',
    'A',
    'a_b',
    'a.b',
    'a b',
    ' a',
    'a\n',
    'ä',
    '\u0430',
    'a\u200b',
    '__proto__',
    'x'.repeat(64),
    'x'.repeat(1_000_000),
    null,
    80,
    [],
    {},
  ]) {
    test(`must not be ${inline(name)}`, () => {
      const issues = issuesOf(onePort({ name }))
      expect(issues.length).toBeGreaterThanOrEqual(1)
      for (const issue of issues) expect(issue).toStartWith('spec.ports[0].name: ')
    })
  }
})

describe('protocol', () => {
  for (const [said, meant] of [
    [undefined, 'TCP'],
    ['', 'TCP'],
    ['TCP', 'TCP'],
    ['UDP', 'UDP'],
    ['SCTP', 'SCTP'],
  ] as const) {
    test(`${said} is ${meant}`, () => {
      expect(portOf(said === undefined ? {} : { protocol: said }).protocol).toBe(meant)
    })
  }
  for (const protocol of ['tcp', 'HTTP', ' TCP', 'TCP\n', null, 6, ['TCP'], {}]) {
    test(`must not be ${inline(protocol)}`, () => {
      expect(only(issuesOf(onePort({ protocol })))).toStartWith('spec.ports[0].protocol: ')
    })
  }
})

describe('clusterIP', () => {
  for (const clusterIP of ['', 'None', '10.96.0.10', 'fd00::10', 'FD00:0::10', '0.0.0.0']) {
    test(`may be ${JSON.stringify(clusterIP)}, and is left as it is`, () => {
      expect(specOf(onePort({}, { clusterIP })).clusterIP).toBe(clusterIP)
    })
  }
  for (const clusterIP of [
    'none',
    'NONE',
    'None ',
    ' 10.96.0.10',
    '10.96.0.10 ',
    '10.96.0',
    '10.96.0.10/32',
    '010.96.0.10',
    '10.96.0.256',
    '[fd00::10]',
    'fd00::10%eth0',
    'fd00::1::2',
    'auto',
    'x'.repeat(1_000_000),
    null,
    0,
    false,
    [],
    {},
  ]) {
    test(`must not be ${inline(clusterIP)}`, () => {
      expect(only(issuesOf(onePort({}, { clusterIP })))).toStartWith('spec.clusterIP: ')
    })
  }
})

describe('enable', () => {
  const probes = [
    { field: 'tcpSocket', probe: { kind: 'tcp' } },
    { field: 'udpSocket', probe: { kind: 'udp', data: new Uint8Array() } },
    { field: 'grpc', probe: { kind: 'grpc', service: '' } },
  ] as const
  for (const { field, probe } of probes) {
    test(`of ${field} is true when it is absent`, () => {
      expect(portOf({ [field]: {} }).probe).toEqual(probe)
    })
    test(`of ${field} may be true`, () => {
      expect(portOf({ [field]: { enable: true } }).probe).toEqual(probe)
    })
    test(`of ${field} may be false: no probe`, () => {
      expect(portOf({ [field]: { enable: false } }).probe).toBeUndefined()
    })
    for (const enable of ['true', 'false', '', 0, 1, null, [], {}]) {
      test(`of ${field} must not be ${inline(enable)}`, () => {
        expect(only(issuesOf(onePort({ [field]: { enable } })))).toStartWith(
          `spec.ports[0].${field}.enable: `,
        )
      })
    }
    for (const value of [null, true, 'yes', 1, [], [{ enable: true }]]) {
      test(`is asked of an object: ${field} must not be ${inline(value)}`, () => {
        expect(only(issuesOf(onePort({ [field]: value })))).toStartWith(`spec.ports[0].${field}: `)
      })
    }
  }
})

describe('an entry', () => {
  const fields = ['tcpSocket', 'httpGet', 'udpSocket', 'grpc']
  for (const [index, first] of fields.entries()) {
    for (const second of fields.slice(index + 1)) {
      test(`has at most one probe: ${first} and ${second} are both named`, () => {
        expect(issuesOf(onePort({ [second]: {}, [first]: {} }))).toEqual([
          `spec.ports[0]: Invalid probe: an entry has at most one, this has ${first} and ${second}`,
        ])
      })
    }
  }

  test('with four probes has all four named', () => {
    const issue = only(issuesOf(onePort(Object.fromEntries(fields.map((field) => [field, {}])))))
    for (const field of fields) expect(issue).toContain(field)
  })

  test('may have others that are disabled', () => {
    const off = { enable: false }
    const entry = { tcpSocket: off, udpSocket: off, grpc: off, httpGet: {} }
    expect(portOf(entry).probe?.kind).toBe('http')
    expect(portOf({ tcpSocket: off, udpSocket: off, grpc: {} }).probe?.kind).toBe('grpc')
  })

  test('with disabled probes only has none', () => {
    expect(portOf({ tcpSocket: { enable: false }, grpc: { enable: false } }).probe).toBeUndefined()
  })

  test('is refused for its second probe while the others of the spec are told as well', () => {
    const ports = [
      { name: 'a', port: 1, tcpSocket: {}, grpc: {} },
      { name: 'b', port: 2, httpGet: {}, udpSocket: {} },
    ]
    expect(issuesOf({ ports }).map((issue) => issue.split(':')[0])).toEqual([
      'spec.ports[0]',
      'spec.ports[1]',
    ])
  })
})

describe('httpGet', () => {
  const get = (fields: object) => portOf({ httpGet: fields }).probe

  test('with nothing in it asks for / by http', () => {
    expect(get({})).toEqual({ kind: 'http', scheme: 'http', path: '/', headers: [] })
  })

  for (const [said, meant] of [
    ['', 'http'],
    ['http', 'http'],
    ['HTTP', 'http'],
    ['https', 'https'],
    ['HTTPS', 'https'],
  ] as const) {
    test(`scheme ${JSON.stringify(said)} is ${meant}`, () => {
      expect(get({ scheme: said })).toMatchObject({ scheme: meant })
    })
  }
  for (const scheme of ['Http', 'ftp', 'http:', 'https://', ' http', null, 80, [], {}]) {
    test(`scheme must not be ${inline(scheme)}`, () => {
      expect(only(issuesOf(onePort({ httpGet: { scheme } })))).toStartWith(
        'spec.ports[0].httpGet.scheme: ',
      )
    })
  }

  for (const [said, meant] of [
    ['', '/'],
    ['/', '/'],
    ['healthz', '/healthz'],
    ['/healthz?full=1#top', '/healthz?full=1#top'],
    ['?q=1', '/?q=1'],
    ['//other.example/', '//other.example/'],
    ['http://other.example/', '/http://other.example/'],
    ['/ä b', '/ä b'],
    [`/${'x'.repeat(2047)}`, `/${'x'.repeat(2047)}`],
  ] as const) {
    test(`path ${JSON.stringify(said.slice(0, 30))} is ${meant.slice(0, 30)}`, () => {
      expect(get({ path: said })).toMatchObject({ path: meant })
    })
  }
  for (const path of [
    '/a\r\nHost: evil',
    '/a\nb',
    '/\u0000',
    '/\t',
    '/\u007f',
    '/\u0085',
    `/${'x'.repeat(2048)}`,
    null,
    1,
    [],
    {},
  ]) {
    test(`path must not be ${inline(path)}`, () => {
      expect(only(issuesOf(onePort({ httpGet: { path } })))).toStartWith(
        'spec.ports[0].httpGet.path: ',
      )
    })
  }

  for (const value of [null, true, '/healthz', 80, [], [{}]]) {
    test(`must be an object, not ${inline(value)}`, () => {
      expect(only(issuesOf(onePort({ httpGet: value })))).toStartWith('spec.ports[0].httpGet: ')
    })
  }
})

describe('httpHeaders', () => {
  const withHeaders = (httpHeaders: unknown) => onePort({ httpGet: { httpHeaders } })
  const at = 'spec.ports[0].httpGet.httpHeaders'

  test('keep their order, their case and their repeats', () => {
    const headers = [
      { name: 'X-b', value: '1' },
      { name: 'x-B', value: '2' },
      { name: 'X-b', value: '1' },
    ]
    expect(only(specOf(withHeaders(headers)).ports).probe).toMatchObject({ headers })
  })

  test('may be without a value', () => {
    expect(only(specOf(withHeaders([{ name: 'Accept' }])).ports).probe).toMatchObject({
      headers: [{ name: 'Accept', value: '' }],
    })
  })

  test('may be 64, and no more', () => {
    const many = (count: number) => new Array(count).fill({ name: 'A', value: 'b' })
    expect(issuesOf(withHeaders(many(64)))).toEqual([])
    expect(only(issuesOf(withHeaders(many(65))))).toStartWith(`${at}: `)
  })

  for (const value of [
    '',
    'plain',
    'tab\there',
    '~',
    'Bearer a.b-c_d=',
    'caf\u00e9',
    '\u00a0\u00ff',
    'x'.repeat(8192),
  ]) {
    test(`may have the value ${JSON.stringify(value.slice(0, 20))}`, () => {
      expect(issuesOf(withHeaders([{ name: 'X-A', value }]))).toEqual([])
    })
  }

  const SECRET = 'hunter2-7731'
  const leaks: readonly [name: string, headers: unknown, path: string][] = [
    ['a line break', [{ name: 'X-A', value: `${SECRET}\r\nHost: evil` }], `${at}[0].value`],
    ['a bare line feed', [{ name: 'X-A', value: `${SECRET}\n` }], `${at}[0].value`],
    ['a bare carriage return', [{ name: 'X-A', value: `\r${SECRET}` }], `${at}[0].value`],
    ['a NUL', [{ name: 'X-A', value: `${SECRET}\u0000` }], `${at}[0].value`],
    ['a DEL', [{ name: 'X-A', value: `${SECRET}\u007f` }], `${at}[0].value`],
    ['a C1 control', [{ name: 'X-A', value: `${SECRET}\u0085` }], `${at}[0].value`],
    ['a character beyond Latin-1', [{ name: 'X-A', value: `${SECRET}\u0100` }], `${at}[0].value`],
    ['a line separator', [{ name: 'X-A', value: `${SECRET}\u2028` }], `${at}[0].value`],
    ['too many characters', [{ name: 'X-A', value: SECRET.repeat(1000) }], `${at}[0].value`],
    ['a list for a value', [{ name: 'X-A', value: [SECRET] }], `${at}[0].value`],
    ['an object for a value', [{ name: 'X-A', value: { [SECRET]: SECRET } }], `${at}[0].value`],
    ['text for the headers', `X-A: ${SECRET}`, at],
    ['an object for the headers', { 'X-A': SECRET }, at],
    ['text for a header', [`X-A: ${SECRET}`], `${at}[0]`],
    ['a list for a header', [['X-A', SECRET]], `${at}[0]`],
    ['no name', [{ value: SECRET }], `${at}[0].name`],
    ['name and value swapped', [{ name: `Bearer ${SECRET}`, value: 'X-A' }], `${at}[0].name`],
    ['a whole line for a name', [{ name: `X-A: ${SECRET}`, value: '' }], `${at}[0].name`],
    ['a name with a line break', [{ name: `X-A\r\n${SECRET}`, value: '' }], `${at}[0].name`],
    ['a name beyond ASCII', [{ name: `${SECRET}\u00e4`, value: '' }], `${at}[0].name`],
  ]
  for (const [name, headers, path] of leaks) {
    test(`with ${name} are refused, and nothing of them is told`, () => {
      const issue = only(issuesOf(withHeaders(headers)))
      expect(issue).toStartWith(`${path}: Invalid header`)
      expect(issue).not.toContain(SECRET)
    })
  }

  test('with a number for a value are refused, and the number is not told', () => {
    const issue = only(issuesOf(withHeaders([{ name: 'X-Pin', value: 77319 }])))
    expect(issue).toStartWith(`${at}[0].value: Invalid header value`)
    expect(issue).not.toContain('77319')
  })

  for (const name of [
    '',
    ' ',
    'X A',
    'X:',
    'X-A ',
    'x'.repeat(257),
    'X(A)',
    'X,A',
    '"X"',
    null,
    1,
  ]) {
    test(`must not have the name ${inline(name)}`, () => {
      expect(only(issuesOf(withHeaders([{ name, value: '' }])))).toStartWith(`${at}[0].name: `)
    })
  }
  for (const name of ['a', 'X-A', "!#$%&'*+.^_`|~09", 'x'.repeat(256)]) {
    test(`may have the name ${name.slice(0, 20)}`, () => {
      expect(issuesOf(withHeaders([{ name, value: '' }]))).toEqual([])
    })
  }
})

describe('udpSocket.data', () => {
  const probeOf = (fields: object) => portOf({ udpSocket: fields }).probe
  const bytesOf = (fields: object): number[] => {
    const probe = probeOf(fields)
    if (probe?.kind !== 'udp') throw new Error('no UDP probe')
    return [...probe.data]
  }

  const rows: readonly [name: string, fields: object, bytes: readonly number[]][] = [
    ['absent is an empty datagram', {}, []],
    ['empty text is an empty datagram', { data: '' }, []],
    ['an empty list is an empty datagram', { data: [] }, []],
    ['text is UTF-8', { data: 'A\u00e4\u{1f600}' }, [65, 195, 164, 240, 159, 152, 128]],
    ['text may hold any character', { data: '\u0000\r\n' }, [0, 13, 10]],
    ['bytes are bytes', { data: [0, 1, 127, 128, 255] }, [0, 1, 127, 128, 255]],
    ['text that looks like a list is text', { data: '[1]' }, [91, 49, 93]],
  ]
  for (const [name, fields, bytes] of rows) {
    test(name, () => expect(bytesOf(fields)).toEqual([...bytes]))
  }

  test("is the seed's text, byte for byte", () => {
    const data = 'This is flag data for UDP svc test'
    expect(Buffer.from(bytesOf({ data })).toString()).toBe(data)
  })

  const rule = 'Invalid data: use text or an array of bytes from 0 to 255'
  const wrong: readonly [name: string, data: unknown][] = [
    ['256', [256]],
    ['300', [300]],
    ['-1', [-1]],
    ['1.5', [1.5]],
    ['NaN', [Number.NaN]],
    ['Infinity', [Number.POSITIVE_INFINITY]],
    ['1e308', [1e308]],
    ['text in a list', ['a']],
    ['a digit as text in a list', ['1']],
    ['null in a list', [null]],
    ['true in a list', [true]],
    ['a list in a list', [[1]]],
    ['an object in a list', [{}]],
    ['one bad byte after good ones', [1, 2, 256]],
    ['half a million bad bytes', new Array(500_000).fill(300)],
    ['half a million letters', new Array(500_000).fill('a')],
    ['null', null],
    ['a number', 65],
    ['true', true],
    ['an object', { 0: 65, length: 1 }],
  ]
  for (const [name, data] of wrong) {
    test(`must not be ${name}: one issue, with the rule`, () => {
      expect(issuesOf(onePort({ udpSocket: { data } }))).toEqual([
        `spec.ports[0].udpSocket.data: ${rule}`,
      ])
    })
  }

  const MAX = 65_507
  const sizes: readonly [name: string, data: unknown, fits: boolean][] = [
    [`${MAX} characters`, 'x'.repeat(MAX), true],
    [`${MAX + 1} characters`, 'x'.repeat(MAX + 1), false],
    [`${MAX} bytes`, new Array(MAX).fill(1), true],
    [`${MAX + 1} bytes`, new Array(MAX + 1).fill(1), false],
    ['characters that fit, but not their bytes', '\u00e4'.repeat(32_754), false],
    ['characters whose bytes just fit', '\u00e4'.repeat(32_753), true],
  ]
  for (const [name, data, fits] of sizes) {
    test(`${fits ? 'may' : 'must not'} have ${name}`, () => {
      const issues = issuesOf(onePort({ udpSocket: { data } }))
      if (fits) expect(issues).toEqual([])
      else expect(only(issues)).toContain(`a datagram holds at most ${MAX} bytes`)
    })
  }
})

describe('grpc.service', () => {
  for (const service of ['', 'my.Service', 'x'.repeat(1024)]) {
    test(`may be ${JSON.stringify(service.slice(0, 20))}`, () => {
      expect(portOf({ grpc: { service } }).probe).toEqual({ kind: 'grpc', service })
    })
  }
  for (const service of ['x'.repeat(1025), null, 1, [], {}]) {
    test(`must not be ${inline(service)}`, () => {
      expect(only(issuesOf(onePort({ grpc: { service } })))).toStartWith(
        'spec.ports[0].grpc.service: ',
      )
    })
  }
})

describe('ports among each other', () => {
  type Port = readonly [name: string, protocol: string, port: number, targetPort?: number]
  const required = 'Required when there is more than one port'
  const rows: readonly [name: string, ports: readonly Port[], issues: readonly string[]][] = [
    ['one without a name', [['', 'TCP', 80]], []],
    [
      'two entries of one port without a name',
      [
        ['', 'TCP', 80, 1],
        ['', 'TCP', 80, 2],
      ],
      [],
    ],
    [
      'two entries of one named port',
      [
        ['a', 'TCP', 80, 1],
        ['a', 'TCP', 80, 2],
      ],
      [],
    ],
    [
      'two ports',
      [
        ['a', 'TCP', 80],
        ['b', 'TCP', 81],
      ],
      [],
    ],
    [
      'one number under two protocols',
      [
        ['a', 'TCP', 53],
        ['b', 'UDP', 53],
      ],
      [],
    ],
    [
      'TCP by default and by name',
      [
        ['a', '', 80, 1],
        ['a', 'TCP', 80, 2],
      ],
      [],
    ],
    [
      'two without a name',
      [
        ['', 'TCP', 80],
        ['', 'TCP', 81],
      ],
      [`spec.ports[0].name: ${required}`, `spec.ports[1].name: ${required}`],
    ],
    [
      'one without a name beside another',
      [
        ['a', 'TCP', 80],
        ['', 'TCP', 81],
      ],
      [`spec.ports[1].name: ${required}`],
    ],
    [
      'one name for two numbers',
      [
        ['a', 'TCP', 80],
        ['a', 'TCP', 81],
      ],
      ['spec.ports[1].name: Duplicate name "a": ports[0] has it for TCP 80, this for TCP 81'],
    ],
    [
      'one name for two protocols',
      [
        ['dns', 'UDP', 53],
        ['dns', 'TCP', 53],
      ],
      ['spec.ports[1].name: Duplicate name "dns": ports[0] has it for UDP 53, this for TCP 53'],
    ],
    [
      'one number under two names',
      [
        ['a', 'TCP', 80],
        ['b', 'TCP', 80],
      ],
      ['spec.ports[1].port: Duplicate port TCP 80: ports[0] has it under the name "a"'],
    ],
    [
      'one number with a name and without',
      [
        ['a', 'TCP', 80],
        ['', 'TCP', 80],
      ],
      ['spec.ports[1].port: Duplicate port TCP 80: ports[0] has it under the name "a"'],
    ],
    [
      'a third that clashes with the first',
      [
        ['a', 'TCP', 80],
        ['b', 'TCP', 81],
        ['c', 'TCP', 80],
      ],
      ['spec.ports[2].port: Duplicate port TCP 80: ports[0] has it under the name "a"'],
    ],
    [
      'two that clash with the same first name',
      [
        ['a', 'TCP', 80],
        ['a', 'TCP', 81],
        ['a', 'TCP', 82],
      ],
      [
        'spec.ports[1].name: Duplicate name "a": ports[0] has it for TCP 80, this for TCP 81',
        'spec.ports[2].name: Duplicate name "a": ports[0] has it for TCP 80, this for TCP 82',
      ],
    ],
    [
      'two that clash with the same first number',
      [
        ['a', 'TCP', 80],
        ['b', 'TCP', 80],
        ['c', 'TCP', 80],
      ],
      [
        'spec.ports[1].port: Duplicate port TCP 80: ports[0] has it under the name "a"',
        'spec.ports[2].port: Duplicate port TCP 80: ports[0] has it under the name "a"',
      ],
    ],
    [
      'names swapped',
      [
        ['a', 'TCP', 80],
        ['b', 'TCP', 81],
        ['a', 'TCP', 81],
      ],
      [
        'spec.ports[2].name: Duplicate name "a": ports[0] has it for TCP 80, this for TCP 81',
        'spec.ports[2].port: Duplicate port TCP 81: ports[1] has it under the name "b"',
      ],
    ],
  ]
  for (const [name, ports, issues] of rows) {
    test(`${name}: ${issues.length === 0 ? 'accepted' : `${issues.length} issue(s)`}`, () => {
      const spec = {
        ports: ports.map(([portName, protocol, port, targetPort = 0]) => ({
          name: portName,
          protocol,
          port,
          targetPort,
        })),
      }
      expect(issuesOf(spec)).toEqual([...issues])
    })
  }
})

describe('types, everywhere', () => {
  const full = {
    clusterIP: '10.96.0.10',
    periodSeconds: 10,
    fastPeriodSeconds: 1,
    hosts: ['10.0.0.1'],
    ports: [
      {
        name: 'web',
        protocol: 'TCP',
        port: 80,
        targetPort: 8080,
        hosts: ['10.0.0.1'],
        timeoutSeconds: 1,
        successThreshold: 1,
        failureThreshold: 3,
        httpGet: { path: '/', scheme: 'http', httpHeaders: [{ name: 'A', value: 'b' }] },
        tcpSocket: { enable: false },
        udpSocket: { enable: false, data: 'x' },
        grpc: { enable: false, service: 'x' },
      },
    ],
  }

  test('are right in the full spec', () => {
    expect(issuesOf(full)).toEqual([])
  })

  const strangers: readonly unknown[] = [null, true, -1, 'no such thing', [], {}]
  for (const { path, value, replace } of leavesAndNodes(full)) {
    for (const stranger of strangers.filter((each) => sort(each) !== sort(value))) {
      if (/\.hosts\[0\]$/.test(path)) continue
      if (path.endsWith('.data') && sort(stranger) === 'list') continue
      test(`${path} must not be ${inline(stranger)}`, () => {
        const issues = issuesOf(replace(stranger))
        expect(issues.length).toBeGreaterThanOrEqual(1)
        for (const issue of issues) expect(issue).toStartWith(path)
      })
    }
  }
})

function sort(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'list' : typeof value
}

type Place = {
  readonly path: string
  readonly value: unknown
  /** The whole, with something else in this place. */
  readonly replace: (other: unknown) => unknown
}

/** Every place in `root`, with what stands there. */
function leavesAndNodes(
  root: unknown,
  path = 'spec',
  replace: Place['replace'] = (other) => other,
): Place[] {
  const here = { path, value: root, replace }
  if (typeof root !== 'object' || root === null) return [here]
  const children = Object.entries(root).flatMap(([key, value]) => {
    const childPath = Array.isArray(root) ? `${path}[${key}]` : `${path}.${key}`
    return leavesAndNodes(value, childPath, (other) =>
      replace(
        Array.isArray(root)
          ? root.map((each, index) => (String(index) === key ? other : each))
          : { ...root, [key]: other },
      ),
    )
  })
  return [here, ...children]
}

describe('the families of the Service', () => {
  const families = (more: object) => specOf({ ports: [{ port: 80 }], ...more }).families

  test('are passed on, and left to the cluster when they are absent or empty', () => {
    expect(families({ ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6', 'IPv4'] })).toEqual({
      ipFamilyPolicy: 'RequireDualStack',
      ipFamilies: ['IPv6', 'IPv4'],
    })
    expect(families({})).toEqual({})
    expect(families({ ipFamilyPolicy: '', ipFamilies: [] })).toEqual({})
  })

  test.each([
    [{ ipFamilyPolicy: 'DualStack' }, 'spec.ipFamilyPolicy'],
    [{ ipFamilies: ['IPv5'] }, 'spec.ipFamilies[0]'],
    [
      { ipFamilies: ['IPv4', 'IPv4'] },
      'spec.ipFamilies: Invalid ipFamilies: name each family once',
    ],
    [{ ipFamilies: ['IPv4', 'IPv6', 'IPv4'] }, 'spec.ipFamilies'],
  ])('%j is refused', (more, told) => {
    expect(issuesOf({ ports: [{ port: 80 }], ...more }).join()).toContain(told)
  })
})
