// What a ClusterEndpoint for an existing Service says, as a table; and that the operator would publish the same.

import { describe, expect, test } from 'bun:test'
import { parseSpec } from '../../crds/clusterendpoint.ts'
import { readEndpoints } from '../../crds/endpoints.ts'
import { type ImportOptions, importService } from '../../crds/import.ts'
import { planOf } from '../../crds/targets.ts'
import { cepOf } from './fixtures.ts'

type Fields = Readonly<Record<string, unknown>>

const METADATA = { name: 'db', namespace: 'prod', uid: 'u', resourceVersion: '1' }
const OPTIONS: ImportOptions = { periodSeconds: 10, probe: 'none' }
const WEB = { name: 'web', protocol: 'TCP', port: 80, targetPort: 8080 }
const DNS = { name: 'dns', protocol: 'UDP', port: 53, targetPort: 53 }

function service(spec: Fields = {}, metadata: Fields = {}) {
  const merged = { type: 'ClusterIP', clusterIP: '10.96.0.7', ports: [WEB], ...spec }
  return { metadata: { ...METADATA, ...metadata }, spec: merged }
}

function endpoints(...subsets: readonly Fields[]) {
  return { metadata: METADATA, subsets }
}

const ips = (...all: readonly string[]) => all.map((ip) => ({ ip }))
const ONE = { addresses: ips('10.0.0.1'), ports: [{ name: 'web', port: 8080 }] }

function imported(
  live: ReturnType<typeof service>,
  subsets: readonly Fields[],
  more: Partial<ImportOptions> = {},
) {
  const result = importService(live, endpoints(...subsets), { ...OPTIONS, ...more })
  if (!result.ok) throw new Error(result.why)
  return result
}

/** Each entry as `name protocol port -> targetPort hosts probe`. */
function shown(...args: Parameters<typeof imported>): string[] {
  return imported(...args).manifest.spec.ports.map(
    ({ name = '', protocol, port, targetPort, hosts, ...probe }) =>
      `${name} ${protocol} ${port} -> ${targetPort} ${hosts} ${Object.keys(probe)}`.trim(),
  )
}

describe('importService()', () => {
  test('one port, one host: the whole manifest', () => {
    expect(imported(service(), [ONE], { probe: 'tcp', periodSeconds: 5 })).toEqual({
      ok: true,
      notes: [],
      manifest: {
        apiVersion: 'sealos.io/v1beta1',
        kind: 'ClusterEndpoint',
        metadata: { name: 'db', namespace: 'prod' },
        spec: {
          clusterIP: '10.96.0.7',
          periodSeconds: 5,
          ports: [{ ...WEB, hosts: ['10.0.0.1'], tcpSocket: { enable: true } }],
        },
      },
    })
  })

  const cases: readonly {
    readonly what: string
    readonly spec?: Fields
    readonly subsets: readonly Fields[]
    readonly probe?: ImportOptions['probe']
    readonly ports: readonly string[]
    readonly notes?: readonly string[]
  }[] = [
    {
      what: 'several subsets with one port number are one entry',
      subsets: [ONE, { ...ONE, addresses: ips('10.0.0.2', '10.0.0.1') }],
      ports: ['web TCP 80 -> 8080 10.0.0.1,10.0.0.2'],
    },
    {
      what: 'several port numbers are entries of the same name',
      subsets: [ONE, { addresses: ips('10.0.0.2'), ports: [{ name: 'web', port: 9090 }] }],
      probe: 'http',
      ports: ['web TCP 80 -> 8080 10.0.0.1 httpGet', 'web TCP 80 -> 9090 10.0.0.2 httpGet'],
    },
    {
      what: 'the number in the Endpoints wins over targetPort, as kube-proxy has it',
      spec: { ports: [{ ...WEB, targetPort: 1 }] },
      subsets: [ONE],
      ports: ['web TCP 80 -> 8080 10.0.0.1'],
    },
    {
      what: 'a targetPort with a name is none that counts',
      spec: { ports: [{ ...WEB, targetPort: 'http' }] },
      subsets: [ONE],
      ports: ['web TCP 80 -> 8080 10.0.0.1'],
    },
    {
      what: 'a port without a name',
      spec: { ports: [{ protocol: 'TCP', port: 80 }] },
      subsets: [{ addresses: ips('10.0.0.1'), ports: [{ port: 8080 }] }],
      ports: ['TCP 80 -> 8080 10.0.0.1'],
    },
    {
      what: 'addresses that are not ready are hosts, and without a probe that is told',
      subsets: [{ ...ONE, notReadyAddresses: ips('10.0.0.2') }],
      ports: ['web TCP 80 -> 8080 10.0.0.1,10.0.0.2'],
      notes: ['port web: not ready now, will be published: 10.0.0.2'],
    },
    {
      what: 'with a probe, addresses that are not ready need no word',
      subsets: [{ notReadyAddresses: ips('10.0.0.2'), ports: ONE.ports }],
      probe: 'grpc',
      ports: ['web TCP 80 -> 8080 10.0.0.2 grpc'],
    },
    {
      what: 'a UDP port gets no TCP probe, and that is told',
      spec: { ports: [DNS] },
      subsets: [
        { addresses: ips('10.0.0.1'), ports: [{ name: 'dns', port: 53, protocol: 'UDP' }] },
      ],
      probe: 'tcp',
      ports: ['dns UDP 53 -> 53 10.0.0.1'],
      notes: ['port dns: no tcp probe as it is UDP; its hosts count as healthy'],
    },
    {
      what: 'a UDP probe is for UDP ports only',
      spec: { ports: [WEB, DNS] },
      subsets: [
        {
          addresses: ips('10.0.0.1'),
          ports: [
            { name: 'web', port: 8080 },
            { name: 'dns', port: 53, protocol: 'UDP' },
          ],
        },
      ],
      probe: 'udp',
      ports: ['web TCP 80 -> 8080 10.0.0.1', 'dns UDP 53 -> 53 10.0.0.1 udpSocket'],
      notes: [
        'port web: no udp probe as it is TCP; its hosts count as healthy',
        'port dns: an empty datagram is sent; set udpSocket.data to what the server answers',
      ],
    },
    {
      what: 'a port without an address, and ports that the Service does not have',
      subsets: [{ addresses: ips('10.0.0.1'), ports: [{ name: 'old', port: 81 }] }],
      ports: ['web TCP 80 -> 8080'],
      notes: [
        'port web: the Endpoints have no address for it; hosts is empty',
        'left out: ports of the Endpoints that the Service does not have: TCP 81 "old"',
      ],
    },
    {
      what: 'a headless Service without ports has those of its Endpoints',
      spec: { clusterIP: 'None', ports: [] },
      subsets: [ONE],
      ports: ['web TCP 8080 -> 8080 10.0.0.1'],
    },
    {
      what: 'host names of addresses are lost, and that is told',
      subsets: [{ ...ONE, addresses: [{ ip: '10.0.0.1', hostname: 'db-0' }] }],
      ports: ['web TCP 80 -> 8080 10.0.0.1'],
      notes: ['left out: host names of addresses: db-0'],
    },
  ]
  for (const { what, spec, subsets, probe = 'none', ports, notes = [] } of cases) {
    test(what, () => {
      expect(shown(service(spec), subsets, { probe })).toEqual([...ports])
      expect(imported(service(spec), subsets, { probe }).notes).toEqual(notes)
    })

    test(`${what}: nothing that is published under a port of the Service is lost`, () => {
      const { manifest } = imported(service(spec), subsets, { probe })
      const parsed = parseSpec(cepOf(manifest.spec))
      if (!parsed.ok) throw new Error(parsed.issues.join())
      const { targets } = planOf(parsed.spec, { allowLoopback: false })
      const covered = new Set(
        targets.map(({ host, port, servicePort }) => `${host} ${servicePort.protocol} ${port}`),
      )
      const strays = notes.some((text) => text.includes('ports of the Endpoints')) ? 1 : 0
      const { published } = readEndpoints(endpoints(...subsets))
      expect([...published].filter((address) => !covered.has(address))).toHaveLength(strays)
    })
  }

  test('None stays None, and an address is asked for again', () => {
    const ipOf = (clusterIP: string) =>
      imported(service({ clusterIP }), [ONE]).manifest.spec.clusterIP
    expect([ipOf('None'), ipOf('10.96.0.7')]).toEqual(['None', '10.96.0.7'])
  })

  const owner = (apiVersion: string, kind: string, name = 'x') => ({
    ownerReferences: [{ apiVersion, kind, name, uid: 'x', controller: true }],
  })
  const refused: readonly (readonly [what: string, live: object, why: string | RegExp])[] = [
    ['a selector', service({ selector: { app: 'x' } }), /as it has a selector/],
    ['ExternalName', service({ type: 'ExternalName', clusterIP: '' }), /of type ExternalName/],
    ['LoadBalancer', service({ type: 'LoadBalancer' }), /of type LoadBalancer/],
    [
      'another controller',
      service({}, owner('apps/v1', 'StatefulSet')),
      /StatefulSet "x" controls/,
    ],
    [
      'a ClusterEndpoint',
      service({}, owner('sealos.io/v1beta1', 'ClusterEndpoint')),
      'Cannot import the Service as ClusterEndpoint "x" keeps it already',
    ],
    [
      'an old ClusterEndpoint',
      service({}, owner('sealyun.com/v1beta1', 'ClusterEndpoint', 'db')),
      'Cannot take over the Service as it belongs to a ClusterEndpoint of sealyun.com; run endpoints-operator migrate',
    ],
    [
      'the Service of the API server',
      service({}, { namespace: 'default', name: 'kubernetes' }),
      'Cannot import the Service as the API server keeps its Endpoints',
    ],
  ]
  for (const [what, live, why] of refused) {
    test(`refuses a Service with ${what}`, () => {
      const result = importService(live, endpoints(ONE), OPTIONS)
      expect(result).toEqual({
        ok: false,
        why: typeof why === 'string' ? why : expect.stringMatching(why),
      })
    })
  }

  test('refuses a Service without any port, and Endpoints that another controller keeps', () => {
    const without = importService(service({ ports: [] }), endpoints(), OPTIONS)
    expect(without).toEqual({ ok: false, why: 'Cannot import the Service as it has no ports' })
    const theirs = { metadata: { ...METADATA, ...owner('apps/v1', 'StatefulSet') }, subsets: [ONE] }
    expect(importService(service(), theirs, OPTIONS)).toMatchObject({ ok: false })
  })
})
