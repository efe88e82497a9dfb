// What v0.1.x left in a cluster: its CRD, its resources, and a Service and Endpoints as it wrote them.

import type { KubeObject } from './objects.ts'

const integer = { type: 'integer', format: 'int32' }
const text = { type: 'string' }

function object(properties: Readonly<Record<string, unknown>>, required: readonly string[] = []) {
  return { type: 'object', properties, ...(required.length > 0 ? { required } : {}) }
}

const port = object(
  {
    name: text,
    protocol: text,
    port: integer,
    targetPort: integer,
    timeoutSeconds: integer,
    successThreshold: integer,
    failureThreshold: integer,
    tcpSocket: object({ enable: { type: 'boolean' } }, ['enable']),
    httpGet: object({ path: text, scheme: text }),
  },
  ['port', 'targetPort'],
)

/**
 * Source: the CRD of v0.1.x, in short. Without its short name `cep`, which ours has as well: it must
 * not matter to other tests in the same world.
 */
export const LEGACY_CRD = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'clusterendpoints.sealyun.com' },
  spec: {
    group: 'sealyun.com',
    scope: 'Namespaced',
    names: {
      kind: 'ClusterEndpoint',
      listKind: 'ClusterEndpointList',
      plural: 'clusterendpoints',
      singular: 'clusterendpoint',
    },
    versions: [
      {
        name: 'v1beta1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: object({
            spec: object({
              clusterIP: text,
              periodSeconds: integer,
              hosts: { type: 'array', items: text },
              ports: { type: 'array', items: port },
            }),
            status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
          }),
        },
      },
    ],
  },
}

export const LEGACY_FINALIZER = 'sealyun.com/cluster-endpoints.finalizers'

/** A resource of v0.1.x with one TCP port; `spec` wins. */
export function legacyClusterEndpoint(
  name: string,
  hosts: readonly string[],
  targetPort: number,
  spec: Readonly<Record<string, unknown>> = {},
) {
  const web = { name: 'web', protocol: 'TCP', port: 80, targetPort, tcpSocket: { enable: true } }
  return {
    apiVersion: 'sealyun.com/v1beta1',
    kind: 'ClusterEndpoint',
    metadata: { name, finalizers: [LEGACY_FINALIZER], labels: { team: 'billing' } },
    spec: { periodSeconds: 1, hosts, ports: [web], ...spec },
  }
}

/** The Service and the Endpoints that the Go version makes for `owner`: it controls both, and each address is a subset. */
export function madeByGo(
  owner: KubeObject & { readonly apiVersion?: unknown },
  hosts: readonly string[],
  targetPort: number,
) {
  const { name, uid } = owner.metadata
  const reference = {
    apiVersion: owner.apiVersion,
    kind: 'ClusterEndpoint',
    name,
    uid,
    controller: true,
    blockOwnerDeletion: true,
  }
  const metadata = { name, ownerReferences: [reference] }
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata,
    spec: {
      type: 'ClusterIP',
      sessionAffinity: 'None',
      ports: [{ name: 'web', protocol: 'TCP', port: 80, targetPort }],
    },
  }
  const ports = [{ name: 'web', port: targetPort, protocol: 'TCP' }]
  const subsets = hosts.map((ip) => ({ addresses: [{ ip }], ports }))
  return { service, endpoints: { apiVersion: 'v1', kind: 'Endpoints', metadata, subsets } }
}
