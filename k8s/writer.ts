// Every write to the API server: apply, status, finalizers, ownership. One place, so that what may be
// written, and whether we still may write at all, is decided once.

import * as v from 'valibot'
import type { DesiredEndpoints } from '../crds/endpoints.ts'
import { FIELD_MANAGER } from '../crds/metadata.ts'
import { takeItems } from '../crds/ownership.ts'
import { type DesiredService, PORTS_PATH } from '../crds/service.ts'
import type { DesiredSlice } from '../crds/slices.ts'
import type { Status } from '../crds/status.ts'
import type { ApiClient } from './client.ts'
import { NetworkError, statusOfError } from './errors.ts'
import { clusterEndpointPath, eventsPath, type Named, publishedPath, slicePath } from './paths.ts'

export type Writer = {
  /** Applies what we publish, taking what others own of its fields; returns it as it now stands. */
  readonly apply: (desired: DesiredService | DesiredEndpoints | DesiredSlice) => Promise<unknown>
  /**
   * Applies what is not known to be there, and touches nothing that is: then it returns undefined. Not
   * for Services, of which an API server before 1.24 says that it broke.
   */
  readonly create: (desired: DesiredSlice) => Promise<unknown>
  /** Deletes the object at `path`, provided that it still is the one with this uid. That there is none is fine. */
  readonly remove: (path: string, uid: string) => Promise<void>
  /** Makes ports of a live Service ours alone, so that the next apply removes them. */
  readonly takePorts: (named: Named, portKeys: readonly string[]) => Promise<void>
  /** Replaces the status; returns the ClusterEndpoint as it now stands. */
  readonly patchStatus: (named: Named, status: Status) => Promise<unknown>
  /** Replaces the finalizers, provided that nobody changed the object since `resourceVersion`. */
  readonly setFinalizers: (
    named: Named & { readonly resourceVersion: string },
    finalizers: readonly string[],
  ) => Promise<unknown>
  readonly postEvent: (namespace: string, event: unknown) => Promise<unknown>
  readonly patchEvent: (named: Named, patch: unknown) => Promise<unknown>
}

/**
 * A version that no object has, so that an apply which asks for it conflicts with all that is there, and
 * creates what is not. Source: kubernetes/kubernetes issue 106745; kube-apiserver 1.20.2 and 1.36.2 do it.
 */
const OF_NOTHING = '1'

const managedFieldsSchema = v.object({
  metadata: v.object({
    resourceVersion: v.string(),
    managedFields: v.nullish(v.array(v.unknown()), []),
  }),
})

/** When one may write: until `signal` aborts, and only while `mayWrite` says so right before a write. */
export type Permit = { readonly signal: AbortSignal; readonly mayWrite: () => boolean }

/** A writer that keeps to `permit`; what is under way when its signal aborts is cut off. */
export function createWriter(client: ApiClient, { signal, mayWrite }: Permit): Writer {
  function assertPermitted(): void {
    signal.throwIfAborted()
    if (!mayWrite()) throw new NetworkError('Cannot write as the lease was not renewed in time')
  }

  async function apply(desired: DesiredService | DesiredEndpoints | DesiredSlice) {
    const query = { fieldManager: FIELD_MANAGER, force: 'true' }
    return await patch(pathOf(desired), 'apply-patch+yaml', desired, query)
  }

  async function patch(path: string, kind: string, body: unknown, query = {}): Promise<unknown> {
    const contentType = `application/${kind}`
    const request = { method: 'PATCH', path, query, body, contentType } as const
    return await client.request({ ...request, signal, assertPermitted })
  }

  return {
    apply,
    create: async (desired) => {
      const metadata = { ...desired.metadata, resourceVersion: OF_NOTHING }
      try {
        return await apply({ ...desired, metadata })
      } catch (error) {
        if (statusOfError(error) !== 409) throw error
        return undefined
      }
    },
    remove: async (path, uid) => {
      const request = { method: 'DELETE', path, body: { preconditions: { uid } } } as const
      try {
        await client.request({ ...request, signal, assertPermitted })
      } catch (error) {
        if (statusOfError(error) !== 404) throw error
      }
    },
    takePorts: async (named, portKeys) => {
      const path = publishedPath('services', named)
      const live = await client.request({ method: 'GET', path, signal })
      const { resourceVersion, managedFields } = v.parse(managedFieldsSchema, live).metadata
      const value = takeItems(managedFields, FIELD_MANAGER, PORTS_PATH, portKeys)
      await patch(path, 'json-patch+json', [
        { op: 'replace', path: '/metadata/managedFields', value },
        // Refused with 409 if somebody was faster.
        { op: 'replace', path: '/metadata/resourceVersion', value: resourceVersion },
      ])
    },
    patchStatus: async (named, status) =>
      await patch(
        `${clusterEndpointPath(named)}/status`,
        'merge-patch+json',
        { status: withNulls(status) },
        { fieldManager: FIELD_MANAGER },
      ),
    setFinalizers: async ({ resourceVersion, ...named }, finalizers) =>
      await patch(
        clusterEndpointPath(named),
        'merge-patch+json',
        { metadata: { finalizers, resourceVersion } },
        { fieldManager: FIELD_MANAGER },
      ),
    postEvent: async (namespace, body) => {
      const request = { method: 'POST', path: eventsPath(namespace), body } as const
      return await client.request({ ...request, signal, assertPermitted })
    },
    patchEvent: async ({ namespace, name }, body) =>
      await patch(`${eventsPath(namespace)}/${name}`, 'merge-patch+json', body),
  }
}

/** `writer`, which tells of each apply that has succeeded. */
export function notingApplies(writer: Writer, onApplied: () => void): Writer {
  return {
    ...writer,
    apply: async (desired) => {
      const live = await writer.apply(desired)
      onApplied()
      return live
    },
  }
}

function pathOf(desired: DesiredService | DesiredEndpoints | DesiredSlice): string {
  switch (desired.kind) {
    case 'Service':
      return publishedPath('services', desired.metadata)
    case 'Endpoints':
      return publishedPath('endpoints', desired.metadata)
    case 'EndpointSlice':
      return slicePath(desired.apiVersion, desired.metadata)
  }
}

/** In a merge patch, what is absent stays: optional fields that are not there are removed by null. */
function withNulls(status: Status): Record<string, unknown> {
  return { clusterIP: null, hostsOmitted: null, ...status }
}
