import { describe, expect, test } from 'bun:test'
import {
  type DesiredSlice,
  desiredSlices,
  type JudgedTarget,
  type LiveSlice,
  ownerOfSlice,
  publishedBy,
  readSlice,
  SLICE_ENDPOINTS_MAX,
  sliceDrift,
} from '../../crds/slices.ts'
import { createRandom, SEED } from '../random.ts'
import { CEP_UID, cepOf, only, planFor } from './fixtures.ts'
import { liveMetadata, OTHER_OWNER } from './live.ts'

const V1 = 'discovery.k8s.io/v1'
const cep = cepOf()

/** Hosts of one entry; a `!` before an address means that it is down. */
function judged(hosts: readonly string[], port: Readonly<Record<string, unknown>> = {}) {
  const down = new Set(hosts.filter((host) => host.startsWith('!')).map((host) => host.slice(1)))
  const addresses = hosts.map((host) => host.replace('!', ''))
  const entry = { name: 'web', port: 80, hosts: addresses, ...port }
  return judgedOf(down, entry)
}

function judgedOf(down: ReadonlySet<string>, ...ports: readonly unknown[]): JudgedTarget[] {
  return planFor({ ports }).targets.map((target) => ({
    target,
    isHealthy: !down.has(target.host),
  }))
}

function slicesOf(hosts: readonly JudgedTarget[], standing: readonly LiveSlice[] = []) {
  return desiredSlices(cep, V1, hosts, standing)
}

/** `wordpress.web-80-ipv4-0 = 10.0.0.1 !10.0.0.2`. */
function drawn({ metadata: { name }, endpoints }: DesiredSlice): string {
  const texts = endpoints.map(
    ({ addresses: [ip], conditions: { ready } }) => `${ready ? '' : '!'}${ip}`,
  )
  return `${name} = ${texts.join(' ')}`
}

/** As the API server gives back what was applied. */
function stored(slice: DesiredSlice): LiveSlice {
  const { metadata, ...rest } = slice
  return readSlice({ ...rest, metadata: { ...liveMetadata(), ...metadata } })
}

const addresses = (count: number, from = 0) =>
  Array.from({ length: count }, (_, at) => `10.1.${(from + at) >> 8}.${(from + at) & 255}`)

describe('desiredSlices()', () => {
  test('holds what we mean and nothing else', () => {
    const slice = only(
      desiredSlices(
        cepOf({}, { labels: { app: 'blog' } }),
        V1,
        judged(['10.0.0.1', '!10.0.0.2']),
        [],
      ),
    )
    expect(slice).toEqual({
      apiVersion: V1,
      kind: 'EndpointSlice',
      metadata: {
        name: 'wordpress.web-80-ipv4-0',
        namespace: 'default',
        labels: {
          app: 'blog',
          'sealos.io/managed-by': 'endpoints-operator',
          'kubernetes.io/service-name': 'wordpress',
          'endpointslice.kubernetes.io/managed-by': 'endpoints-operator.sealos.io',
        },
        annotations: {},
        ownerReferences: [
          expect.objectContaining({ kind: 'ClusterEndpoint', uid: CEP_UID, controller: true }),
        ],
      },
      addressType: 'IPv4',
      ports: [{ name: 'web', protocol: 'TCP', port: 80 }],
      endpoints: [
        { addresses: ['10.0.0.1'], conditions: { ready: true, serving: true } },
        { addresses: ['10.0.0.2'], conditions: { ready: false, serving: false } },
      ],
    })
  })

  test('says nothing of serving to a server that has v1beta1 only', () => {
    const slice = only(desiredSlices(cep, 'discovery.k8s.io/v1beta1', judged(['!10.0.0.1']), []))
    expect(slice.endpoints).toEqual([{ addresses: ['10.0.0.1'], conditions: { ready: false } }])
  })

  test('no label of the ClusterEndpoint says that a slice is of another Service or manager', () => {
    const labels = {
      'kubernetes.io/service-name': 'other',
      'endpointslice.kubernetes.io/managed-by': 'other',
    }
    const slice = only(desiredSlices(cepOf({}, { labels }), V1, judged(['10.0.0.1']), []))
    expect(slice.metadata.labels).toMatchObject({
      'kubernetes.io/service-name': 'wordpress',
      'endpointslice.kubernetes.io/managed-by': 'endpoints-operator.sealos.io',
    })
  })

  const rows: readonly [name: string, hosts: JudgedTarget[], slices: readonly string[]][] = [
    ['no host', judged([]), []],
    [
      'both families',
      judged(['fd00::1', '10.0.0.1']),
      ['wordpress.web-80-ipv4-0 = 10.0.0.1', 'wordpress.web-80-ipv6-0 = fd00::1'],
    ],
    [
      'a port without a name',
      judged(['10.0.0.1'], { name: '', port: 443 }),
      ['wordpress.443-443-ipv4-0 = 10.0.0.1'],
    ],
    [
      'one Service port with two targetPorts',
      judgedOf(
        new Set(),
        { name: 'web', port: 80, targetPort: 8080, hosts: ['10.0.0.1'] },
        { name: 'web', port: 80, targetPort: 8081, hosts: ['10.0.0.1', '10.0.0.2'] },
      ),
      ['wordpress.web-8080-ipv4-0 = 10.0.0.1', 'wordpress.web-8081-ipv4-0 = 10.0.0.1 10.0.0.2'],
    ],
    [
      'two Service ports',
      judgedOf(
        new Set(['10.0.0.2']),
        { name: 'b', port: 80, hosts: ['10.0.0.1', '10.0.0.2'] },
        { name: 'a', port: 81, protocol: 'UDP', hosts: ['10.0.0.2'] },
      ),
      ['wordpress.a-81-ipv4-0 = !10.0.0.2', 'wordpress.b-80-ipv4-0 = 10.0.0.1 !10.0.0.2'],
    ],
    ['all down', judged(['!10.0.0.1']), ['wordpress.web-80-ipv4-0 = !10.0.0.1']],
  ]
  for (const [name, hosts, slices] of rows) {
    test(`of ${name}`, () => expect(slicesOf(hosts).map(drawn)).toEqual([...slices]))
  }

  test('no two resources give their slices the same name', () => {
    const named = (name: string, port: string) =>
      desiredSlices(cepOf({}, { name }), V1, judged(['10.0.0.1'], { name: port }), []).map(
        ({ metadata }) => metadata.name,
      )
    expect(named('a', 'b-c')).not.toEqual(named('a-b', 'c'))
    for (const name of [...named('a', 'b-c'), ...named('a-b', 'c')]) {
      expect(['a', 'a-b']).toContain(ownerOfSlice(name))
    }
  })

  test('names fit when everything is as long as it may be', () => {
    const name = 'n'.repeat(63)
    const port = { name: 'p'.repeat(63), port: 65_535 }
    const slice = only(desiredSlices(cepOf({}, { name }), V1, judged(['fd00::1'], port), []))
    expect(slice.metadata.name.length).toBeLessThanOrEqual(253)
    expect(ownerOfSlice(slice.metadata.name)).toBe(name)
  })

  test('the order of hosts makes no difference', () => {
    const hosts = judged(['10.0.0.3', '!10.0.0.1', 'fd00::1', '10.0.0.2'])
    const bytes = JSON.stringify(slicesOf(hosts))
    expect(JSON.stringify(slicesOf(hosts.toReversed()))).toBe(bytes)
    expect(JSON.stringify(slicesOf(hosts.toReversed(), slicesOf(hosts).map(stored)))).toBe(bytes)
  })
})

describe('desiredSlices() moves as few endpoints as can be', () => {
  const sizes = (slices: readonly DesiredSlice[]) => slices.map(({ endpoints }) => endpoints.length)

  test.each([
    [SLICE_ENDPOINTS_MAX - 1, [SLICE_ENDPOINTS_MAX - 1]],
    [SLICE_ENDPOINTS_MAX, [SLICE_ENDPOINTS_MAX]],
    [SLICE_ENDPOINTS_MAX + 1, [SLICE_ENDPOINTS_MAX, 1]],
    [2_500, [1_000, 1_000, 500]],
  ])('%d hosts make slices of %p', (count, expected) => {
    expect(sizes(slicesOf(judged(addresses(count))))).toEqual(expected)
  })

  test('a host that goes leaves a hole, and the next one that comes fills it', () => {
    const all = addresses(2_001)
    const before = slicesOf(judged(all))
    const without = all.filter((address) => address !== '10.1.0.7')
    const shrunk = slicesOf(judged(without), before.map(stored))
    expect(sizes(shrunk)).toEqual([999, 1_000, 1])
    expect(changed(before, shrunk)).toEqual(['wordpress.web-80-ipv4-0'])

    const grown = slicesOf(judged([...without, '10.9.9.9']), shrunk.map(stored))
    expect(sizes(grown)).toEqual([1_000, 1_000, 1])
    expect(changed(shrunk, grown)).toEqual(['wordpress.web-80-ipv4-0'])
  })

  test('a slice of which all hosts went is gone, and its number is free for the next', () => {
    const before = slicesOf(judged(addresses(1_500)))
    const [first, second] = before
    const left = second?.endpoints.map(({ addresses: [address] }) => address) ?? []
    const shrunk = slicesOf(judged(left), before.map(stored))
    expect(shrunk.map(({ metadata }) => metadata.name)).toEqual(['wordpress.web-80-ipv4-1'])
    const grown = slicesOf(judged([...left, ...addresses(501, 20_000)]), shrunk.map(stored))
    expect(sizes(grown)).toEqual([1, 1_000])
    expect(grown[0]?.metadata.name).toBe(first?.metadata.name ?? '')
  })

  test('a host that turns changes its slice only', () => {
    const all = addresses(3_000)
    const before = slicesOf(judged(all))
    const turned = all.map((address) => (address === '10.1.5.1' ? `!${address}` : address))
    const after = slicesOf(judged(turned), before.map(stored))
    expect(changed(before, after)).toHaveLength(1)
  })

  test('an address that somebody put into two slices stays in the first', () => {
    const [slice] = slicesOf(judged(['10.0.0.1', '10.0.0.2']))
    if (!slice) throw new Error('no slice')
    const second = { ...slice, metadata: { ...slice.metadata, name: 'wordpress.web-80-ipv4-1' } }
    expect(
      slicesOf(judged(['10.0.0.1', '10.0.0.2']), [stored(second), stored(slice)]).map(drawn),
    ).toEqual(['wordpress.web-80-ipv4-0 = 10.0.0.1 10.0.0.2'])
  })

  test('through random growth and shrinking nobody moves, nobody is lost, and no slice is too full', () => {
    const random = createRandom(SEED)
    const pool = addresses(4_000)
    let wanted = new Set<string>()
    let slices: DesiredSlice[] = []
    for (let step = 0; step < 40; step++) {
      const next = new Set(wanted)
      for (let turn = random.below(900); turn > 0; turn--) {
        const address = random.pick(pool)
        if (random.next() < (step < 20 ? 0.3 : 0.7)) next.delete(address)
        else next.add(address)
      }
      const after = slicesOf(judged([...next]), slices.map(stored))
      const homeBefore = homes(slices)
      const homeAfter = homes(after)
      expect([...homeAfter.keys()].sort()).toEqual([...next].sort())
      for (const address of next) {
        if (wanted.has(address)) expect(homeAfter.get(address)).toBe(homeBefore.get(address) ?? '')
      }
      for (const size of sizes(after)) expect(size).toBeLessThanOrEqual(SLICE_ENDPOINTS_MAX)
      wanted = next
      slices = after
    }
  })

  function changed(before: readonly DesiredSlice[], after: readonly DesiredSlice[]): string[] {
    const standing = new Map(before.map((slice) => [slice.metadata.name, stored(slice)]))
    return after.flatMap((slice) => {
      const live = standing.get(slice.metadata.name)
      return live && sliceDrift(slice, live).length === 0 ? [] : [slice.metadata.name]
    })
  }

  function homes(slices: readonly DesiredSlice[]): Map<string, string> {
    return new Map(
      slices.flatMap(({ metadata: { name }, endpoints }) =>
        endpoints.map(({ addresses: [address] }) => [address, name] as const),
      ),
    )
  }
})

describe('sliceDrift()', () => {
  const desired = only(slicesOf(judged(['10.0.0.1', '!10.0.0.2'])))
  const up = { addresses: ['10.0.0.1'], conditions: { ready: true, serving: true } }
  const down = { addresses: ['10.0.0.2'], conditions: { ready: false, serving: false } }

  const same: readonly [name: string, live: object][] = [
    ['as it was applied', {}],
    ['in another order', { endpoints: [down, up] }],
    [
      'by a server that drops serving',
      {
        endpoints: [
          { ...up, conditions: { ready: true } },
          { ...down, conditions: { ready: false } },
        ],
      },
    ],
    ['by a server that fills in the protocol', { ports: [{ name: 'web', port: 80 }] }],
  ]
  for (const [name, live] of same) {
    test(`is none for a slice that stands ${name}`, () =>
      expect(sliceDrift(desired, liveOf(live))).toEqual([]))
  }

  const different: readonly [name: string, live: object, drift: string[]][] = [
    [
      'an endpoint too many',
      { endpoints: [up, down, { ...up, addresses: ['10.0.0.3'] }] },
      ['endpoints'],
    ],
    ['an endpoint too few', { endpoints: [up] }, ['endpoints']],
    ['no endpoints', { endpoints: null }, ['endpoints']],
    ['another health', { endpoints: [up, { ...up, addresses: ['10.0.0.2'] }] }, ['endpoints']],
    ['a health that is unknown', { endpoints: [{ addresses: ['10.0.0.1'] }, down] }, ['endpoints']],
    [
      'a serving that contradicts',
      { endpoints: [up, { ...down, conditions: { ready: false, serving: true } }] },
      ['endpoints'],
    ],
    [
      'two addresses in one endpoint',
      { endpoints: [{ ...up, addresses: ['10.0.0.1', '10.0.0.2'] }] },
      ['endpoints'],
    ],
    ['a zone that we never gave', { endpoints: [{ ...up, zone: 'a' }, down] }, ['endpoints']],
    ['another port', { ports: [{ name: 'web', protocol: 'TCP', port: 81 }] }, ['ports']],
    ['no ports', { ports: null }, ['ports']],
    ['another family', { addressType: 'IPv6' }, ['addressType']],
    ['another controller', { metadata: { ownerReferences: [OTHER_OWNER] } }, ['ownerReferences']],
    ['no label', { metadata: { labels: {} } }, ['labels']],
  ]
  for (const [name, live, drift] of different) {
    test(`tells of ${name}`, () => expect(sliceDrift(desired, liveOf(live))).toEqual(drift))
  }

  function liveOf({ metadata = {}, ...more }: { readonly metadata?: object }) {
    const { metadata: own, ...rest } = desired
    return readSlice({ ...rest, ...more, metadata: { ...liveMetadata(), ...own, ...metadata } })
  }
})

describe('publishedBy()', () => {
  test('tells all that is ready, or not known not to be, by address, protocol and port', () => {
    const slice = readSlice({
      metadata: liveMetadata(),
      addressType: 'IPv6',
      ports: [{ name: 'dns', protocol: 'UDP', port: 53 }],
      endpoints: [
        { addresses: ['fd00:0:0::1'], conditions: { ready: true } },
        { addresses: ['fd00::2'], conditions: { ready: false } },
        { addresses: ['fd00::3'] },
      ],
    })
    expect([...publishedBy([slice])]).toEqual(['fd00::1 UDP 53', 'fd00::3 UDP 53'])
  })
})

describe('readSlice()', () => {
  const broken: readonly [name: string, value: unknown][] = [
    ['nothing', undefined],
    ['an empty object', {}],
    ['metadata without a name', { metadata: {} }],
    ['endpoints that are a number', { metadata: liveMetadata(), endpoints: 1 }],
  ]
  for (const [name, value] of broken) {
    test(`throws at ${name}`, () => expect(() => readSlice(value)).toThrow())
  }
})
