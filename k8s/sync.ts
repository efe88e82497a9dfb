// One resource, brought up to date: what should stand against what stands, and the writes between.

import { type ClusterEndpoint, parseClusterEndpoint } from '../crds/clusterendpoint.ts'
import {
  type DesiredEndpoints,
  desiredEndpoints,
  endpointsDrift,
  type LiveEndpoints,
  readEndpoints,
} from '../crds/endpoints.ts'
import { controllerOf } from '../crds/metadata.ts'
import {
  CLUSTER_IP_DIFFERS,
  controllerRefusal,
  desiredService,
  type LiveService,
  leftoverPorts,
  type Refusal,
  readService,
  serviceDrift,
  serviceRefusal,
} from '../crds/service.ts'
import { type Status, type SyncState, statusOf } from '../crds/status.ts'
import type { ApiClient } from './client.ts'
import { ApiError, statusOfError } from './errors.ts'
import type { LiveCache } from './live.ts'
import type { Log } from './log.ts'
import { clusterEndpointPath, keyOf, type Named, type Published, publishedPath } from './paths.ts'
import type { Resource } from './resource.ts'
import type { Writer } from './writer.ts'

export type SyncContext = {
  readonly client: ApiClient
  readonly writer: Writer
  readonly services: LiveCache<LiveService>
  readonly endpoints: LiveCache<LiveEndpoints>
  readonly log: Log
  readonly signal: AbortSignal
}

/** How a sync ended: `refused` holds until somebody changes the world, `failed` may pass by itself. */
export type SyncResult = 'done' | 'refused' | 'failed' | 'gone'

type Standing = {
  readonly service: LiveService | undefined
  readonly endpoints: LiveEndpoints | undefined
}

/** Rounds of taking over and applying; the second is for objects whose fields nobody owned yet. */
const APPLY_ROUNDS_MAX = 3

/** What stands in the cluster of the two objects of `cep`, ours or not. */
export async function standingOf(context: SyncContext, cep: ClusterEndpoint): Promise<Standing> {
  const [service, endpoints] = await Promise.all([
    lookUp(context, 'services', cep, context.services, readService),
    lookUp(context, 'endpoints', cep, context.endpoints, readEndpoints),
  ])
  return { service, endpoints }
}

/**
 * Writes the Service and the Endpoints of `resource` where they differ from what they should be, and
 * notes in it how that went. Throws what may pass by itself: network errors, 429, 5xx.
 */
export async function syncObjects(
  context: SyncContext,
  cep: ClusterEndpoint,
  resource: Resource,
): Promise<SyncResult> {
  const wanted = desiredService(cep, resource.clusterIP, resource.plan.ports)
  const endpoints = desiredEndpoints(cep, resource.healthyTargets)
  const standing = await standingOf(context, cep)
  const isDeleted = !standing.service || !standing.endpoints
  if (isDeleted && resource.service?.ok && (await isGone(context, cep))) return 'gone'

  const refusal =
    (standing.service && serviceRefusal(cep, wanted, standing.service)) ??
    (standing.endpoints && controllerRefusal(cep, 'Endpoints', standing.endpoints.metadata))
  const isOurs =
    standing.service && controllerOf(standing.service.metadata)?.uid === cep.metadata.uid
  // Our own Service whose clusterIP the spec would now have another: all but that goes on.
  const isPartial = isOurs && refusal?.reason === CLUSTER_IP_DIFFERS
  if (refusal && !isPartial) {
    resource.service = refused(refusal)
    resource.endpoints = refused(refusal)
    return 'refused'
  }

  const service = isPartial ? desiredService(cep, '', resource.plan.ports) : wanted
  resource.service = await attempted(async () => {
    await syncService(context, service, standing.service)
  })
  if (!resource.service?.ok) return 'failed'
  if (refusal) resource.service = refused(refusal)
  resource.endpoints = await attempted(async () => {
    await syncEndpoints(context, endpoints, standing.endpoints)
  })
  if (!resource.endpoints?.ok) return 'failed'
  return refusal ? 'refused' : 'done'
}

/** The status that `resource` should have, given the one that stands. */
export function statusNow(
  context: Pick<SyncContext, 'services'>,
  resource: Resource,
  standing: Status | undefined,
): Status {
  const live = context.services.get(keyOf(resource.metadata))
  const hosts = [...resource.hosts].map(({ target, check }) => ({ target, health: check.health }))
  const observed = {
    generation: resource.metadata.generation,
    issues: resource.issues,
    hosts,
    refused: resource.plan.refused,
    ports: resource.plan.ports,
    clusterIP: live?.spec.clusterIP,
    service: resource.service,
    endpoints: resource.endpoints,
    isFirstRoundIn: resource.isFirstRoundIn,
  }
  return statusOf(observed, standing, Date.now())
}

/** From the cache if it is ours; else asked for, because a watch by label does not see what is not. */
async function lookUp<T extends LiveService | LiveEndpoints>(
  { client, signal }: SyncContext,
  plural: Published,
  { metadata }: ClusterEndpoint,
  cache: LiveCache<T>,
  read: (object: unknown) => T,
): Promise<T | undefined> {
  const known = cache.get(keyOf(metadata))
  if (known) return known
  try {
    const path = publishedPath(plural, metadata)
    return read(await client.request({ method: 'GET', path, signal }))
  } catch (error) {
    if (statusOfError(error) === 404) return undefined
    throw error
  }
}

/**
 * Whether the ClusterEndpoint was deleted, seen when what we published is missing: its garbage
 * collection may be told to us sooner than its end, and must not be repaired.
 */
async function isGone({ client, signal }: SyncContext, cep: ClusterEndpoint): Promise<boolean> {
  try {
    const path = clusterEndpointPath(cep.metadata)
    const { metadata } = parseClusterEndpoint(await client.request({ method: 'GET', path, signal }))
    return metadata.uid !== cep.metadata.uid || metadata.deletionTimestamp !== undefined
  } catch (error) {
    if (statusOfError(error) === 404) return true
    throw error
  }
}

async function syncService(
  context: SyncContext,
  desired: ReturnType<typeof desiredService>,
  standing: LiveService | undefined,
): Promise<void> {
  let live = standing
  for (let round = 0; round < APPLY_ROUNDS_MAX; round++) {
    const drift = live ? serviceDrift(desired, live) : ['missing']
    if (drift.length === 0) return
    const leftovers = live ? leftoverPorts(desired, live) : []
    logWrite(context, 'applying Service', desired, drift, { taken: leftovers.length || undefined })
    if (leftovers.length > 0) await context.writer.takePorts(desired.metadata, leftovers)
    live = readService(await context.writer.apply(desired))
    context.services.set(live)
  }
  throw new ApiError(409, 'Conflict', 'Cannot remove ports that another manager keeps putting back')
}

async function syncEndpoints(
  context: SyncContext,
  desired: DesiredEndpoints,
  live: LiveEndpoints | undefined,
): Promise<void> {
  const drift = live ? endpointsDrift(desired, live) : ['missing']
  if (drift.length === 0) return
  const addresses = desired.subsets.reduce((sum, subset) => sum + subset.addresses.length, 0)
  logWrite(context, 'applying Endpoints', desired, drift, { addresses })
  context.endpoints.set(readEndpoints(await context.writer.apply(desired)))
}

function logWrite(
  { log }: SyncContext,
  message: string,
  { metadata: { namespace, name } }: { readonly metadata: Named },
  drift: readonly string[],
  more: Readonly<Record<string, number | undefined>>,
): void {
  log.info(message, { namespace, name, because: drift.join(), ...more })
}

function refused({ reason, message }: Refusal): SyncState {
  return { ok: false, reason, message }
}

/** Runs a write; an answer that blames what was asked for becomes a state, all else is thrown. */
async function attempted(write: () => Promise<void>): Promise<SyncState> {
  try {
    await write()
    return { ok: true }
  } catch (error) {
    if (!(error instanceof ApiError) || isPassing(error)) throw error
    return { ok: false, reason: error.reason || 'ApplyFailed', message: error.message }
  }
}

function isPassing({ status }: ApiError): boolean {
  return status === 401 || status === 409 || status === 429 || status >= 500
}
