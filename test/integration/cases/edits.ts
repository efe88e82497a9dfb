// Edits of a ClusterEndpoint show in the Service and the Endpoints within a second, without a gap.

import { expect, test } from 'bun:test'
import { type PortSpec, tcpPort } from '../manifests.ts'
import { published } from '../objects.ts'
import { Sandbox } from '../sandbox.ts'
import type { Session } from '../session.ts'

const EDIT_MAX_MS = 1_000
const TEST_MAX_MS = 60_000

/** What shall stand. */
type Expected = {
  readonly servicePorts: readonly string[]
  readonly published: readonly string[]
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

type Step = {
  readonly what: string
  readonly patch: unknown
  readonly expected: Expected
  /** `ip:port` that must be published without a break. */
  readonly unbroken: readonly string[]
}

export function editCases(session: () => Session): void {
  test(
    'edits of hosts, ports, labels and annotations show within 1 s, and hosts that stay never leave',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const [first, second] = session().world.hosts
      const [{ port } = { port: 0 }] = await sandbox.startOnEach('tcp', [first, second])
      const { port: other } = await sandbox.start('tcp', first)
      const steps = stepsOf({ first, second, port, other })
      const [start, ...edits] = steps
      if (!start) return
      await sandbox.create('web', { ports: [tcpPort('web', port, [first])] })
      await sandbox.eventually(5_000, () => expectStanding(sandbox, start.expected))

      let slowestMs = 0
      for (const { what, patch, expected, unbroken } of edits) {
        const fromMs = performance.now()
        await sandbox.patch('clusterendpoints', 'web', patch)
        const ms = await sandbox.eventually(EDIT_MAX_MS, () => expectStanding(sandbox, expected))
        slowestMs = Math.max(slowestMs, ms)
        const versions = sandbox.session.recordings.endpoints
          .versions(sandbox.namespace, 'web')
          .filter(({ atMs }) => atMs > fromMs)
        for (const { object } of versions) {
          const now = published(object).map((each) => each.split(' ').at(-1))
          expect({ what, now }).toEqual({ what, now: expect.arrayContaining([...unbroken]) })
        }
      }
      console.log(
        `${session().world.name}: ${edits.length} edits, the slowest shown after ${Math.round(slowestMs)} ms`,
      )
    },
    TEST_MAX_MS,
  )

  test(
    'marks of tools are not carried over',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const [host] = session().world.hosts
      const { port } = await sandbox.start('tcp', host)
      const annotations = {
        'kubectl.kubernetes.io/last-applied-configuration': '{}',
        'meta.helm.sh/release-name': 'web',
        'argocd.argoproj.io/tracking-id': 'web',
        'example.com/note': 'carried',
      }
      const labels = { 'app.kubernetes.io/managed-by': 'Helm', app: 'web' }
      await sandbox.create(
        'web',
        { ports: [tcpPort('web', port, [host])] },
        { labels, annotations },
      )
      await sandbox.eventually(5_000, () => {
        for (const plural of ['services', 'endpoints'] as const) {
          const { metadata } = sandbox.latest(plural, 'web') ?? {}
          expect(metadata?.annotations).toEqual({ 'example.com/note': 'carried' })
          expect(metadata?.labels).toMatchObject({ app: 'web' })
          expect(metadata?.labels).not.toHaveProperty(['app.kubernetes.io/managed-by'])
        }
      })
    },
    TEST_MAX_MS,
  )
}

type Places = {
  readonly first: string
  readonly second: string
  /** Where both hosts listen, and where only the first does. */
  readonly port: number
  readonly other: number
}

function stepsOf({ first, second, port, other }: Places): Step[] {
  const web = `web TCP ${first}:${port}`
  const both = [web, `web TCP ${second}:${port}`]
  const kept = [`${first}:${port}`]
  const service = `web TCP 80 -> ${port}`
  const one = { servicePorts: [service], published: [web] }
  const two = {
    servicePorts: [`more TCP 81 -> ${other}`, service],
    published: [`more TCP ${first}:${other}`, ...both],
  }
  const ports = (...ports: PortSpec[]) => ({ spec: { ports } })
  const onBoth = tcpPort('web', port, [first, second])
  const more = (name: string) => tcpPort(name, other, [first], { port: 81 })
  return [
    { what: 'created', patch: {}, expected: one, unbroken: [] },
    {
      what: 'host added',
      patch: ports(onBoth),
      expected: { servicePorts: [service], published: both },
      unbroken: kept,
    },
    { what: 'port added', patch: ports(onBoth, more('more')), expected: two, unbroken: kept },
    {
      what: 'port renamed',
      patch: ports(onBoth, more('renamed')),
      expected: {
        servicePorts: [`renamed TCP 81 -> ${other}`, service],
        published: [`renamed TCP ${first}:${other}`, ...both],
      },
      unbroken: [...kept, `${first}:${other}`],
    },
    {
      what: 'port number changed',
      patch: ports(onBoth, { ...more('renamed'), port: 82 }),
      expected: {
        servicePorts: [`renamed TCP 82 -> ${other}`, service],
        published: [`renamed TCP ${first}:${other}`, ...both],
      },
      unbroken: [...kept, `${first}:${other}`],
    },
    {
      what: 'ports swapped',
      patch: ports({ ...onBoth, name: 'renamed' }, { ...more('web'), port: 82 }),
      expected: {
        servicePorts: [`renamed TCP 80 -> ${port}`, `web TCP 82 -> ${other}`],
        published: [
          ...both.map((each) => each.replace('web', 'renamed')),
          `web TCP ${first}:${other}`,
        ].sort(),
      },
      unbroken: [...kept, `${first}:${other}`],
    },
    {
      what: 'port removed',
      patch: ports(onBoth),
      expected: { servicePorts: [service], published: both },
      unbroken: kept,
    },
    {
      what: 'host removed',
      patch: ports(tcpPort('web', port, [first])),
      expected: one,
      unbroken: kept,
    },
    {
      what: 'label and annotation added',
      patch: { metadata: { labels: { tier: 'a' }, annotations: { note: 'x' } } },
      expected: { ...one, labels: { tier: 'a' }, annotations: { note: 'x' } },
      unbroken: kept,
    },
    {
      what: 'label and annotation changed',
      patch: { metadata: { labels: { tier: 'b' }, annotations: { note: 'y' } } },
      expected: { ...one, labels: { tier: 'b' }, annotations: { note: 'y' } },
      unbroken: kept,
    },
    {
      what: 'label and annotation removed',
      patch: { metadata: { labels: { tier: null }, annotations: { note: null } } },
      expected: one,
      unbroken: kept,
    },
    {
      what: 'probe changed',
      patch: ports({ name: 'web', port: 80, targetPort: port, hosts: [first] }),
      expected: one,
      unbroken: kept,
    },
    {
      what: 'target port changed',
      patch: ports(tcpPort('web', other, [first])),
      expected: {
        servicePorts: [`web TCP 80 -> ${other}`],
        published: [`web TCP ${first}:${other}`],
      },
      unbroken: [],
    },
  ]
}

function expectStanding(sandbox: Sandbox, expected: Expected): void {
  expect(sandbox.servicePorts('web')).toEqual([...expected.servicePorts])
  expect(sandbox.published('web')).toEqual([...expected.published])
  const ours = { 'sealos.io/managed-by': 'endpoints-operator' }
  for (const plural of ['services', 'endpoints'] as const) {
    const metadata = sandbox.latest(plural, 'web')?.metadata
    const { labels = {}, annotations = {} } = expected
    expect(withoutMirroring(metadata?.labels)).toEqual({ ...labels, ...ours })
    expect(withoutMirroring(metadata?.annotations)).toEqual(annotations)
  }
}

/** Without what the cluster's own controllers note on Endpoints, and what we say to them. */
function withoutMirroring(entries: Readonly<Record<string, string>> = {}) {
  return Object.fromEntries(
    Object.entries(entries).filter(([key]) => !/^endpoint(s|slice)\.kubernetes\.io\//.test(key)),
  )
}
