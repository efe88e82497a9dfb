// Paths of the API server that we use.

import { GROUP, PLURAL, VERSION } from '../crds/clusterendpoint.ts'
import { LEGACY_GROUP } from '../crds/legacy.ts'
import type { SliceApiVersion } from '../crds/slices.ts'

/** Namespace and name of an object. */
export type Named = { readonly namespace: string; readonly name: string }

/** The kinds of the core group that we publish, by their plural. */
export type Published = 'services' | 'endpoints'

export const CLUSTER_ENDPOINTS = clusterEndpointsPath(GROUP, undefined)

export function publishedCollection(plural: Published): string {
  return `/api/v1/${plural}`
}

export function publishedPath(plural: Published, { namespace, name }: Named): string {
  return `/api/v1/namespaces/${namespace}/${plural}/${name}`
}

/** All EndpointSlices, or those of one namespace. */
export function slicesPath(apiVersion: SliceApiVersion, namespace?: string): string {
  const inside = namespace === undefined ? '' : `/namespaces/${namespace}`
  return `/apis/${apiVersion}${inside}/endpointslices`
}

export function slicePath(apiVersion: SliceApiVersion, { namespace, name }: Named): string {
  return `${slicesPath(apiVersion, namespace)}/${name}`
}

export function clusterEndpointPath({ namespace, name }: Named): string {
  return `${clusterEndpointsPath(GROUP, namespace)}/${name}`
}

/** All ClusterEndpoints of a namespace, or of all; of our group or of that of v0.1.x. */
export function clusterEndpointsPath(
  group: typeof GROUP | typeof LEGACY_GROUP,
  namespace: string | undefined,
): string {
  const inside = namespace === undefined ? '' : `/namespaces/${namespace}`
  return `/apis/${group}/${VERSION}${inside}/${PLURAL}`
}

export function legacyClusterEndpointPath({ namespace, name }: Named): string {
  return `${clusterEndpointsPath(LEGACY_GROUP, namespace)}/${name}`
}

export function servicesPath(namespace: string): string {
  return `/api/v1/namespaces/${namespace}/services`
}

export function eventsPath(namespace: string): string {
  return `/api/v1/namespaces/${namespace}/events`
}

export function leasesPath(namespace: string): string {
  return `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`
}

export function leasePath({ namespace, name }: Named): string {
  return `${leasesPath(namespace)}/${name}`
}

/** One text for namespace and name. */
export function keyOf({ namespace, name }: Named): string {
  return `${namespace}/${name}`
}
