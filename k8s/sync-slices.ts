// The EndpointSlices of one resource, brought up to date; and the copies that kube-controller-manager
// makes of Endpoints, looked at.

import * as v from 'valibot'
import type { ClusterEndpoint } from '../crds/clusterendpoint.ts'
import { isPublished } from '../crds/endpoints.ts'
import { controllerOf } from '../crds/metadata.ts'
import { controllerRefusal, type Refusal } from '../crds/service.ts'
import {
  type DesiredSlice,
  type LiveSlice,
  publishedBy,
  readSlice,
  SERVICE_NAME_LABEL,
  SLICE_MANAGER_LABEL,
  sliceDrift,
} from '../crds/slices.ts'
import type { HostTarget } from '../crds/targets.ts'
import { logWrite, type WriteContext } from './attempt.ts'
import type { ApiClient } from './client.ts'
import { lookAt } from './find.ts'
import { slicePath, slicesPath } from './paths.ts'
import type { Slices } from './slices.ts'

export type SliceContext = WriteContext & {
  readonly client: ApiClient
  readonly slices: Pick<Slices, 'apiVersion' | 'of' | 'learn'>
  readonly signal: AbortSignal
}

/** Source: kubernetes pkg/controller/endpointslicemirroring: the value of the managed-by label. */
const MIRRORING_MANAGER = 'endpointslicemirroring-controller.k8s.io'

type Wanted = {
  readonly desired: readonly DesiredSlice[]
  readonly standing: readonly LiveSlice[]
  /** Whether something was refused before: then it is looked for first, and not tried each time. */
  readonly wasRefused: boolean
}

/**
 * Applies the slices that differ, then deletes those that hold nobody any more. Returns why one of
 * them may not be written: the others are.
 */
export async function syncSlices(
  context: SliceContext,
  cep: ClusterEndpoint,
  { desired, standing, wasRefused }: Wanted,
): Promise<Refusal | undefined> {
  const left = new Map(standing.map((slice) => [slice.metadata.name, slice]))
  let refusal: Refusal | undefined
  for (const slice of desired) {
    const { name } = slice.metadata
    const live = left.get(name)
    left.delete(name)
    const drift = live ? sliceDrift(slice, live) : ['missing']
    if (drift.length === 0) continue
    const known = !live && wasRefused ? await refusalOf(context, cep, slice) : undefined
    refusal ??= known
    if (known) continue
    const { endpoints } = slice
    logWrite(context, 'applying EndpointSlice', slice, drift, { endpoints: endpoints.length })
    const taken = await (live ? renew(context, slice) : create(context, cep, slice))
    refusal ??= taken
  }
  // One that is taken stands in for one of ours that may be in use.
  if (!refusal) await deleteSlices(context, [...left.values()])
  return refusal
}

/** Deletes slices of ours. */
export async function deleteSlices(
  context: SliceContext,
  slices: readonly LiveSlice[],
): Promise<void> {
  const apiVersion = context.slices.apiVersion()
  if (!apiVersion) return
  for (const slice of slices) {
    logWrite(context, 'deleting EndpointSlice', slice, ['unused'], {})
    await context.writer.remove(slicePath(apiVersion, slice.metadata), slice.metadata.uid)
  }
}

const listSchema = v.object({ items: v.nullish(v.array(v.unknown()), []) })

/** Whether kube-controller-manager's copies send to all of `healthy`. */
export async function hasCopies(
  { client, slices, signal }: SliceContext,
  { metadata: { namespace, name } }: ClusterEndpoint,
  healthy: readonly HostTarget[],
): Promise<boolean> {
  const apiVersion = slices.apiVersion()
  if (!apiVersion) return false
  const path = slicesPath(apiVersion, namespace)
  const labelSelector = `${SERVICE_NAME_LABEL}=${name},${SLICE_MANAGER_LABEL}=${MIRRORING_MANAGER}`
  const answer = await client.request({ method: 'GET', path, query: { labelSelector }, signal })
  const published = publishedBy(v.parse(listSchema, answer).items.map(readSlice))
  return healthy.every((target) => isPublished({ published }, target))
}

/** Writes a slice that is not known to be there, unless another one has its name: returns why not. */
async function create(
  context: SliceContext,
  cep: ClusterEndpoint,
  slice: DesiredSlice,
): Promise<Refusal | undefined> {
  const created = await context.writer.create(slice)
  if (created) {
    context.slices.learn(created)
    return undefined
  }
  return (await refusalOf(context, cep, slice)) ?? (await renew(context, slice))
}

/** Writes a slice of ours that is there. */
async function renew(context: SliceContext, slice: DesiredSlice): Promise<undefined> {
  context.slices.learn(await context.writer.apply(slice))
}

/** Why a slice that we do not know to be there must not be applied: another one may have its name. */
async function refusalOf(
  { client, signal }: SliceContext,
  cep: ClusterEndpoint,
  { apiVersion, metadata }: DesiredSlice,
): Promise<Refusal | undefined> {
  const live = await lookAt({ client, signal }, slicePath(apiVersion, metadata), readSlice)
  // One of ours that was robbed of its label is put right.
  if (!live || controllerOf(live.metadata)?.uid === cep.metadata.uid) return undefined
  return (
    controllerRefusal(cep, 'EndpointSlice', live.metadata) ?? {
      reason: 'ControlledByOther',
      message: `Cannot write EndpointSlice "${metadata.name}" as somebody else made one of that name; delete it if nobody needs it`,
    }
  )
}
