// A ClusterEndpoint out of a file, for commands that need no cluster.

import { readFileSync } from 'node:fs'
import * as v from 'valibot'
import { API_VERSION, type ClusterEndpoint, KIND } from '../crds/clusterendpoint.ts'
import { printable } from '../crds/printable.ts'
import { stringMap } from '../crds/string-map.ts'
import { messageOf } from '../k8s/errors.ts'
import { UsageError } from './flags.ts'

/** Bytes of a manifest at most. Source: etcd takes no object above 1.5 MB. */
const MANIFEST_BYTES_MAX = 4 * 1024 * 1024

const documentSchema = v.looseObject({
  apiVersion: v.optional(v.unknown()),
  kind: v.optional(v.unknown()),
  metadata: v.optional(
    v.looseObject({
      name: v.optional(v.string(), ''),
      namespace: v.optional(v.string(), 'default'),
      labels: v.nullish(stringMap, {}),
      annotations: v.nullish(stringMap, {}),
    }),
    {},
  ),
  spec: v.optional(v.unknown()),
})

/**
 * Reads the ClusterEndpoint in `path`, `-` for standard input, as YAML or JSON. Its spec is as it
 * stands there. Throws UsageError with one line that says what is wrong.
 */
export function readManifest(path: string): ClusterEndpoint {
  const what = path === '-' ? 'standard input' : `"${path}"`
  const parsed = v.safeParse(documentSchema, parseYaml(readText(path, what), what))
  if (!parsed.success) throw new UsageError(`Cannot use ${what} as it is no Kubernetes object`)
  const { apiVersion, kind, metadata, spec } = parsed.output
  if (kind !== KIND || apiVersion !== API_VERSION) {
    const found = printable(`${String(apiVersion)} ${String(kind)}`, 80)
    throw new UsageError(`Cannot use ${what} as it must be a ${API_VERSION} ${KIND}, not ${found}`)
  }
  const { name, namespace } = metadata
  const labels = metadata.labels ?? {}
  const annotations = metadata.annotations ?? {}
  const empty = { uid: '', resourceVersion: '', generation: 1, finalizers: [] }
  return { metadata: { name, namespace, labels, annotations, ...empty }, spec }
}

function readText(path: string, what: string): string {
  try {
    const bytes = readFileSync(path === '-' ? 0 : path)
    if (bytes.length > MANIFEST_BYTES_MAX) throw new Error('it is larger than 4 MiB')
    return bytes.toString('utf8')
  } catch (cause) {
    throw new UsageError(`Cannot read ${what}: ${messageOf(cause)}`)
  }
}

function parseYaml(text: string, what: string): unknown {
  let value: unknown
  try {
    value = Bun.YAML.parse(text)
  } catch (cause) {
    throw new UsageError(`Cannot read ${what}: ${messageOf(cause)}`)
  }
  if (!Array.isArray(value)) return value
  throw new UsageError(
    `Cannot use ${what} as it holds ${value.length} documents; give one at a time`,
  )
}
