// One resource, brought up to date: what should stand against what stands, and the writes between.

import { type ClusterEndpoint, parseClusterEndpoint } from '../crds/clusterendpoint.ts'
import { type LiveEndpoints, type PublishedAddresses, readEndpoints } from '../crds/endpoints.ts'
import { familiesOf, serviceFamilies, wishedFamilies } from '../crds/families.ts'
import { controllerOf } from '../crds/metadata.ts'
import {
  controllerRefusal,
  type DesiredService,
  desiredService,
  isPartial,
  type LiveService,
  leftoverPorts,
  readService,
  serviceDrift,
  serviceRefusal,
} from '../crds/service.ts'
import { publishedBy } from '../crds/slices.ts'
import type { Status } from '../crds/status.ts'
import { statusOf } from '../crds/status-of.ts'
import { attempted, logWrite, refused } from './attempt.ts'
import { ApiError } from './errors.ts'
import { lookAt } from './find.ts'
import type { LiveCache } from './live.ts'
import { clusterEndpointPath, keyOf, type Published, publishedPath } from './paths.ts'
import { isIncomplete, type PublishContext, publicationOf, publish } from './publish.ts'
import { carriersOf, publishingOf } from './publishing.ts'
import type { Resource } from './resource.ts'

export type SyncContext = PublishContext & { readonly services: LiveCache<LiveService> }

/**
 * How a sync ended: `refused` holds until somebody changes the world, `failed` may pass by itself, and
 * `unfinished` goes on in a moment.
 */
export type SyncResult = 'done' | 'refused' | 'failed' | 'gone' | 'unfinished'

type Standing = {
  readonly service: LiveService | undefined
  readonly endpoints: LiveEndpoints | undefined
}

/** Rounds of taking over and applying; the second is for objects whose fields nobody owned yet. */
const APPLY_ROUNDS_MAX = 3

/** The Service of the name of `cep` that stands in the cluster, ours or not. */
export async function standingService(
  context: SyncContext,
  cep: ClusterEndpoint,
): Promise<LiveService | undefined> {
  return await lookUp(context, 'services', cep, context.services, readService)
}

/** The Endpoints of the name of `cep` that stand in the cluster, ours or not. */
export async function standingEndpoints(
  context: SyncContext,
  cep: ClusterEndpoint,
): Promise<LiveEndpoints | undefined> {
  return await lookUp(context, 'endpoints', cep, context.endpoints, readEndpoints)
}

/**
 * All that clients are sent to now, by Endpoints or by our slices; undefined where there are neither.
 * Worked out when it is asked for.
 */
export function publishedNow(
  { slices }: Pick<SyncContext, 'slices'>,
  cep: ClusterEndpoint,
  endpoints: LiveEndpoints | undefined,
): PublishedAddresses | undefined {
  if (!endpoints && slices.of(cep.metadata).length === 0) return undefined
  let known: ReadonlySet<string> | undefined
  return {
    get published() {
      known ??= publishedBy(slices.of(cep.metadata)).union(
        endpoints?.published ?? new Set<string>(),
      )
      return known
    },
  }
}

/**
 * Writes the Service, the Endpoints and the slices of `resource` where they differ from what they
 * should be, and notes in it how that went. Throws what may pass by itself: network errors, 429, 5xx.
 */
export async function syncObjects(
  context: SyncContext,
  cep: ClusterEndpoint,
  resource: Resource,
): Promise<SyncResult> {
  const standing = await standingOf(context, cep, resource)
  const { asked, plan } = resource
  const hosts = familiesOf(plan.targets)
  const families = wishedFamilies(asked.families, hosts, standing.service?.spec)
  const wanted = desiredService(cep, asked.clusterIP, plan.ports, families)
  const publication = publicationOf(context, cep, resource)
  const isDeleted = !standing.service || isIncomplete(publication, standing.endpoints)
  if (isDeleted && resource.service?.ok && (await isGone(context, cep))) return 'gone'

  const refusal =
    (standing.service && serviceRefusal(cep, wanted, standing.service)) ??
    (standing.endpoints && controllerRefusal(cep, 'Endpoints', standing.endpoints.metadata))
  const isOurs =
    standing.service && controllerOf(standing.service.metadata)?.uid === cep.metadata.uid
  // Our own Service of which the spec would now have something else that cannot be changed.
  const goesOn = isOurs && refusal && isPartial(refusal)
  if (refusal && !goesOn) {
    resource.service = refused(refusal)
    resource.endpoints = refused(refusal)
    return 'refused'
  }

  const service = goesOn ? withoutImmutable(wanted, standing.service) : wanted
  resource.service = await attempted(async () => {
    await syncService(context, service, standing.service)
    return undefined
  })
  if (!resource.service?.ok) return 'failed'
  if (refusal) resource.service = refused(refusal)
  const live = context.services.get(keyOf(cep.metadata))
  const isOther = live !== undefined && resource.noteFamilies(serviceFamilies(live.spec))
  const { state, isUnfinished } = await publish(context, cep, resource, {
    ...(isOther ? publicationOf(context, cep, resource) : publication),
    live: standing.endpoints,
    service: live,
  })
  resource.endpoints = state
  if (!state?.ok) return 'failed'
  if (isUnfinished) return 'unfinished'
  return refusal ? 'refused' : 'done'
}

/** What stands in the cluster of the two objects of `cep`, ours or not. */
async function standingOf(
  context: SyncContext,
  cep: ClusterEndpoint,
  resource: Resource,
): Promise<Standing> {
  const { isBare } = resource
  resource.isBare = false
  const [service, endpoints] = await Promise.all([
    standingService(context, cep),
    isBare ? context.endpoints.get(keyOf(cep.metadata)) : standingEndpoints(context, cep),
  ])
  return { service, endpoints }
}

/** `wanted` with what cannot be changed as it stands. */
function withoutImmutable(wanted: DesiredService, live: LiveService | undefined): DesiredService {
  const { clusterIP: _, ipFamilies: asked, ...spec } = wanted.spec
  const ipFamilies = live?.spec.ipFamilies ?? []
  const keepsFamilies = asked !== undefined && ipFamilies.length > 0
  return { ...wanted, spec: { ...spec, ...(keepsFamilies ? { ipFamilies } : {}) } }
}

/** The status that `resource` should have, given the one that stands. */
export function statusNow(
  context: Pick<SyncContext, 'services' | 'publish' | 'slices'>,
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
    names: resource.names,
    ports: resource.plan.ports,
    clusterIP: live?.spec.clusterIP,
    families: live ? serviceFamilies(live.spec) : [],
    familyPolicy: resource.asked.families.ipFamilyPolicy,
    service: resource.service,
    endpoints: resource.endpoints,
    carriers: carriersOf(publishingOf(context.publish, context.slices.apiVersion())),
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
  return await lookAt({ client, signal }, publishedPath(plural, metadata), read)
}

/**
 * Whether the ClusterEndpoint was deleted, seen when what we published is missing: its garbage
 * collection may be told to us sooner than its end, and must not be repaired.
 */
async function isGone({ client, signal }: SyncContext, cep: ClusterEndpoint): Promise<boolean> {
  const path = clusterEndpointPath(cep.metadata)
  const live = await lookAt({ client, signal }, path, parseClusterEndpoint)
  return live?.metadata.uid !== cep.metadata.uid || live.metadata.deletionTimestamp !== undefined
}

async function syncService(
  context: SyncContext,
  desired: DesiredService,
  standing: LiveService | undefined,
): Promise<void> {
  let live = standing
  for (let round = 0; round < APPLY_ROUNDS_MAX; round++) {
    const drift = live ? serviceDrift(desired, live) : ['missing']
    if (drift.length === 0) return
    const leftovers = live ? leftoverPorts(desired, live) : []
    logWrite(context, 'applying Service', desired, drift, { taken: leftovers.length || undefined })
    if (leftovers.length > 0) await context.writer.takePorts(desired.metadata, leftovers)
    live = context.services.learn(await context.writer.apply(desired))
  }
  throw new ApiError(409, 'Conflict', 'Cannot remove ports that another manager keeps putting back')
}
