// ClusterEndpoints as tests need them: parsed by the real parsers, so that no test stands on a shape
// that the program never makes.

import {
  type ClusterEndpoint,
  parseClusterEndpoint,
  parseSpec,
} from '../../crds/clusterendpoint.ts'
import type { HostPolicy } from '../../crds/hosts.ts'
import type { Spec } from '../../crds/schema.ts'
import type { ObservedNames } from '../../crds/status.ts'
import { type Plan, planOf } from '../../crds/targets.ts'

/** What a real API server takes. */
export const strict: HostPolicy = { allowLoopback: false }

/** Of a resource that has no names among its hosts. */
export const noNames: ObservedNames = {
  total: 0,
  unasked: [],
  troubles: [],
  unresolved: [],
  leftOut: new Map(),
}

export const CEP_UID = '7f3c0c1e-0000-4000-8000-000000000001'

export function cepOf(
  spec: unknown = {},
  metadata: Readonly<Record<string, unknown>> = {},
): ClusterEndpoint {
  return parseClusterEndpoint({
    apiVersion: 'sealos.io/v1beta1',
    kind: 'ClusterEndpoint',
    metadata: { name: 'wordpress', namespace: 'default', uid: CEP_UID, generation: 1, ...metadata },
    spec,
  })
}

/** The spec as the program sees it; throws with the issues if it is refused. */
export function specOf(spec: unknown): Spec {
  const parsed = parseSpec({ ...cepOf(), spec })
  if (!parsed.ok) throw new Error(`unexpected issues: ${parsed.issues.join('; ')}`)
  return parsed.spec
}

/** Why the spec is refused; empty when it is not. */
export function issuesOf(spec: unknown): readonly string[] {
  const parsed = parseSpec({ ...cepOf(), spec })
  return parsed.ok ? [] : parsed.issues
}

export function planFor(spec: unknown, policy: HostPolicy = strict): Plan {
  return planOf(specOf(spec), policy)
}

/** The first of `items`; throws if there is none. */
export function only<T>(items: readonly T[]): T {
  const [first, second] = items
  if (first === undefined || second !== undefined) {
    throw new Error(`expected one, not ${items.length}: ${Bun.inspect(items)}`)
  }
  return first
}

/** A value on one short line, for the name of a test. */
export function inline(value: unknown): string {
  return Bun.inspect(value).replace(/\s+/g, ' ').slice(0, 40)
}
