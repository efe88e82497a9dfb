// What the demo puts into a cluster, and takes out of it again.

import { readFileSync } from 'node:fs'
import * as v from 'valibot'
import { pause } from '../../k8s/backoff.ts'
import type { ApiClient } from '../../k8s/client.ts'
import { ApiError, statusOfError } from '../../k8s/errors.ts'
import { CLUSTER_ENDPOINTS, clusterEndpointPath } from '../../k8s/paths.ts'
import type { Cluster } from './cluster.ts'
import { DemoFailed } from './failure.ts'
import type { ClusterEndpoint } from './plan.ts'

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const CRD_FILE = new URL('../../crds/clusterendpoints.yaml', import.meta.url)
/** Milliseconds from the creation of a CRD until it is served. */
const SERVED_MAX_MS = 10_000
/** Milliseconds for a namespace to go. */
const GONE_MAX_MS = 10_000
const POLL_MS = 100
/** Writes under way at once. */
const AT_ONCE = 10

/** Makes sure that the CRD is there and served. Returns whether it was missing. */
export async function ensureCrd({ client }: Cluster, signal: AbortSignal): Promise<boolean> {
  if (await exists(client, CLUSTER_ENDPOINTS)) return false
  const crd = Bun.YAML.parse(readFileSync(CRD_FILE, 'utf8'))
  await client.request({ method: 'POST', path: CRDS, body: crd, signal })
  const deadlineMs = performance.now() + SERVED_MAX_MS
  while (!(await exists(client, CLUSTER_ENDPOINTS))) {
    if (performance.now() > deadlineMs) {
      throw new DemoFailed('The CRD was created, but the API server does not serve it')
    }
    await pause(POLL_MS, signal)
    signal.throwIfAborted()
  }
  return true
}

const listSchema = v.object({ items: v.nullish(v.array(v.unknown()), []) })

/**
 * Throws when ClusterEndpoints stand in the cluster already: the demo's operator would look after them
 * too, from this machine, which may not reach their hosts.
 */
export async function refuseOthers({ client, kubeconfig }: Cluster): Promise<void> {
  const answer = await client.request({ method: 'GET', path: CLUSTER_ENDPOINTS })
  const count = v.parse(listSchema, answer).items?.length ?? 0
  if (count === 0) return
  throw new DemoFailed(
    `Cannot run the demo in the cluster of ${kubeconfig} as it has ${count} ClusterEndpoints already, and the demo's operator would probe their hosts from this machine`,
  )
}

/** Creates the namespace. Throws when it is there: what is in it is not ours. */
export async function createNamespace({ client, namespace }: Cluster): Promise<void> {
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }
  try {
    await client.request({ method: 'POST', path: '/api/v1/namespaces', body })
  } catch (error) {
    if (statusOfError(error) !== 409) throw error
    throw new DemoFailed(
      `Cannot use namespace "${namespace}" as it exists already: remove it by kubectl delete namespace ${namespace}`,
    )
  }
}

/** Applies the ClusterEndpoints, a few at once. */
export async function applyAll(
  { client, namespace }: Cluster,
  resources: readonly ClusterEndpoint[],
  signal: AbortSignal,
): Promise<void> {
  for (let start = 0; start < resources.length; start += AT_ONCE) {
    const some = resources.slice(start, start + AT_ONCE).map((body) =>
      client.request({
        method: 'PATCH',
        path: clusterEndpointPath({ namespace, name: body.metadata.name }),
        query: { fieldManager: 'endpoints-operator-demo' },
        contentType: 'application/apply-patch+yaml',
        body,
        signal,
      }),
    )
    await Promise.all(some)
  }
}

/** Removes the namespace with all that is in it. Returns whether it is gone. */
export async function removeNamespace({ client, namespace }: Cluster): Promise<boolean> {
  const path = `/api/v1/namespaces/${namespace}`
  await client.request({ method: 'DELETE', path })
  const deadlineMs = performance.now() + GONE_MAX_MS
  while (performance.now() < deadlineMs) {
    if (!(await exists(client, path))) return true
    await Bun.sleep(POLL_MS)
  }
  return false
}

async function exists(client: ApiClient, path: string): Promise<boolean> {
  try {
    await client.request({ method: 'GET', path })
    return true
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return false
    throw error
  }
}
