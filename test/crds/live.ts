// Live objects as an API server sends them, with managedFields as real ones were seen to have.

import { FIELD_MANAGER } from '../../crds/metadata.ts'
import { CEP_UID } from './fixtures.ts'

export const OUR_OWNER = {
  apiVersion: 'sealos.io/v1beta1',
  kind: 'ClusterEndpoint',
  name: 'wordpress',
  uid: CEP_UID,
  controller: true,
  blockOwnerDeletion: false,
}

export const OTHER_OWNER = {
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  name: 'postgres',
  uid: '00000000-0000-4000-8000-00000000000f',
  controller: true,
}

/** Metadata of an object that stands as we applied it for a ClusterEndpoint without labels. */
export function liveMetadata(more: Readonly<Record<string, unknown>> = {}) {
  return {
    name: 'wordpress',
    namespace: 'default',
    uid: '11111111-0000-4000-8000-000000000001',
    resourceVersion: '1234',
    creationTimestamp: '2026-11-22T10:00:00Z',
    labels: { 'sealos.io/managed-by': 'endpoints-operator' },
    ownerReferences: [OUR_OWNER],
    ...more,
  }
}

export function portKey(port: number, protocol = 'TCP'): string {
  return `k:{"port":${port},"protocol":"${protocol}"}`
}

/** What an owner of one whole Service port owns. */
export const wholePort = {
  '.': {},
  'f:name': {},
  'f:port': {},
  'f:protocol': {},
  'f:targetPort': {},
}

/** The entry that our apply leaves, for the given Service ports. */
export function ourEntry(ports: readonly number[], metadata: object = {}) {
  return {
    manager: FIELD_MANAGER,
    operation: 'Apply',
    apiVersion: 'v1',
    time: '2026-11-22T10:00:00Z',
    fieldsType: 'FieldsV1',
    fieldsV1: {
      'f:metadata': {
        'f:labels': { 'f:sealos.io/managed-by': {} },
        'f:ownerReferences': { [`k:{"uid":"${CEP_UID}"}`]: {} },
        ...metadata,
      },
      'f:spec': { 'f:ports': Object.fromEntries(ports.map((port) => [portKey(port), wholePort])) },
    },
  }
}

/** The entry that `kubectl apply` (client-side) leaves. */
export function kubectlEntry(ports: readonly number[]) {
  return {
    manager: 'kubectl-client-side-apply',
    operation: 'Update',
    apiVersion: 'v1',
    time: '2026-11-20T10:00:00Z',
    fieldsType: 'FieldsV1',
    fieldsV1: {
      'f:metadata': {
        'f:annotations': { '.': {}, 'f:kubectl.kubernetes.io/last-applied-configuration': {} },
      },
      'f:spec': {
        'f:ports': {
          '.': {},
          ...Object.fromEntries(ports.map((port) => [portKey(port), wholePort])),
        },
        'f:sessionAffinity': {},
        'f:type': {},
      },
    },
  }
}
