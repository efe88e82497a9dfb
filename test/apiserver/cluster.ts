// The state of one cluster and what follows from its changes: CRDs start and stop serving, deleted
// Services free their addresses, a deleted namespace takes its content along.

import { builtInResources } from './builtins.ts'
import type { Json, JsonMap } from './json.ts'
import type { KubeObject } from './object.ts'
import { Registry } from './registry.ts'
import { ServiceAddresses } from './service-addresses.ts'
import { type Change, Store } from './store.ts'

/** What every request works on. */
export interface Cluster {
  readonly store: Store
  readonly registry: Registry
  readonly nowMs: () => number
}

/** Settings of a cluster. */
export interface ClusterOptions {
  /** Events kept for each resource: older watches get 410. */
  readonly historyMax: number
  /** Endpoints may be loopback addresses, unlike in a real cluster. */
  readonly allowLoopback: boolean
  /** Services may have both families, as in a cluster with a range of each. */
  readonly isDualStack: boolean
  readonly nowMs: () => number
}

export const NAMESPACES = '/namespaces'
export const SERVICES = '/services'
export const CRDS = 'apiextensions.k8s.io/customresourcedefinitions'

/** A cluster with the namespaces that every cluster has. */
export function openCluster(options: ClusterOptions): Cluster {
  const { historyMax, nowMs } = options
  const addresses = new ServiceAddresses()
  const store = new Store(historyMax)
  const registry = new Registry(builtInResources({ ...options, addresses }))
  store.onChange((change) => {
    if (change.collection === CRDS) followCrd(change, store, registry)
    if (change.type !== 'DELETED') return
    if (change.collection === SERVICES) addresses.release(change.current.object)
    if (change.collection === NAMESPACES) emptyNamespace(change.current.object, store, registry)
  })
  for (const name of ['default', 'kube-system', 'kube-public', 'kube-node-lease']) {
    store.put(NAMESPACES, namespaceObject(name, nowMs()))
  }
  return { store, registry, nowMs }
}

/** A time as metav1.Time writes it. */
export function timestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

function followCrd(change: Change, store: Store, registry: Registry): void {
  if (change.type !== 'DELETED') {
    registry.define(change.current.object)
    return
  }
  const collections = registry.undefine(change.current.object).map((item) => item.collection)
  for (const collection of new Set(collections)) {
    for (const { object } of store.snapshot(collection).versions) store.remove(collection, object)
  }
}

function emptyNamespace(namespace: KubeObject, store: Store, registry: Registry): void {
  const { name } = namespace.metadata
  const namespaced = registry.all().filter((item) => item.isNamespaced)
  for (const collection of new Set(namespaced.map((item) => item.collection))) {
    for (const { object } of store.snapshot(collection).versions) {
      if (object.metadata.namespace === name) store.remove(collection, object)
    }
  }
}

function namespaceObject(name: string, nowMs: number): JsonMap {
  const metadata: { [key: string]: Json } = {
    name,
    uid: crypto.randomUUID(),
    creationTimestamp: timestamp(nowMs),
    labels: { 'kubernetes.io/metadata.name': name },
  }
  return {
    kind: 'Namespace',
    apiVersion: 'v1',
    metadata,
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  }
}
