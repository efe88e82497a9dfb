// The chart: what is checked in, and what a real Helm makes of it.

import { describe, expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { version } from '../../package.json'
import { INSTALL_FILE } from '../integration/installed.ts'
import { CHART, hasHelm, helm, render, VALUES_FILES } from './chart.ts'
import { type Document, documentsOf, nodesIn } from './documents.ts'

const text = (...path: readonly string[]) => Bun.file(join(CHART, ...path)).text()

describe('the chart', () => {
  test('has the version of package.json, and so has what it installs', async () => {
    expect(Bun.YAML.parse(await text('Chart.yaml'))).toMatchObject({ version, appVersion: version })
  })

  test('has the CRD of the sources (run `bun run generate`)', async () => {
    const file = new URL('../../crds/clusterendpoints.yaml', import.meta.url)
    expect(await text('crds', 'clusterendpoints.yaml')).toBe(await Bun.file(file).text())
  })

  test('has a schema that knows every value', async () => {
    const values: unknown = Bun.YAML.parse(await text('values.yaml'))
    const schema: unknown = JSON.parse(await text('values.schema.json'))
    expect(keysOf(schema, 'properties')).toEqual(keysOf(values))
  })

  test('says `image:` nowhere but in pods, as sealos takes whatever follows for one', async () => {
    expect((await text('templates', 'NOTES.txt')).includes('image:')).toBe(false)
    for (const name of readdirSync(join(CHART, 'templates'))) {
      if (!name.endsWith('.yaml')) continue
      expect({ name, says: (await text('templates', name)).includes('image:') }).toEqual({
        name,
        says: false,
      })
    }
    expect((await text('crds', 'clusterendpoints.yaml')).includes('image:')).toBe(false)
  })
})

const RENDERED = 'the chart, rendered by Helm'
if (hasHelm(RENDERED)) describeRendered()

function describeRendered(): void {
  describe(RENDERED, () => {
    for (const values of VALUES_FILES) {
      const name = basename(values) || 'no values'
      test(`is linted without a warning, with ${name}`, async () => {
        const file = values === '' ? [] : ['-f', values]
        const { code, out } = await helm(['lint', '--strict', CHART, ...file])
        expect({ code, isWarned: /\[(?:WARNING|ERROR)\]/.test(out) }).toEqual({
          code: 0,
          isWarned: false,
        })
      })

      test(`names every object once and every port's protocol, with ${name}`, async () => {
        const documents = await render(values)
        const names = documents.map(({ kind, metadata }) => `${kind} ${metadata.name}`)
        expect(new Set(names).size).toBe(names.length)
        const ports = documents
          .filter(({ kind }) => kind === 'Deployment' || kind === 'Service')
          .flatMap(nodesIn)
          .filter((node) => 'containerPort' in node || 'targetPort' in node)
        expect(ports.length).toBeGreaterThanOrEqual(3)
        for (const port of ports) expect(port).toMatchObject({ protocol: 'TCP' })
      })
    }

    test('is deploy/install.yaml, but for the CRD, the hooks and the labels of Helm', async () => {
      const rendered = (await render('')).filter(({ metadata }) => !isHook(metadata.annotations))
      const installed = documentsOf(await Bun.file(INSTALL_FILE).text()).slice(1)
      expect(byName(rendered)).toEqual(byName(installed))
    })

    test('gives the values of the Go version the same meaning', async () => {
      const values = VALUES_FILES.find((file) => file.includes('go-version')) ?? ''
      const deployment = await objectOf(values, 'Deployment')
      expect(deployment).toMatchObject({
        metadata: { name: 'endpoints-operator' },
        spec: {
          replicas: 2,
          selector: {
            matchLabels: {
              'app.kubernetes.io/name': 'endpoints-operator',
              'app.kubernetes.io/instance': 'endpoints-operator',
            },
          },
        },
      })
      expect(containerOf(deployment)).toMatchObject({
        image: `labring/endpoints-operator-controller:v${version}`,
        args: expect.arrayContaining(['--leader-elect', '--maxconcurrent=1', '--v=1']),
        resources: { limits: { cpu: '100m', memory: '256Mi' } },
      })
    })

    test('takes everything that can be said otherwise', async () => {
      const values = VALUES_FILES.find((file) => file.includes('everything')) ?? ''
      const deployment = await objectOf(values, 'Deployment')
      expect(containerOf(deployment)).toMatchObject({
        image: 'registry.example:5000/mirror/labring/endpoints-operator-controller:v9.9.9',
        imagePullPolicy: 'Always',
        args: [
          '--leader-elect',
          '--leader-elect-name=endpoints-operator',
          '--maxconcurrent=2',
          '--v=4',
          '--publish=slices',
          '--dns-servers=10.0.0.53,[fd00::53]:5353',
          '--log-format=json',
        ],
      })
      expect(deployment).toMatchObject({
        spec: {
          replicas: 3,
          template: {
            metadata: {
              labels: { 'sidecar.istio.io/inject': 'false' },
              annotations: { 'example.com/note': 'yes' },
            },
            spec: {
              serviceAccountName: 'ceps-prober',
              priorityClassName: 'system-cluster-critical',
              imagePullSecrets: [{ name: 'pull' }],
              topologySpreadConstraints: [{ maxSkew: 1 }],
              affinity: { nodeAffinity: {} },
            },
          },
        },
      })
      expect(await objectOf(values, 'ServiceMonitor')).toMatchObject({
        metadata: { labels: { release: 'prometheus' } },
        spec: { endpoints: [{ port: 'metrics', interval: '15s', honorLabels: true }] },
      })
      for (const { kind, metadata } of await render(values)) {
        expect({ kind, team: metadata.labels?.team }).toEqual({ kind, team: 'network' })
      }
    })

    test('the selectors of its Service, budget and monitor find its pods', async () => {
      const values = VALUES_FILES.find((file) => file.includes('everything')) ?? ''
      const labels = nodesIn((await objectOf(values, 'Deployment')).spec)
        .map((node) => node.metadata)
        .find((metadata) => metadata !== undefined)
      const selector = {
        'app.kubernetes.io/name': 'ceps',
        'app.kubernetes.io/instance': 'endpoints-operator',
      }
      expect(labels).toMatchObject({ labels: selector })
      const service = await objectOf(values, 'Service')
      expect(service).toMatchObject({ spec: { selector }, metadata: { labels: selector } })
      for (const kind of ['PodDisruptionBudget', 'ServiceMonitor']) {
        expect(await objectOf(values, kind)).toMatchObject({
          spec: { selector: { matchLabels: selector } },
        })
      }
    })

    const refused: readonly [set: string, why: string][] = [
      ['replicaCount=two', '/replicaCount'],
      ['loglevel=11', '/loglevel'],
      ['maxconcurrent=0', '/maxconcurrent'],
      ['image.pullPolicy=never', '/image/pullPolicy'],
      ['image.registry=https://r.example', '/image/registry'],
      ['service.port=70000', '/service/port'],
      ['service.type=ExternalName', '/service/type'],
      ['serviceMonitor.interval=often', '/serviceMonitor/interval'],
      ['crds.install=maybe', '/crds/install'],
    ]
    for (const [set, why] of refused) {
      test(`refuses ${set} by its schema`, async () => {
        const { code, err } = await helm(['template', 'x', CHART, '--set', set])
        expect(code).toBe(1)
        expect(err).toContain(why)
      })
    }

    test('refuses a cluster before 1.19', async () => {
      const { code, err } = await helm(['template', 'x', CHART, '--kube-version', '1.18.0'])
      expect({ code, isSaid: err.includes('>=1.19.0-0') }).toEqual({ code: 1, isSaid: true })
    })
  })
}

async function objectOf(values: string, kind: string): Promise<Document> {
  const found = (await render(values)).find(
    (each) => each.kind === kind && !isHook(each.metadata.annotations),
  )
  if (!found) throw new Error(`The chart renders no ${kind}`)
  return found
}

function containerOf(deployment: Document): unknown {
  const lists = nodesIn(deployment).flatMap(({ containers }) => containers ?? [])
  return lists[0]
}

function isHook(annotations: Readonly<Record<string, string>> | undefined): boolean {
  return annotations?.['helm.sh/hook'] !== undefined
}

/** What each object says, without the marks of Helm, by kind and name. */
function byName(documents: readonly Document[]): Record<string, unknown> {
  return Object.fromEntries(
    documents.map((document) => {
      const { kind, metadata } = document
      const {
        'helm.sh/chart': _chart,
        'app.kubernetes.io/managed-by': _by,
        ...labels
      } = metadata.labels ?? {}
      return [`${kind} ${metadata.name}`, { ...document, metadata: { ...metadata, labels } }]
    }),
  )
}

/** The keys of `value` and of the maps in it, two levels deep, sorted; `through` stands between the levels of a schema. */
function keysOf(value: unknown, through?: string): string[] {
  const top = childrenOf(value, through)
  return top
    .flatMap(([key, child]) => [
      key,
      // What goes to the API server as it is, the schema leaves to the API server.
      ...(FREE.has(key) ? [] : childrenOf(child, through).map(([inner]) => `${key}.${inner}`)),
    ])
    .sort()
}

const FREE: ReadonlySet<string> = new Set([
  'podSecurityContext',
  'securityContext',
  'resources',
  'nodeSelector',
])

function childrenOf(value: unknown, through: string | undefined): [string, unknown][] {
  const [node] = nodesIn(value)
  if (!node) return []
  if (through === undefined) return Object.entries(node)
  const [inner] = nodesIn(node[through])
  return inner ? Object.entries(inner) : []
}
