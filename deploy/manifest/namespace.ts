// The namespace of the operator, where it has one of its own. Pure.

import type { Install } from './install.ts'
import { LABELS } from './labels.ts'
import type { Node } from './yaml.ts'

/**
 * A Namespace that holds its pods to the restricted Pod Security Standard. None for the namespaces
 * that every cluster has: they are full of others' pods, which the label would refuse.
 */
export function namespaces({ namespace }: Pick<Install, 'namespace'>): Node[] {
  if (namespace === 'default' || namespace.startsWith('kube-')) return []
  const labels = { ...LABELS, 'pod-security.kubernetes.io/enforce': 'restricted' }
  return [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } }]
}
