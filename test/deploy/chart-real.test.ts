// The chart on a real API server: every object that it renders is taken, Helm installs and upgrades it,
// and its test does what it should. No pods run here, so hooks are left out or done by hand.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { basename, join } from 'node:path'
import { type ControlPlane, startControlPlane } from '../controlplane/controlplane.ts'
import { describeInNamespace } from '../controlplane/describe-in-namespace.ts'
import { eventually } from '../integration/eventually.ts'
import { requestToken } from '../integration/installed.ts'
import { operatorCommand } from '../integration/operator.ts'
import { CHART, hasHelm, helm, render, VALUES_FILES } from './chart.ts'
import { nodesIn } from './documents.ts'

const START_MAX_MS = 180_000
const TEST_MAX_MS = 60_000
/** Milliseconds until the API server serves a new kind. */
const CRD_MAX_MS = 10_000
const NAME = 'the chart on a real API server'

describeInNamespace(NAME, import.meta.path, () => {
  if (hasHelm(NAME)) describe('as Helm has it', onRealApiServer)
})

function onRealApiServer(): void {
  let plane: ControlPlane

  beforeAll(async () => {
    plane = await startControlPlane()
    const kinds = ['apply', '-f', join(CHART, 'crds'), '-f', '-']
    expect(await plane.kubectl(kinds, SERVICE_MONITOR_CRD)).toMatchObject({ code: 0 })
    await eventually(CRD_MAX_MS, async () => {
      const served = await plane.kubectl(['get', 'cep,servicemonitors', '-A'])
      expect(served.code).toBe(0)
    })
  }, START_MAX_MS)

  afterAll(() => plane.stop(), START_MAX_MS)

  for (const values of VALUES_FILES) {
    test(
      `every object is taken without a warning, with ${basename(values) || 'no values'}`,
      async () => {
        // Rendered without a cluster, the budget is of the version that only newer ones serve; Helm
        // installs the other one below.
        const served = (await plane.kubectl(['api-versions'])).stdout.trim().split('\n')
        const isNew = served.includes('policy/v1')
        const capabilities = isNew ? [] : ['--set', 'podDisruptionBudget.enabled=false']
        const items = await render(values, capabilities)
        for (const way of [[], ['--server-side']]) {
          const dryRun = ['apply', '--dry-run=server', '--validate=true', ...way, '-f', '-']
          const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
          const { code, stdout, stderr } = await plane.kubectl(dryRun, list)
          expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
          expect(stdout.trim().split('\n')).toHaveLength(items.length)
        }
      },
      TEST_MAX_MS,
    )
  }

  test(
    'Helm installs it, upgrades it with other values and over the chart of the Go version, and removes it',
    async () => {
      const release = ['endpoints-operator', CHART, '-n', 'kube-system']
      const get = async (kind: string, path: string) =>
        (await plane.kubectl(['get', kind, '-n', 'kube-system', 'endpoints-operator', '-o', path]))
          .stdout

      expect(await helm(['install', ...release], plane.kubeconfig)).toMatchObject({
        code: 0,
        err: '',
      })
      const uid = await get('deployment', 'jsonpath={.metadata.uid}')
      expect(await get('role', 'jsonpath={.rules[*].resources}')).toContain('leases')

      // The hook's Job would wait for a node.
      const upgrade = ['upgrade', ...release, '--no-hooks', '--reset-values']
      const budget = ['--set', 'podDisruptionBudget.enabled=true', '--set', 'replicaCount=1']
      expect(await helm([...upgrade, ...budget], plane.kubeconfig)).toMatchObject({
        code: 0,
        err: '',
      })
      expect(await get('deployment', 'jsonpath={.metadata.uid} {.spec.replicas}')).toBe(`${uid} 1`)
      const served = (await plane.kubectl(['api-versions'])).stdout.split('\n')
      const { out } = await helm(
        ['get', 'manifest', ...release.slice(0, 1), ...release.slice(2)],
        plane.kubeconfig,
      )
      const policy = served.includes('policy/v1') ? 'policy/v1' : 'policy/v1beta1'
      expect(out.match(/apiVersion: policy\/\w+/g)).toEqual([`apiVersion: ${policy}`])

      const values = VALUES_FILES.find((file) => file.includes('go-version')) ?? ''
      expect(await helm([...upgrade, '-f', values], plane.kubeconfig)).toMatchObject({ code: 0 })
      expect(await get('deployment', 'jsonpath={.metadata.uid} {.spec.replicas}')).toBe(`${uid} 2`)
      expect(await get('poddisruptionbudget', 'name')).toBe('')

      const uninstall = ['uninstall', 'endpoints-operator', '-n', 'kube-system']
      expect(await helm(uninstall, plane.kubeconfig)).toMatchObject({ code: 0 })
      expect(await get('deployment', 'name')).toBe('')
      // Helm leaves the CRD, and with it every ClusterEndpoint, its Service and its Endpoints.
      expect((await plane.kubectl(['get', 'crd', 'clusterendpoints.sealos.io'])).code).toBe(0)
    },
    TEST_MAX_MS,
  )

  test(
    "what the hook's Job runs before an upgrade, it may run, and no more",
    async () => {
      const hooks = (await render('')).filter(
        ({ metadata }) => metadata.annotations?.['helm.sh/hook'] === 'pre-upgrade',
      )
      expect(hooks.map(({ kind }) => kind).sort()).toEqual([
        'ClusterRole',
        'ClusterRoleBinding',
        'Job',
        'ServiceAccount',
      ])
      const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: hooks })
      expect(await plane.kubectl(['apply', '-f', '-'], list)).toMatchObject({ code: 0 })
      const spoilt = { spec: { names: { shortNames: ['spoilt'] } } }
      const crd = ['crd', 'clusterendpoints.sealos.io']
      const patch = ['patch', ...crd, '--type=merge', '-p', JSON.stringify(spoilt)]
      expect((await plane.kubectl(patch)).code).toBe(0)

      const kubeconfig = plane.kubeconfigFor(await requestToken(plane, 'endpoints-operator-crd'))
      const args = argsIn(hooks)
      expect(args).toEqual(['manifests', '--crd', '--apply'])
      await eventually(CRD_MAX_MS, async () => {
        expect(await operator([...args, '--kubeconfig', kubeconfig])).toMatchObject({ code: 0 })
      })
      const names = await plane.kubectl([
        'get',
        ...crd,
        '-o',
        'jsonpath={.spec.names.shortNames[*]}',
      ])
      expect(names.stdout).toBe('cep')
      const may = async (what: string) =>
        (
          await plane.kubectl(['auth', 'can-i', ...what.split(' '), '--kubeconfig', kubeconfig])
        ).stdout.trim()
      expect(await may('patch crd/clusterendpoints.sealos.io')).toBe('yes')
      expect(await may('patch crd/others.example.com')).toBe('no')
      expect(await may('delete crd/clusterendpoints.sealos.io')).toBe('no')
    },
    TEST_MAX_MS,
  )

  test(
    "`helm test` passes: what its pod runs is well with the operator's ServiceAccount",
    async () => {
      const release = ['endpoints-operator', CHART, '-n', 'kube-system']
      expect(await helm(['install', ...release], plane.kubeconfig)).toMatchObject({ code: 0 })
      const hooks = (await render('')).filter(
        ({ metadata }) => metadata.annotations?.['helm.sh/hook'] === 'test',
      )
      expect(hooks.map(({ kind }) => kind).sort()).toEqual(['ClusterEndpoint', 'Pod'])
      const kubeconfig = plane.kubeconfigFor(await requestToken(plane, 'endpoints-operator'))
      const run = () => operator([...argsIn(hooks), '--kubeconfig', kubeconfig])
      expect(await run()).toMatchObject({ code: 1, err: expect.stringContaining('not found') })
      const list = JSON.stringify({
        apiVersion: 'v1',
        kind: 'List',
        items: hooks.filter(({ kind }) => kind !== 'Pod'),
      })
      expect(await plane.kubectl(['apply', '-f', '-'], list)).toMatchObject({ code: 0 })
      expect(await run()).toMatchObject({ code: 0, err: '' })
    },
    TEST_MAX_MS,
  )
}

/** The arguments of the only container in `documents`. */
function argsIn(documents: readonly unknown[]): string[] {
  const [args] = nodesIn(documents).flatMap((node) => (Array.isArray(node.args) ? [node.args] : []))
  return (args ?? []).map(String)
}

async function operator(args: readonly string[]) {
  const child = Bun.spawn([...operatorCommand(), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 20_000,
  })
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()])
  return { code: await child.exited, out, err }
}

/** Of the ServiceMonitor as much as the chart uses: whatever else it said would be refused. */
const SERVICE_MONITOR_CRD = JSON.stringify({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'servicemonitors.monitoring.coreos.com' },
  spec: {
    group: 'monitoring.coreos.com',
    names: { kind: 'ServiceMonitor', plural: 'servicemonitors', singular: 'servicemonitor' },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: object({
            spec: object({
              endpoints: {
                type: 'array',
                items: object({
                  port: { type: 'string' },
                  path: { type: 'string' },
                  honorLabels: { type: 'boolean' },
                  interval: { type: 'string' },
                  scrapeTimeout: { type: 'string' },
                }),
              },
              namespaceSelector: object({
                matchNames: { type: 'array', items: { type: 'string' } },
              }),
              selector: object({
                matchLabels: { type: 'object', additionalProperties: { type: 'string' } },
              }),
            }),
          }),
        },
      },
    ],
  },
})

function object(properties: unknown): unknown {
  return { type: 'object', properties }
}
