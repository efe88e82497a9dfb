// The addresses of one resource, brought to clients: as Endpoints, as EndpointSlices, or both.
//
// kube-controller-manager copies Endpoints into slices of its own, unless a label keeps it from that.
// Proxies read slices only, the copies and ours alike. So that no address that answers is missing from
// them for a moment, nor stands in two sets that disagree for longer than a write takes, the steps are
//
//   both        our slices; once all stand, Endpoints with the label, and the copies go
//   slices      our slices; once all stand, the Endpoints are deleted, and the copies go
//   endpoints   our slices while there are any; Endpoints without the label; once the copies stand, ours go
//
// from whatever stood before. What is there already costs no write, so these are also the steps at rest.

import type { ClusterEndpoint } from '../crds/clusterendpoint.ts'
import {
  desiredEndpoints,
  endpointsDrift,
  isMirrored,
  type LiveEndpoints,
} from '../crds/endpoints.ts'
import { familiesOf, familyOf, primaryFamily } from '../crds/families.ts'
import { controllerOf } from '../crds/metadata.ts'
import type { LiveService } from '../crds/service.ts'
import {
  type DesiredSlice,
  desiredSlices,
  type LiveSlice,
  type SliceApiVersion,
} from '../crds/slices.ts'
import type { SyncState } from '../crds/status.ts'
import type { HostTarget } from '../crds/targets.ts'
import { attempted, logWrite } from './attempt.ts'
import type { LiveCache } from './live.ts'
import { publishedPath } from './paths.ts'
import { type Publishing, type PublishWish, publishingOf } from './publishing.ts'
import type { Resource } from './resource.ts'
import { deleteSlices, hasCopies, type SliceContext, syncSlices } from './sync-slices.ts'

/** Milliseconds to wait for the copies at most: where nobody makes any, the user has asked for none. */
const COPIES_WAIT_MAX_MS = 30_000

export type PublishContext = SliceContext & {
  readonly endpoints: LiveCache<LiveEndpoints>
  readonly publish: PublishWish
}

/** What is to be published of a resource, and what of its slices stands. */
export type Publication = {
  readonly publishing: Publishing
  readonly standing: readonly LiveSlice[]
  readonly desired: readonly DesiredSlice[]
  /** The version of the slices; undefined where there are none. */
  readonly apiVersion: SliceApiVersion | undefined
}

export function publicationOf(
  context: PublishContext,
  cep: ClusterEndpoint,
  resource: Resource,
): Publication {
  const apiVersion = context.slices.apiVersion()
  const publishing = publishingOf(context.publish, apiVersion)
  const standing = context.slices.of(cep.metadata).filter(({ metadata }) => {
    const controller = controllerOf(metadata)
    return !controller || controller.uid === cep.metadata.uid
  })
  const hosts = [...resource.hosts].map(({ target, check }) => ({
    target,
    isHealthy: check.health.verdict === 'healthy',
  }))
  const isWanted = publishing !== 'endpoints' || standing.length > 0
  const desired = isWanted && apiVersion ? desiredSlices(cep, apiVersion, hosts, standing) : []
  return { publishing, standing, desired, apiVersion }
}

/** Whether something of it is missing that once stood, if it was ever published. */
export function isIncomplete(
  { publishing, desired, standing }: Publication,
  endpoints: LiveEndpoints | undefined,
): boolean {
  const names = new Set(standing.map(({ metadata: { name } }) => name))
  const hasAllSlices = desired.every(({ metadata: { name } }) => names.has(name))
  return !hasAllSlices || (publishing !== 'slices' && !endpoints)
}

/** How the publishing of a resource ended; `isUnfinished`: it goes on in a moment. */
export type Published = { readonly state: SyncState; readonly isUnfinished: boolean }

/** Writes what differs. `live`: Endpoints that stand. Throws what may pass by itself. */
export async function publish(
  context: PublishContext,
  cep: ClusterEndpoint,
  resource: Resource,
  publication: Publication & {
    readonly live: LiveEndpoints | undefined
    readonly service: LiveService | undefined
  },
): Promise<Published> {
  const { publishing, live, service, standing } = publication
  // Whatever keeps slices from being written must not keep Endpoints.
  const [written] = await Promise.allSettled([
    attempted(async () => {
      const wasRefused = resource.endpoints?.ok === false
      return await syncSlices(context, cep, { ...publication, wasRefused })
    }),
  ])
  const slices = written.status === 'fulfilled' ? written.value : undefined
  const areSliced = publishing !== 'endpoints' && slices?.ok === true
  const endpoints = await attempted(async () => {
    if (publishing === 'slices' && areSliced) return await deleteEndpoints(context, live)
    // Never made for slices alone; kept true for as long as they stand.
    if (publishing === 'slices' && !live) return
    const mirrors = publishing === 'endpoints' || !(areSliced || (live && !isMirrored(live)))
    const targets = mirrors ? resource.healthyTargets : ofPrimaryFamily(resource, service)
    await syncEndpoints(context, cep, { targets, isMirrored: mirrors, live })
  })
  if (written.status === 'rejected') throw written.reason
  const state = slices?.ok === false ? slices : endpoints
  if (publishing !== 'endpoints' || standing.length === 0 || !state?.ok) {
    resource.copiesAwaitedMs = undefined
    return { state, isUnfinished: false }
  }
  return { state, isUnfinished: !(await retireSlices(context, cep, resource, publication)) }
}

/** Deletes our slices once the copies of the Endpoints stand; returns whether that is done. */
async function retireSlices(
  context: PublishContext,
  cep: ClusterEndpoint,
  resource: Resource,
  { standing }: Publication,
): Promise<boolean> {
  resource.copiesAwaitedMs ??= performance.now()
  const waitedMs = performance.now() - resource.copiesAwaitedMs
  const { namespace, name } = cep.metadata
  if (!(await hasCopies(context, cep, resource.healthyTargets))) {
    if (waitedMs < COPIES_WAIT_MAX_MS) return false
    context.log.warn('removing EndpointSlices though not every address was copied from Endpoints', {
      namespace,
      name,
    })
  }
  await deleteSlices(context, standing)
  resource.copiesAwaitedMs = undefined
  return true
}

/** Readers of Endpoints know one family: of a resource with both, the Service's primary one. */
function ofPrimaryFamily(resource: Resource, service: LiveService | undefined): HostTarget[] {
  const families = familiesOf(resource.plan.targets)
  const primary = primaryFamily(service?.spec, families)
  // Hosts of another family alone are better than none, as ever.
  if (!families.some((family) => family === primary)) return resource.healthyTargets
  return resource.healthyTargets.filter(({ host }) => familyOf(host) === primary)
}

async function syncEndpoints(
  context: PublishContext,
  cep: ClusterEndpoint,
  wanted: {
    readonly targets: readonly HostTarget[]
    readonly isMirrored: boolean
    readonly live: LiveEndpoints | undefined
  },
): Promise<void> {
  const desired = desiredEndpoints(cep, wanted.targets, wanted.isMirrored)
  const drift = wanted.live ? endpointsDrift(desired, wanted.live) : ['missing']
  if (drift.length === 0) return
  const addresses = desired.subsets.reduce((sum, subset) => sum + subset.addresses.length, 0)
  logWrite(context, 'applying Endpoints', desired, drift, { addresses })
  context.endpoints.learn(await context.writer.apply(desired))
}

async function deleteEndpoints(
  context: PublishContext,
  live: LiveEndpoints | undefined,
): Promise<undefined> {
  if (!live) return
  logWrite(context, 'deleting Endpoints', live, ['slices'], {})
  await context.writer.remove(publishedPath('endpoints', live.metadata), live.metadata.uid)
}
