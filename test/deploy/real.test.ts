// deploy/install.yaml on a real API server: it is taken without a warning, its rights are enough and
// none is too many, it goes over what the Go version's chart made, and it goes without harm.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import * as v from 'valibot'
import { crd } from '../../crds/generate.ts'
import { CLUSTER_RULES, LEASE_NAME, LEASE_RULES, type Rule } from '../../deploy/manifest/rbac.ts'
import {
  type ControlPlane,
  startControlPlane,
  usualControllers,
} from '../controlplane/controlplane.ts'
import { describeInNamespace } from '../controlplane/describe-in-namespace.ts'
import { findBinaries } from '../controlplane/provision.ts'
import { eventually, throughout } from '../integration/eventually.ts'
import { INSTALL_FILE, type Installed, installOperator } from '../integration/installed.ts'
import { clusterEndpoint } from '../integration/manifests.ts'
import { operatorCommand, startOperator } from '../integration/operator.ts'
import { refusedInLife } from './rights.ts'

const START_MAX_MS = 180_000
const TEST_MAX_MS = 60_000
/** Milliseconds until the API server's authorizer has seen a role that changed. */
const ROLES_MAX_MS = 10_000

describeInNamespace('deploy/install.yaml on a real API server', import.meta.path, () => {
  const found = findBinaries()
  const hasControllers = found.ok && found.binaries.kubeControllerManager !== undefined
  let plane: ControlPlane
  let installed: Installed

  beforeAll(async () => {
    plane = await startControlPlane({ controllers: hasControllers ? usualControllers : [] })
    installed = await installOperator(plane)
    // Anew, so that the garbage collector knows the kind at once and not within 30 s.
    await plane.controllerManager?.restart()
  }, START_MAX_MS)

  afterAll(() => plane.stop(), START_MAX_MS)

  for (const [way, outcome] of [
    ['apply', 'unchanged'],
    ['apply --server-side --force-conflicts', 'serverside-applied'],
  ] as const) {
    test(
      `kubectl ${way} takes it without a warning`,
      async () => {
        const { code, stdout, stderr } = await plane.kubectl([
          ...way.split(' '),
          '-f',
          INSTALL_FILE,
        ])
        expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
        // Of the CRD a client-side apply always says "configured": what is false there is not stored.
        const [, ...lines] = stdout.trim().split('\n')
        for (const line of lines) expect(line).toEndWith(outcome)
      },
      TEST_MAX_MS,
    )
  }

  test(
    'into a namespace of its own, printed by the binary, it is taken as well',
    async () => {
      const printed = Bun.spawnSync([...operatorCommand(), 'manifests', '-n', 'cep-system'])
      const manifest = printed.stdout.toString()
      expect(await plane.kubectl(['apply', '-f', '-'], manifest)).toMatchObject({
        code: 0,
        stderr: '',
      })
      // The cluster-wide roles are bound to one ServiceAccount only: that of the tests that follow.
      const removed = await plane.kubectl(['delete', 'namespace', 'cep-system', '--wait=false'])
      expect(removed.code).toBe(0)
      expect(await plane.kubectl(['apply', '-f', INSTALL_FILE])).toMatchObject({ code: 0 })
    },
    TEST_MAX_MS,
  )

  const rights = [...rightsOf(CLUSTER_RULES, true), ...rightsOf(LEASE_RULES, false)]

  test(
    'with the rights of its ServiceAccount the operator does its work, and is refused nothing',
    async () => {
      await allow(rights)
      expect(await refusedInLife(plane, installed, 'all-rights')).toEqual([])
    },
    TEST_MAX_MS,
  )

  for (const [index, right] of rights.entries()) {
    test(
      `it needs the right to ${nameOf(right)}`,
      async () => {
        await allow(rights.filter((other) => other !== right))
        const refused = await refusedInLife(plane, installed, `less-${index}`)
        expect(refused).toContain(`${methodOf(right)} ${right.resource}`)
      },
      TEST_MAX_MS,
    )
  }

  test(
    "it goes over what the Go version's chart has made: the same objects, and no right more than ours",
    async () => {
      await plane.kubectl(['delete', '-f', '-'], await withoutCrd())
      const original = await plane.kubectl(['apply', '-f', '-'], GO_CHART)
      expect(original).toMatchObject({ code: 0, stderr: '' })
      const uid = ['get', 'deployment', '-n', 'kube-system', 'endpoints-operator', '-o']
      const before = await plane.kubectl([...uid, 'jsonpath={.metadata.uid}'])
      expect(await plane.kubectl(['apply', '-f', INSTALL_FILE])).toMatchObject({
        code: 0,
        stderr: '',
      })
      expect((await plane.kubectl([...uid, 'jsonpath={.metadata.uid}'])).stdout).toBe(before.stdout)
      const args = await plane.kubectl([
        ...uid,
        'jsonpath={.spec.template.spec.containers[*].args}',
      ])
      expect(JSON.parse(args.stdout)).toEqual(installed.args)
      const role = ['get', 'clusterrole', 'endpoints-operator', '-o', 'jsonpath={.rules}']
      expect((await plane.kubectl(role)).stdout).not.toContain('"*"')
    },
    TEST_MAX_MS,
  )

  for (const [way, put] of crdWays) {
    test(
      `${way} brings the CRD of the Go version up to date, and its ClusterEndpoints stay`,
      async () => {
        await plane.kubectl(['delete', 'crd', CRD_NAME, '--ignore-not-found'])
        const made = await plane.kubectl(['create', '-f', '-'], goCrd(plane.version))
        expect(made.code).toBe(0)
        const cep = clusterEndpoint('old', { ports: [{ port: 80, targetPort: 80 }] })
        await eventually(CRD_MAX_MS, async () => {
          expect(await plane.kubectl(['create', '-f', '-'], JSON.stringify(cep))).toMatchObject({
            code: 0,
          })
        })
        expect(await put(plane)).toMatchObject({ code: 0 })
        const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${CRD_NAME}`
        const { spec } = v.parse(crdSchema, await (await plane.request(path)).json())
        expect(spec.preserveUnknownFields).toBe(false)
        const { versions } = v.parse(crdSchema, crd()).spec
        expect(spec.versions).toEqual(versions)
        const stored = await plane.kubectl([
          'get',
          'cep',
          'old',
          '-o',
          'jsonpath={.spec.periodSeconds}',
        ])
        expect(stored).toMatchObject({ code: 0, stdout: '10' })
      },
      TEST_MAX_MS,
    )
  }

  test.skipIf(!hasControllers)(
    'removed as README says, it leaves Services and Endpoints as they are, and without an owner',
    async () => {
      // The tests before this one removed its ServiceAccount, and with it the token.
      installed = await installOperator(plane)
      await removeLease()
      const operator = await startOperator(installed.kubeconfig, installed.args)
      const cep = {
        apiVersion: 'sealos.io/v1beta1',
        kind: 'ClusterEndpoint',
        metadata: { name: 'kept', namespace: 'default' },
        spec: { ports: [{ port: 80, hosts: ['10.33.40.151'] }] },
      }
      expect((await plane.kubectl(['apply', '-f', '-'], JSON.stringify(cep))).code).toBe(0)
      const endpoints = ['get', 'endpoints', 'kept', '-o']
      const addresses = async () => (await plane.kubectl([...endpoints, 'jsonpath={..ip}'])).stdout
      await eventually(10_000, async () => expect(await addresses()).toBe('10.33.40.151'))

      const all = ['delete', 'cep', '--all', '--all-namespaces', '--cascade=orphan']
      expect(await plane.kubectl(all)).toMatchObject({ code: 0 })
      await operator.stop()
      expect(await plane.kubectl(['delete', '-f', INSTALL_FILE])).toMatchObject({ code: 0 })
      const kinds = await plane.kubectl(['get', 'crd', '-o', 'name'])
      expect(kinds.stdout).not.toContain('sealos.io')
      // The garbage collector has seen the kind go.
      await plane.controllerManager?.restart()
      await throughout(3_000, async () => expect(await addresses()).toBe('10.33.40.151'))
      for (const kind of ['service', 'endpoints']) {
        const owners = ['get', kind, 'kept', '-o', 'jsonpath={.metadata.ownerReferences}']
        expect(await plane.kubectl(owners)).toMatchObject({ code: 0, stdout: '' })
      }
    },
    TEST_MAX_MS,
  )

  /** So that nobody waits for the end of one whose holder had no right to release it. */
  async function removeLease(): Promise<void> {
    const lease = ['lease', '-n', 'kube-system', LEASE_NAME]
    const removed = await plane.kubectl(['delete', ...lease, '--ignore-not-found'])
    expect(removed.code).toBe(0)
  }

  /** Puts roles with `granted` in place and removes the Lease; resolves when both are in force. */
  async function allow(granted: readonly Right[]): Promise<void> {
    for (const isClusterwide of [true, false]) {
      const rules = granted
        .filter((right) => right.isClusterwide === isClusterwide)
        .map(({ apiGroup, resource, names, verb }) => ({
          apiGroups: [apiGroup],
          resources: [resource],
          ...(names ? { resourceNames: names } : {}),
          verbs: [verb],
        }))
      const role = isClusterwide ? ['clusterrole'] : ['role', '-n', 'kube-system']
      const patch = ['--type=merge', '-p', JSON.stringify({ rules })]
      const patched = await plane.kubectl(['patch', ...role, 'endpoints-operator', ...patch])
      expect(patched.code).toBe(0)
    }
    await removeLease()
    await eventually(ROLES_MAX_MS, async () => {
      for (const right of rights) {
        expect({ right: nameOf(right), isAllowed: await isAllowed(right) }).toEqual({
          right: nameOf(right),
          isAllowed: granted.includes(right),
        })
      }
    })
  }

  /** Whether the API server says that the operator may do that. */
  async function isAllowed({ apiGroup, resource, names, verb, isClusterwide }: Right) {
    const [plural, subresource = ''] = resource.split('/')
    const resourceAttributes = {
      group: apiGroup,
      resource: plural,
      subresource,
      verb,
      ...(names?.[0] ? { name: names[0] } : {}),
      ...(isClusterwide ? {} : { namespace: 'kube-system' }),
    }
    const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'
    const review = {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        spec: { resourceAttributes },
      }),
    }
    const answer = await plane.request(path, review, installed.token)
    return v.parse(reviewSchema, await answer.json()).status.allowed
  }
})

const reviewSchema = v.object({ status: v.object({ allowed: v.boolean() }) })

/** One verb on one kind. */
type Right = {
  readonly apiGroup: string
  readonly resource: string
  readonly names: readonly string[] | undefined
  readonly verb: string
  readonly isClusterwide: boolean
}

/** The HTTP method by which the operator uses a right. */
function methodOf({ verb, resource }: Right): string {
  // Server-side apply creates by PATCH.
  const isApplied = ['services', 'endpoints', 'endpointslices'].includes(resource)
  if (verb === 'create') return isApplied ? 'PATCH' : 'POST'
  if (verb === 'delete') return 'DELETE'
  if (verb === 'patch') return 'PATCH'
  return verb === 'update' ? 'PUT' : 'GET'
}

function rightsOf(rules: readonly Rule[], isClusterwide: boolean): Right[] {
  return rules.flatMap(({ apiGroup, resources, names, verbs }) =>
    resources.flatMap((resource) =>
      Object.keys(verbs).map((verb) => ({ apiGroup, resource, names, verb, isClusterwide })),
    ),
  )
}

function nameOf({ verb, resource }: Right): string {
  return `${verb} ${resource}`
}

const CRD_NAME = 'clusterendpoints.sealos.io'
/** Milliseconds until the API server serves a new kind. */
const CRD_MAX_MS = 10_000

const crdSchema = v.looseObject({
  spec: v.looseObject({
    preserveUnknownFields: v.optional(v.boolean(), false),
    versions: v.array(v.unknown()),
  }),
})

type Put = (plane: ControlPlane) => Promise<{ readonly code: number }>

/** The ways in which README lets people bring the CRD up to date. */
const crdWays: readonly (readonly [string, Put])[] = [
  ['kubectl apply', (plane) => plane.kubectl(['apply', '-f', INSTALL_FILE])],
  [
    'kubectl apply --server-side',
    (plane) => plane.kubectl(['apply', '--server-side', '--force-conflicts', '-f', INSTALL_FILE]),
  ],
  [
    'manifests --crd --apply',
    async ({ kubeconfig }) => {
      const command = [
        ...operatorCommand(),
        'manifests',
        '--crd',
        '--apply',
        '--kubeconfig',
        kubeconfig,
      ]
      return { code: await Bun.spawn(command, { stdout: 'ignore' }).exited }
    },
  ],
]

/** The CRD of the Go version in short: made by v1beta1, as long as it was served, it lets every field through. */
function goCrd(version: string): string {
  const names = { kind: 'ClusterEndpoint', plural: 'clusterendpoints', singular: 'clusterendpoint' }
  const object = (properties: unknown, more = {}) => ({ type: 'object', properties, ...more })
  const data = { type: 'array', items: { type: 'integer' } }
  const port = object(
    { port: { type: 'integer' }, targetPort: { type: 'integer' }, udpSocket: object({ data }) },
    { required: ['port', 'targetPort'] },
  )
  const schema = object({ spec: object({ ports: { type: 'array', items: port } }) })
  const common = { group: 'sealos.io', names, scope: 'Namespaced' }
  const validation = { openAPIV3Schema: schema }
  const served = { name: 'v1beta1', served: true, storage: true }
  const isOld = Number(/^v1\.(\d+)/.exec(version)?.[1]) < 22
  return JSON.stringify({
    apiVersion: `apiextensions.k8s.io/${isOld ? 'v1beta1' : 'v1'}`,
    kind: 'CustomResourceDefinition',
    metadata: { name: CRD_NAME },
    spec: isOld
      ? {
          ...common,
          version: 'v1beta1',
          versions: [served],
          subresources: { status: {} },
          validation,
        }
      : { ...common, versions: [{ ...served, subresources: { status: {} }, schema: validation }] },
  })
}

/** install.yaml without the CRD, and so without an end to all ClusterEndpoints. */
async function withoutCrd(): Promise<string> {
  const [, ...rest] = (await Bun.file(INSTALL_FILE).text()).split('\n---\n')
  return rest.join('\n---\n')
}

/** What `helm template` makes of the Go version's chart v0.2.0, by its form: same names and selector, other content. */
const GO_CHART = `
apiVersion: v1
kind: ServiceAccount
metadata: { name: endpoints-operator, namespace: kube-system }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: endpoints-operator }
rules:
  - { apiGroups: ['*'], resources: [endpoints, services, configmaps, events], verbs: ['*'] }
  - { apiGroups: [sealos.io], resources: [clusterendpoints], verbs: ['*'] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: endpoints-operator }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: endpoints-operator }
subjects: [{ kind: ServiceAccount, name: endpoints-operator, namespace: kube-system }]
---
apiVersion: v1
kind: Service
metadata: { name: endpoints-operator, namespace: kube-system }
spec:
  ports: [{ name: metrics, port: 80, targetPort: metrics, protocol: TCP }]
  selector:
    app.kubernetes.io/name: endpoints-operator
    app.kubernetes.io/instance: endpoints-operator
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: endpoints-operator, namespace: kube-system }
spec:
  replicas: 2
  selector:
    matchLabels:
      app.kubernetes.io/name: endpoints-operator
      app.kubernetes.io/instance: endpoints-operator
  template:
    metadata:
      labels:
        app.kubernetes.io/name: endpoints-operator
        app.kubernetes.io/instance: endpoints-operator
    spec:
      serviceAccountName: endpoints-operator
      containers:
        - name: endpoints-operator
          image: example/endpoints-operator:latest
          args: [--v, '1', --leader-elect, --maxconcurrent, '1', --maxretry, '1']
          ports:
            - { name: health, containerPort: 8080, protocol: TCP }
            - { name: metrics, containerPort: 9090, protocol: TCP }
`
