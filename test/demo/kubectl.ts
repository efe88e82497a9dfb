// What `kubectl get cep,svc,ep NAME` prints, asked of the API server as kubectl asks it: for Tables.

import * as v from 'valibot'
import { clusterEndpointPath, publishedPath } from '../../k8s/paths.ts'
import type { Cluster } from './cluster.ts'
import { MAIN } from './plan.ts'

/** One resource's table: the header, then its rows. */
export type KubectlTable = readonly (readonly string[])[]

/** Source: kubectl, k8s.io/cli-runtime/pkg/resource (the header of a `kubectl get`). */
const ACCEPT = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'
const ANSWER_MAX_MS = 3_000

const tableSchema = v.object({
  columnDefinitions: v.array(v.object({ name: v.string(), priority: v.number() })),
  rows: v.nullish(v.array(v.object({ cells: v.array(v.unknown()) })), []),
})

/** The command that prints the same. */
export function getCommand({ isReal, namespace }: Cluster): string {
  return `kubectl get cep,svc,ep ${MAIN}${isReal ? ` -n ${namespace}` : ''}`
}

/** The tables of what stands there now; without those of what does not exist. */
export async function getTables(cluster: Cluster): Promise<readonly KubectlTable[]> {
  const named = { namespace: cluster.namespace, name: MAIN }
  const tables = await Promise.all([
    getTable(cluster, clusterEndpointPath(named), 'clusterendpoint.sealos.io'),
    getTable(cluster, publishedPath('services', named), 'service'),
    getTable(cluster, publishedPath('endpoints', named), 'endpoints'),
  ])
  return tables.filter((each) => each.length > 0)
}

async function getTable(cluster: Cluster, path: string, prefix: string): Promise<KubectlTable> {
  const answer = await cluster.get(path, ACCEPT, AbortSignal.timeout(ANSWER_MAX_MS))
  const text = await answer.text()
  if (!answer.ok) return []
  const { columnDefinitions, rows } = v.parse(tableSchema, JSON.parse(text))
  // kubectl shows the others with -o wide only.
  const shown = columnDefinitions.flatMap(({ priority }, index) => (priority === 0 ? [index] : []))
  const header = shown.map((index) => columnDefinitions[index]?.name.toUpperCase() ?? '')
  const body = (rows ?? []).map(({ cells }) =>
    shown.map((index) => `${index === 0 ? `${prefix}/` : ''}${cells[index] ?? ''}`),
  )
  return [header, ...body]
}
