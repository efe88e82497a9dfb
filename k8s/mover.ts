// The steps of a migration as requests, each safe to repeat, and what must be read for planning them.

import * as v from 'valibot'
import { type ClusterEndpoint, GROUP, parseClusterEndpoint } from '../crds/clusterendpoint.ts'
import { readEndpoints } from '../crds/endpoints.ts'
import { type LEGACY_GROUP, withoutLegacyFinalizers } from '../crds/legacy.ts'
import {
  isTakenOver,
  type NewClusterEndpoint,
  planRewrite,
  type Standing,
  type Step,
} from '../crds/migration.ts'
import { readService } from '../crds/service.ts'
import { readStatus } from '../crds/status.ts'
import { pause } from './backoff.ts'
import type { ApiClient, ApiRequest } from './client.ts'
import { statusOfError } from './errors.ts'
import { find, lookAt } from './find.ts'
import { listAll } from './list.ts'
import {
  clusterEndpointPath,
  clusterEndpointsPath,
  legacyClusterEndpointPath,
  type Named,
  publishedPath,
} from './paths.ts'

/** Field manager of what a migration writes. */
const MANAGER = { fieldManager: 'endpoints-operator-migrate' } as const
/** Tries against somebody who writes the same object at the same time. */
const TRIES_MAX = 5
/** Milliseconds between two looks at what the operator has done. */
const POLL_MS = 250

/** An object as it came, for the backup. */
export type Raw = unknown

/** The ClusterEndpoints of a group; undefined if the API server does not know it. */
export async function listClusterEndpoints(
  client: ApiClient,
  group: typeof GROUP | typeof LEGACY_GROUP,
  namespace: string | undefined,
): Promise<readonly Raw[] | undefined> {
  try {
    return (await listAll(client, clusterEndpointsPath(group, namespace))).items
  } catch (error) {
    if (statusOfError(error) === 404) return undefined
    throw error
  }
}

/** What stands around the old resource `raw`, read, and the objects themselves. */
export async function standingAround(
  client: ApiClient,
  raw: Raw,
): Promise<{ readonly standing: Standing; readonly objects: readonly Raw[] }> {
  const old = parseClusterEndpoint(raw)
  const [current, service, endpoints] = await Promise.all([
    find({ client }, clusterEndpointPath(old.metadata)),
    find({ client }, publishedPath('services', old.metadata)),
    find({ client }, publishedPath('endpoints', old.metadata)),
  ])
  return {
    standing: {
      old,
      current: current === undefined ? undefined : parseClusterEndpoint(current),
      service: service === undefined ? undefined : readService(service),
      endpoints: endpoints === undefined ? undefined : readEndpoints(endpoints),
    },
    objects: [raw, service, endpoints].filter((object) => object !== undefined),
  }
}

/** Asks the API server whether it would take `manifest`. Throws as ApiClient.request does. */
export async function rehearseCreation(
  client: ApiClient,
  manifest: NewClusterEndpoint,
): Promise<void> {
  await client.request(creationOf(manifest, { dryRun: 'All' }))
}

export type StepOptions = {
  /** Milliseconds for the operator to take over. */
  readonly waitMs: number
  /** Ends a wait; a write that has begun is finished. */
  readonly signal: AbortSignal
}

/** Takes one step for `cep`. Resolves with what kept it from being done, if it can be told; throws ApiError and NetworkError. */
export async function takeStep(
  client: ApiClient,
  cep: ClusterEndpoint,
  step: Step,
  { waitMs, signal }: StepOptions,
): Promise<string | undefined> {
  const { metadata } = cep
  switch (step.kind) {
    case 'orphan':
      await amend(client, publishedPath(step.what, metadata), (object) => withoutOwner(object, cep))
      return undefined
    case 'create':
      await client.request(creationOf(step.manifest))
      return undefined
    case 'await':
      return await awaitTakeover(client, metadata, waitMs, signal)
    case 'release':
      await amend(client, legacyClusterEndpointPath(metadata), withoutFinalizers)
      return undefined
    case 'delete':
      await remove(client, cep)
      return undefined
    case 'rewrite':
      await amend(client, clusterEndpointPath(metadata), withPortHosts)
      return undefined
  }
}

function creationOf(manifest: NewClusterEndpoint, query = {}): ApiRequest {
  const path = clusterEndpointsPath(GROUP, manifest.metadata.namespace)
  return { method: 'POST', path, query: { ...MANAGER, ...query }, body: manifest }
}

const ownedSchema = v.object({
  metadata: v.object({
    ownerReferences: v.nullish(v.array(v.looseObject({ uid: v.string() })), []),
  }),
})

/** Takes `owner` out of the owners of an object; undefined if it is none of them. */
function withoutOwner(object: Raw, owner: ClusterEndpoint): Amendment | undefined {
  const { ownerReferences } = v.parse(ownedSchema, object).metadata
  const others = ownerReferences.filter(({ uid }) => uid !== owner.metadata.uid)
  if (others.length === ownerReferences.length) return undefined
  return { metadata: { ownerReferences: others } }
}

function withoutFinalizers(object: Raw): Amendment | undefined {
  const { finalizers } = parseClusterEndpoint(object).metadata
  const others = withoutLegacyFinalizers(finalizers)
  return others.length === finalizers.length ? undefined : { metadata: { finalizers: others } }
}

function withPortHosts(object: Raw): Amendment | undefined {
  const migration = planRewrite(parseClusterEndpoint(object))
  const [step] = migration.ok ? migration.steps : []
  if (step?.kind !== 'rewrite') return undefined
  return { spec: { hosts: null, ports: step.spec.ports } }
}

/** A merge patch. */
type Amendment = {
  readonly metadata?: Readonly<Record<string, unknown>>
  readonly spec?: Readonly<Record<string, unknown>>
}

const versionSchema = v.object({ metadata: v.object({ resourceVersion: v.string() }) })

/** Patches an object by what `amendment` makes of it as it is now; undefined leaves it. One that is gone needs nothing. */
async function amend(
  client: ApiClient,
  path: string,
  amendment: (object: Raw) => Amendment | undefined,
): Promise<void> {
  for (let tries = 1; ; tries++) {
    const object = await find({ client }, path)
    const wanted = object === undefined ? undefined : amendment(object)
    if (!wanted) return
    const { resourceVersion } = v.parse(versionSchema, object).metadata
    try {
      await client.request({
        method: 'PATCH',
        path,
        query: MANAGER,
        body: { ...wanted, metadata: { ...wanted.metadata, resourceVersion } },
        contentType: 'application/merge-patch+json',
      })
      return
    } catch (error) {
      if (statusOfError(error) !== 409 || tries === TRIES_MAX) throw error
    }
  }
}

/** What it owned lives on without it, also what we know nothing of. */
async function remove(client: ApiClient, { metadata }: ClusterEndpoint): Promise<void> {
  const path = legacyClusterEndpointPath(metadata)
  const body = { propagationPolicy: 'Orphan', preconditions: { uid: metadata.uid } }
  try {
    await client.request({ method: 'DELETE', path, body })
  } catch (error) {
    // One that was being deleted has gone along with its finalizer.
    if (statusOfError(error) !== 404) throw error
  }
}

/** Waits until the operator keeps what is published; resolves with why it does not. */
async function awaitTakeover(
  client: ApiClient,
  named: Named,
  waitMs: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const untilMs = performance.now() + waitMs
  for (;;) {
    const problem = await takeoverProblem(client, named)
    if (problem === undefined || signal.aborted || performance.now() >= untilMs) return problem
    await pause(POLL_MS, signal)
  }
}

async function takeoverProblem(client: ApiClient, named: Named): Promise<string | undefined> {
  const [current, service, endpoints] = await Promise.all([
    lookAt({ client }, clusterEndpointPath(named), parseClusterEndpoint),
    lookAt({ client }, publishedPath('services', named), readService),
    lookAt({ client }, publishedPath('endpoints', named), readEndpoints),
  ])
  if (current === undefined) return 'the new ClusterEndpoint has been deleted'
  if (isTakenOver({ current, service, endpoints })) return undefined
  const refused = readStatus(current.status)?.conditions.find(
    ({ type, status: is }) => type === 'SyncServiceReady' && is === 'False',
  )
  if (refused) return `the operator says: ${refused.message}`
  return 'the operator has not taken over; is it running? What is published is as it was'
}
