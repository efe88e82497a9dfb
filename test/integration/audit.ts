// The audit log of a real API server: its own record of who wrote what. Its request counters know no
// user agent, so they cannot tell the operator's writes from those of a test or a controller.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import type { Write } from './world.ts'

const POLICY = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
  - level: Metadata
    verbs: [create, update, patch, delete, deletecollection]
  - level: None
`

/** Flags that make an API server log every write to `logPath` before it answers it. */
export function auditFlags(folder: string, logPath: string): string[] {
  const policyPath = join(folder, 'audit-policy.yaml')
  writeFileSync(policyPath, POLICY)
  return [
    `--audit-policy-file=${policyPath}`,
    `--audit-log-path=${logPath}`,
    '--audit-log-mode=blocking-strict',
    '--audit-log-format=json',
  ]
}

const lineSchema = v.object({
  verb: v.string(),
  userAgent: v.optional(v.string(), ''),
  objectRef: v.optional(
    v.object({
      resource: v.optional(v.string(), ''),
      subresource: v.optional(v.string(), ''),
      namespace: v.optional(v.string(), ''),
      name: v.optional(v.string(), ''),
    }),
    {},
  ),
  responseStatus: v.optional(v.object({ code: v.optional(v.number(), 0) }), {}),
})

/** The writes of the operator in the text of an audit log, but for those to its lease. */
export function writesIn(log: string): Write[] {
  const lines = log.split('\n').slice(0, -1)
  return lines.flatMap((line) => {
    if (!line.includes('"userAgent":"endpoints-operator/')) return []
    const { verb, objectRef, responseStatus } = v.parse(lineSchema, JSON.parse(line))
    const { resource, subresource, namespace, name } = objectRef
    if (resource === 'leases') return []
    return [
      {
        verb,
        resource: subresource === '' ? resource : `${resource}/${subresource}`,
        namespace,
        name,
        status: responseStatus.code,
      },
    ]
  })
}
