// Services and Endpoints named `db` as others make them.

import type { KubeObject } from '../objects.ts'

export type Made = { readonly kind: string; readonly metadata: { readonly name: string } }

export function serviceOf(
  ports: readonly unknown[],
  spec: Readonly<{ [field: string]: unknown }> = {},
) {
  const metadata = { name: 'db' }
  return { apiVersion: 'v1', kind: 'Service', metadata, spec: { ...spec, ports } }
}

export function endpointsOf(hosts: readonly string[], port: number) {
  const ports = [
    { name: 'old', protocol: 'TCP', port: 81 },
    { name: 'keep', protocol: 'TCP', port },
  ]
  const subsets = [{ addresses: hosts.map((ip) => ({ ip })), ports }]
  return { apiVersion: 'v1', kind: 'Endpoints', metadata: { name: 'db' }, subsets }
}

/** `object` with the namespace itself as its controller: something that exists. */
export function ownedBy<T extends Made>({ metadata: { name, uid } }: KubeObject, object: T) {
  const owner = { apiVersion: 'v1', kind: 'Namespace', name, uid, controller: true }
  return { ...object, metadata: { ...object.metadata, ownerReferences: [owner] } }
}
