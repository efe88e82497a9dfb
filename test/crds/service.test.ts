import { describe, expect, test } from 'bun:test'
import { FIELD_MANAGER } from '../../crds/metadata.ts'
import { takeItems } from '../../crds/ownership.ts'
import {
  controllerRefusal,
  desiredService,
  leftoverPorts,
  PORTS_PATH,
  readService,
  serviceDrift,
  serviceRefusal,
} from '../../crds/service.ts'
import { cepOf, planFor } from './fixtures.ts'
import { kubectlEntry, liveMetadata, OTHER_OWNER, OUR_OWNER, ourEntry, portKey } from './live.ts'

const cep = cepOf()
const { ports } = planFor({
  ports: [
    { name: 'b', port: 81, targetPort: 8081 },
    { name: 'u', port: 80, protocol: 'UDP' },
    { name: 'a', port: 80, targetPort: 8080 },
  ],
})
const desired = desiredService(cep, '', ports)

const livePorts = [
  { name: 'a', protocol: 'TCP', port: 80, targetPort: 8080 },
  { name: 'u', protocol: 'UDP', port: 80, targetPort: 80 },
  { name: 'b', protocol: 'TCP', port: 81, targetPort: 8081 },
]

type Fields = Readonly<Record<string, unknown>>

function liveOf(spec: Fields = {}, metadata: Fields = {}) {
  return readService({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: liveMetadata(metadata),
    spec: {
      type: 'ClusterIP',
      clusterIP: '10.96.0.10',
      clusterIPs: ['10.96.0.10'],
      sessionAffinity: 'None',
      ports: livePorts,
      ...spec,
    },
    status: { loadBalancer: {} },
  })
}

describe('desiredService()', () => {
  test('holds what we mean and nothing else', () => {
    expect(JSON.parse(JSON.stringify(desired))).toEqual({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name: 'wordpress',
        namespace: 'default',
        labels: { 'sealos.io/managed-by': 'endpoints-operator' },
        annotations: {},
        ownerReferences: [
          {
            apiVersion: 'sealos.io/v1beta1',
            kind: 'ClusterEndpoint',
            name: 'wordpress',
            uid: cep.metadata.uid,
            controller: true,
            blockOwnerDeletion: false,
          },
        ],
      },
      spec: { ports: livePorts },
    })
  })

  test('asks for a cluster IP only if one is given', () => {
    expect(desiredService(cep, '', ports).spec).not.toHaveProperty('clusterIP')
    expect(desiredService(cep, 'None', ports).spec.clusterIP).toBe('None')
    expect(desiredService(cep, '10.96.0.10', ports).spec.clusterIP).toBe('10.96.0.10')
  })

  test('gives the same bytes whatever the order of the ports', () => {
    const bytes = JSON.stringify(desired)
    const orders = [ports, ports.toReversed(), [...ports.slice(1), ...ports.slice(0, 1)]]
    for (const order of orders) expect(JSON.stringify(desiredService(cep, '', order))).toBe(bytes)
  })

  test('says the protocol of every port, which old servers want', () => {
    for (const { protocol } of desired.spec.ports) expect(protocol).toMatch(/^(TCP|UDP)$/)
  })
})

describe('serviceDrift()', () => {
  const [a, u, b] = livePorts
  const rows: readonly [name: string, live: ReturnType<typeof liveOf>, drift: readonly string[]][] =
    [
      ['nothing', liveOf(), []],
      ['nothing when ports stand in another order', liveOf({ ports: livePorts.toReversed() }), []],
      [
        'nothing when others set nodePorts, appProtocols, session affinity, policies',
        liveOf({
          type: 'NodePort',
          sessionAffinity: 'ClientIP',
          externalTrafficPolicy: 'Local',
          ports: livePorts.map((port, index) => ({
            ...port,
            nodePort: 30_000 + index,
            appProtocol: 'h2c',
          })),
        }),
        [],
      ],
      ['nothing when the cluster IP was allocated', liveOf({ clusterIP: '10.96.7.7' }), []],
      [
        'nothing when others add labels',
        liveOf({}, { labels: { ...liveMetadata().labels, x: 'y' } }),
        [],
      ],
      [
        'nothing when TCP and no name stand for what they default to',
        liveOf({ ports: [{ port: 80, targetPort: 8080, name: 'a' }, u, b] }),
        [],
      ],
      ['a missing port', liveOf({ ports: [a, b] }), ['ports']],
      [
        'an extra port',
        liveOf({ ports: [...livePorts, { ...a, name: 'c', port: 82 }] }),
        ['ports'],
      ],
      ['no ports at all', liveOf({ ports: undefined }), ['ports']],
      ['ports that are null', liveOf({ ports: null }), ['ports']],
      ['another name', liveOf({ ports: [{ ...a, name: 'z' }, u, b] }), ['ports']],
      ['another protocol', liveOf({ ports: [{ ...a, protocol: 'SCTP' }, u, b] }), ['ports']],
      ['another number', liveOf({ ports: [{ ...a, port: 82 }, u, b] }), ['ports']],
      ['another targetPort', liveOf({ ports: [{ ...a, targetPort: 9 }, u, b] }), ['ports']],
      ['a targetPort by name', liveOf({ ports: [{ ...a, targetPort: 'http' }, u, b] }), ['ports']],
      ['no targetPort', liveOf({ ports: [{ ...a, targetPort: undefined }, u, b] }), ['ports']],
      ['our label gone', liveOf({}, { labels: {} }), ['labels']],
      ['labels that are null', liveOf({}, { labels: null }), ['labels']],
      ['the owner gone', liveOf({}, { ownerReferences: [] }), ['ownerReferences']],
      [
        'all of it',
        liveOf({ ports: [] }, { labels: {}, ownerReferences: null }),
        ['labels', 'ownerReferences', 'ports'],
      ],
    ]
  for (const [name, live, drift] of rows) {
    test(`tells ${name}`, () => expect(serviceDrift(desired, live)).toEqual([...drift]))
  }

  test('of what we applied is nothing, so that nothing is written', () => {
    for (const clusterIP of ['', 'None', '10.96.0.10']) {
      const applied = desiredService(cepOf({}, { labels: { app: 'db' } }), clusterIP, ports)
      const live = readService({
        ...JSON.parse(JSON.stringify(applied)),
        metadata: { ...liveMetadata(), ...applied.metadata },
      })
      expect(serviceDrift(applied, live)).toEqual([])
    }
  })

  test('does not take a port without a name for one that is called nothing else', () => {
    const single = desiredService(cep, '', planFor({ ports: [{ port: 80 }] }).ports)
    expect(
      serviceDrift(single, liveOf({ ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }] })),
    ).toEqual([])
  })
})

describe('leftoverPorts()', () => {
  const withOwners = (managedFields: readonly unknown[] | null, extra: readonly number[] = [90]) =>
    liveOf(
      {
        ports: [
          ...livePorts,
          ...extra.map((port) => ({ name: `p${port}`, port, targetPort: port })),
        ],
      },
      { managedFields },
    )
  const rows: readonly [name: string, live: ReturnType<typeof liveOf>, left: readonly number[]][] =
    [
      ['what kubectl still owns and nobody wants', withOwners([kubectlEntry([80, 81, 90])]), [90]],
      [
        'what kubectl owns together with us',
        withOwners([kubectlEntry([90]), ourEntry([90])]),
        [90],
      ],
      ['what nobody owns', withOwners([ourEntry([80, 81])]), [90]],
      ['what stands where there are no managedFields', withOwners(null), [90]],
      ['nothing that we alone own: our apply removes it', withOwners([ourEntry([80, 81, 90])]), []],
      ['several', withOwners([kubectlEntry([90, 91])], [90, 91]), [90, 91]],
      ['nothing where only wanted ports are foreign', withOwners([kubectlEntry([80, 81])], []), []],
    ]
  for (const [name, live, left] of rows) {
    test(`are ${name}`, () => {
      expect(leftoverPorts(desired, live)).toEqual(left.map((port) => portKey(port)))
    })
  }

  test('of one number under another protocol are found', () => {
    const live = liveOf({
      ports: [...livePorts, { name: 's', port: 80, protocol: 'SCTP', targetPort: 80 }],
    })
    expect(leftoverPorts(desired, live)).toEqual([portKey(80, 'SCTP')])
  })

  test('are gone once they were taken', () => {
    const managedFields = [kubectlEntry([80, 81, 90]), ourEntry([80, 81])]
    const left = leftoverPorts(desired, withOwners(managedFields))
    const taken = takeItems(managedFields, FIELD_MANAGER, PORTS_PATH, left)
    expect(left).toEqual([portKey(90)])
    expect(leftoverPorts(desired, withOwners(taken))).toEqual([])
  })
})

describe('serviceRefusal()', () => {
  const asking = (clusterIP: string) => desiredService(cep, clusterIP, ports)
  const rows: readonly [
    name: string,
    desired: ReturnType<typeof desiredService>,
    live: ReturnType<typeof liveOf>,
    reason: string | undefined,
  ][] = [
    ['our own Service', desired, liveOf(), undefined],
    ['one that nobody controls', desired, liveOf({}, { ownerReferences: [] }), undefined],
    [
      'one that somebody owns but does not control',
      desired,
      liveOf({}, { ownerReferences: [{ ...OTHER_OWNER, controller: false }] }),
      undefined,
    ],
    [
      'one that somebody owns and says nothing of control',
      desired,
      liveOf({}, { ownerReferences: [{ ...OTHER_OWNER, controller: undefined }] }),
      undefined,
    ],
    ['a NodePort', desired, liveOf({ type: 'NodePort' }), undefined],
    ['one without a type', desired, liveOf({ type: undefined }), undefined],
    ['an empty selector', desired, liveOf({ selector: {} }), undefined],
    ['a selector that is null', desired, liveOf({ selector: null }), undefined],
    ['a headless one that is not asked to be', desired, liveOf({ clusterIP: 'None' }), undefined],
    [
      'a headless one that is asked to be',
      asking('None'),
      liveOf({ clusterIP: 'None' }),
      undefined,
    ],
    ['the address that is asked for', asking('10.96.0.10'), liveOf(), undefined],
    ['a selector', desired, liveOf({ selector: { app: 'db' } }), 'ServiceHasSelector'],
    [
      'a selector by a key that JavaScript knows',
      desired,
      liveOf({ selector: { constructor: 'x' } }),
      'ServiceHasSelector',
    ],
    [
      'a selector by another one',
      desired,
      liveOf({ selector: { prototype: 'x' } }),
      'ServiceHasSelector',
    ],
    [
      'a selector by __proto__',
      desired,
      liveOf({ selector: JSON.parse('{"__proto__":"x"}') }),
      'ServiceHasSelector',
    ],
    [
      'an ExternalName',
      desired,
      liveOf({ type: 'ExternalName', clusterIP: undefined }),
      'ServiceTypeNotSupported',
    ],
    ['a LoadBalancer', desired, liveOf({ type: 'LoadBalancer' }), 'ServiceTypeNotSupported'],
    ['another address', asking('10.96.0.11'), liveOf(), 'ClusterIPDiffers'],
    ['an address where None is asked for', asking('None'), liveOf(), 'ClusterIPDiffers'],
    [
      'None where an address is asked for',
      asking('10.96.0.10'),
      liveOf({ clusterIP: 'None' }),
      'ClusterIPDiffers',
    ],
    [
      'another controller',
      desired,
      liveOf({}, { ownerReferences: [OTHER_OWNER] }),
      'ControlledByOther',
    ],
    [
      'another controller beside a plain owner',
      desired,
      liveOf(
        {},
        { ownerReferences: [{ ...OTHER_OWNER, uid: 'x', controller: false }, OTHER_OWNER] },
      ),
      'ControlledByOther',
    ],
    [
      'a controller of our kind and name from before',
      desired,
      liveOf({}, { ownerReferences: [{ ...OUR_OWNER, uid: 'from-before' }] }),
      'BelongsToPredecessor',
    ],
    [
      'a controller of our name in the old group',
      desired,
      liveOf(
        {},
        { ownerReferences: [{ ...OUR_OWNER, apiVersion: 'sealyun.com/v1beta1', uid: 'old' }] },
      ),
      'ControlledByOther',
    ],
    [
      'another controller that has a selector as well',
      desired,
      liveOf({ selector: { app: 'db' } }, { ownerReferences: [OTHER_OWNER] }),
      'ControlledByOther',
    ],
  ]
  for (const [name, asked, live, reason] of rows) {
    test(`${reason ? `refuses (${reason})` : 'lets us take over'} ${name}`, () => {
      const refusal = serviceRefusal(cep, asked, live)
      expect(refusal?.reason).toBe(reason)
      // A sentence that says what to do.
      if (refusal)
        expect(refusal.message).toMatch(/^Cannot .* as it .*; .+|^Cannot .* as .* controls it; .+/)
    })
  }

  test('names who controls', () => {
    const live = liveOf({}, { ownerReferences: [OTHER_OWNER] })
    expect(serviceRefusal(cep, desired, live)?.message).toContain('StatefulSet "postgres"')
    expect(controllerRefusal(cep, 'Endpoints', live.metadata)?.message).toContain('the Endpoints')
  })

  test('names both addresses', () => {
    const { message } = serviceRefusal(cep, asking('10.96.0.11'), liveOf()) ?? { message: '' }
    expect(message).toContain('from 10.96.0.10 to 10.96.0.11')
  })
})

describe('readService()', () => {
  const broken: readonly [name: string, value: unknown][] = [
    ['nothing', undefined],
    ['null', null],
    ['text', 'Service'],
    ['an empty object', {}],
    ['no spec', { metadata: liveMetadata() }],
    ['no metadata', { spec: { ports: [] } }],
    ['a port that is text', { metadata: liveMetadata(), spec: { ports: [{ port: '80' }] } }],
    ['a selector that is a list', { metadata: liveMetadata(), spec: { selector: ['app'] } }],
    ['labels that are numbers', { metadata: liveMetadata({ labels: { a: 1 } }), spec: {} }],
  ]
  for (const [name, value] of broken) {
    test(`throws at ${name}, rather than go on with half of it`, () => {
      expect(() => readService(value)).toThrow()
    })
  }

  test('reads a Service with nothing in it but what must be', () => {
    const live = readService({ metadata: liveMetadata(), spec: {} })
    expect(live.spec).toEqual({
      ...{ type: 'ClusterIP', clusterIP: '', ipFamilies: [], ipFamilyPolicy: '' },
      ...{ selector: {}, ports: [] },
    })
    expect(live.foreignPorts).toEqual([])
  })
})
