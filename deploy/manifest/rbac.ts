// What the operator may do, each right with its reason. Pure.
// test/deploy/rights.test.ts takes each of them away and shows what then fails.

import { GROUP, PLURAL } from '../../crds/clusterendpoint.ts'
import type { Install } from './install.ts'
import { LABELS, NAME } from './labels.ts'
import { type Node, Noted } from './yaml.ts'

/**
 * Of the Lease. It is the name that the Go version gives to its lock, which in kube-system is the very
 * same object: while a rolling upgrade, or a way back, runs pods of both, only one of them works.
 */
export const LEASE_NAME = 'sealyun-endpoints-operator-leader-election'

export type Rule = {
  readonly apiGroup: string
  readonly resources: readonly string[]
  /** Only these objects; all of the kind where absent. */
  readonly names?: readonly string[]
  /** What each verb is for. */
  readonly verbs: Readonly<Record<string, string>>
}

/** In all namespaces. */
export const CLUSTER_RULES: readonly Rule[] = [
  {
    apiGroup: GROUP,
    resources: [PLURAL],
    verbs: {
      get: 'make sure that it still stands before what it owns is made anew',
      list: 'know them all',
      watch: 'hear of changes',
      patch: 'remove finalizers of the Go version, which would keep it from being deleted',
    },
  },
  {
    apiGroup: GROUP,
    resources: [`${PLURAL}/status`],
    verbs: { patch: 'write the status' },
  },
  {
    apiGroup: '',
    resources: ['services', 'endpoints'],
    verbs: {
      get: 'look before a takeover',
      list: 'know what it published, by label',
      watch: 'put right what is edited or deleted',
      create: "publish what is new; neither is deleted, that is the garbage collector's work",
      patch: 'publish changes, by server-side apply',
    },
  },
  {
    apiGroup: 'discovery.k8s.io',
    resources: ['endpointslices'],
    verbs: {
      get: 'look whether somebody else has one of that name',
      list: 'know what it published, by label',
      watch: 'put right what is edited or deleted',
      create: 'publish what is new',
      patch: 'publish changes, by server-side apply',
      delete: 'take away slices that hold no host any more',
    },
  },
  {
    apiGroup: '',
    resources: ['events'],
    verbs: { create: 'tell of hosts that go and come', patch: 'count up equal ones' },
  },
]

/** In the operator's own namespace. */
export const LEASE_RULES: readonly Rule[] = [
  {
    apiGroup: 'coordination.k8s.io',
    resources: ['leases'],
    // A name cannot restrict a create, as the object has none yet when it is judged.
    verbs: { create: 'take the Lease when there is none' },
  },
  {
    apiGroup: 'coordination.k8s.io',
    resources: ['leases'],
    names: [LEASE_NAME],
    verbs: { get: 'see who holds it', update: 'take, renew and release it' },
  },
]

/** The ServiceAccount, its roles and their bindings. */
export function accessObjects({ namespace }: Pick<Install, 'namespace'>): Node[] {
  const clusterwide = { name: NAME, labels: LABELS }
  const namespaced = { name: NAME, namespace, labels: LABELS }
  return [
    {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: namespaced,
      // The Deployment asks for the token itself; no other pod is given it by default.
      automountServiceAccountToken: false,
    },
    role('ClusterRole', clusterwide, CLUSTER_RULES),
    binding('ClusterRole', clusterwide, namespace),
    role('Role', namespaced, LEASE_RULES),
    binding('Role', namespaced, namespace),
  ]
}

const API_GROUP = 'rbac.authorization.k8s.io'

type Kind = 'ClusterRole' | 'Role'

function role(kind: Kind, metadata: Node, rules: readonly Rule[]): Node {
  return { apiVersion: `${API_GROUP}/v1`, kind, metadata, rules: rules.map(ruleNode) }
}

function ruleNode({ apiGroup, resources, names, verbs }: Rule): Node {
  return {
    apiGroups: [apiGroup],
    resources,
    ...(names ? { resourceNames: names } : {}),
    verbs: Object.entries(verbs).map(([verb, why]) => new Noted(verb, why)),
  }
}

function binding(kind: Kind, metadata: Node, namespace: string): Node {
  return {
    apiVersion: `${API_GROUP}/v1`,
    kind: `${kind}Binding`,
    metadata,
    roleRef: { apiGroup: API_GROUP, kind, name: NAME },
    subjects: [{ kind: 'ServiceAccount', name: NAME, namespace }],
  }
}
