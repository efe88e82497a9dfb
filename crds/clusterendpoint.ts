// The custom resource as it comes from the API server or a file: its names, and its one way in.

import * as v from 'valibot'
import { printable } from './printable.ts'
import { type Spec, specSchema } from './schema.ts'
import { stringMap } from './string-map.ts'

export const GROUP = 'sealos.io'
export const VERSION = 'v1beta1'
export const KIND = 'ClusterEndpoint'
export const PLURAL = 'clusterendpoints'
export const API_VERSION = `${GROUP}/${VERSION}`

/** Characters of one issue, and how many issues are told: status must stay readable and bounded. */
const ISSUE_LENGTH_MAX = 256
const ISSUES_MAX = 10

/** Source: RFC 1035 label, the rule for Service names, which a ClusterEndpoint lends its own. */
const SERVICE_NAME = /^[a-z]([-a-z0-9]*[a-z0-9])?$/
const SERVICE_NAME_LENGTH_MAX = 63

const metadataSchema = v.object({
  name: v.string(),
  namespace: v.string(),
  uid: v.string(),
  resourceVersion: v.optional(v.string(), ''),
  generation: v.optional(v.number(), 0),
  labels: v.optional(stringMap, {}),
  annotations: v.optional(stringMap, {}),
  finalizers: v.optional(v.array(v.string()), []),
  deletionTimestamp: v.optional(v.string()),
})

const clusterEndpointSchema = v.object({
  metadata: metadataSchema,
  spec: v.optional(v.unknown()),
  status: v.optional(v.unknown()),
})

/** A ClusterEndpoint: metadata checked, spec and status still as they came. */
export type ClusterEndpoint = v.InferOutput<typeof clusterEndpointSchema>

/** `issues` are complete sentences that begin with the path, fit for a condition. */
export type ParsedSpec =
  | { readonly ok: true; readonly spec: Spec }
  | { readonly ok: false; readonly issues: readonly string[] }

/** Reads the envelope of a ClusterEndpoint. Throws v.ValiError if it is none (an API server never sends one). */
export function parseClusterEndpoint(value: unknown): ClusterEndpoint {
  return v.parse(clusterEndpointSchema, value)
}

/** Reads the spec: with its defaults filled, or every reason why it cannot be used. */
export function parseSpec({ metadata, spec }: ClusterEndpoint): ParsedSpec {
  const parsed = v.safeParse(specSchema, spec)
  const issues = (parsed.issues ?? []).map((issue) => tell(v.getDotPath(issue), issue.message))
  const { name } = metadata
  if (name.length > SERVICE_NAME_LENGTH_MAX || !SERVICE_NAME.test(name)) {
    issues.unshift(
      'metadata.name: Cannot be the name of a Service: use at most 63 lower case letters, digits and dashes, beginning with a letter',
    )
  }
  if (parsed.success && issues.length === 0) return { ok: true, spec: parsed.output }
  return { ok: false, issues: bounded(issues) }
}

/** `ports.0.port` and a message become `spec.ports[0].port: message`. */
function tell(dotPath: string | null, message: string): string {
  const path = dotPath === null ? '' : `.${dotPath.replace(/\.(\d+)(?=\.|$)/g, '[$1]')}`
  return printable(`spec${path}: ${message}`, ISSUE_LENGTH_MAX)
}

function bounded(issues: readonly string[]): string[] {
  if (issues.length <= ISSUES_MAX) return [...issues]
  const more = issues.length - (ISSUES_MAX - 1)
  return [...issues.slice(0, ISSUES_MAX - 1), `and ${more} more`]
}
