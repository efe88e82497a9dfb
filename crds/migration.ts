// From resources of earlier versions to ours: which steps lead there, and why one is not taken. Pure.

import * as v from 'valibot'
import { API_VERSION, type ClusterEndpoint, KIND, parseSpec } from './clusterendpoint.ts'
import type { LiveEndpoints } from './endpoints.ts'
import { withoutLegacyFinalizers } from './legacy.ts'
import { controllerOf, type LiveMetadata, withoutToolMarks } from './metadata.ts'
import { controllerRefusal, desiredService, type LiveService, serviceRefusal } from './service.ts'
import { readStatus } from './status.ts'
import { isSameSpec, planOf } from './targets.ts'

/** A ClusterEndpoint to be created. */
export type NewClusterEndpoint = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly labels: Readonly<Record<string, string>>
    readonly annotations: Readonly<Record<string, string>>
  }
  readonly spec: unknown
}

/** One change. After each of them what is published is as it was before. */
export type Step =
  /** The Service or the Endpoints let go of the old owner, so that they stay when it goes. */
  | { readonly kind: 'orphan'; readonly what: 'services' | 'endpoints' }
  | { readonly kind: 'create'; readonly manifest: NewClusterEndpoint }
  /** Until the operator keeps the Service and the Endpoints. */
  | { readonly kind: 'await' }
  /** Finalizers of earlier versions go, or the old resource could never be deleted. */
  | { readonly kind: 'release' }
  | { readonly kind: 'delete' }
  /** `spec.hosts` of a resource of ours becomes hosts of its ports. */
  | { readonly kind: 'rewrite'; readonly spec: PortedSpec }

/** `notes` are complete sentences about what is lost or needs a look. */
export type Migration =
  | { readonly ok: true; readonly steps: readonly Step[]; readonly notes: readonly string[] }
  | { readonly ok: false; readonly why: string }

/** What stands in the cluster around one resource of v0.1.x. */
export type Standing = {
  readonly old: ClusterEndpoint
  /** The resource of ours with its name, if there is one. */
  readonly current: ClusterEndpoint | undefined
  readonly service: LiveService | undefined
  readonly endpoints: LiveEndpoints | undefined
}

/** The steps that turn a resource of v0.1.x into one of ours; none when that is done already. */
export function planMove(
  standing: Standing,
  { deleteOld }: { readonly deleteOld: boolean },
): Migration {
  const { old, current, service, endpoints } = standing
  const manifest = successorOf(old)
  const parsed = parseSpec({ ...old, spec: manifest.spec })
  if (!parsed.ok) return refused(parsed.issues.join('; '))
  if (current) {
    const theirs = parseSpec(current)
    if (!theirs.ok || !isSameSpec(theirs.spec, parsed.spec)) {
      return refused(
        `Cannot move it as a ${API_VERSION} one of its name has another spec; make them equal, or delete one`,
      )
    }
  }
  const why = refusalOf(standing, parsed.spec.clusterIP)
  if (why !== undefined) return refused(why)

  const { refused: hosts } = planOf(parsed.spec, { allowLoopback: true })
  const { finalizers } = old.metadata
  const isBound = withoutLegacyFinalizers(finalizers).length < finalizers.length
  const isKept = current !== undefined && isTakenOver({ current, service, endpoints })
  const steps: Step[] = []
  if (isOwnedBy(old, service?.metadata)) steps.push({ kind: 'orphan', what: 'services' })
  if (isOwnedBy(old, endpoints?.metadata)) steps.push({ kind: 'orphan', what: 'endpoints' })
  if (!current) steps.push({ kind: 'create', manifest })
  if (!isKept) steps.push({ kind: 'await' })
  if (isBound) steps.push({ kind: 'release' })
  if (deleteOld) steps.push({ kind: 'delete' })
  const notes = [...lostFields(old.spec), ...hosts.map(({ message }) => message)]
  if (old.metadata.deletionTimestamp !== undefined && steps.length > 0) {
    notes.push('It was being deleted and lives on; delete the new one if that was meant')
  }
  return { ok: true, steps, notes }
}

/**
 * Whether the operator keeps what is published for `current`. Where it publishes EndpointSlices alone,
 * there are no Endpoints: then its status tells.
 */
export function isTakenOver({
  current,
  service,
  endpoints,
}: Pick<Standing, 'service' | 'endpoints'> & { readonly current: ClusterEndpoint }): boolean {
  if (!service || !isKeptBy(current, service.metadata)) return false
  if (endpoints) return isKeptBy(current, endpoints.metadata)
  const conditions = readStatus(current.status)?.conditions ?? []
  return conditions.some(({ type, status }) => type === 'SyncEndpointReady' && status === 'True')
}

/** The step that gives each port of one of our resources its own hosts; none when they have them. */
export function planRewrite(cep: ClusterEndpoint): Migration {
  const read = v.safeParse(hostsSchema, cep.spec)
  if (read.success && read.output.hosts.length === 0) return { ok: true, steps: [], notes: [] }
  const parsed = parseSpec(cep)
  if (!parsed.ok) return refused(parsed.issues.join('; '))
  return { ok: true, steps: [{ kind: 'rewrite', spec: withPortHosts(cep.spec) }], notes: [] }
}

const hostsSchema = v.looseObject({ hosts: v.nullish(v.array(v.unknown()), []) })

const unportedSchema = v.looseObject({
  hosts: v.nullish(v.array(v.unknown()), []),
  ports: v.array(v.looseObject({ hosts: v.nullish(v.array(v.unknown()), []) })),
})

/** A spec in which hosts stand at the ports alone. */
export type PortedSpec = { readonly ports: readonly unknown[]; readonly [field: string]: unknown }

/** `spec` with `spec.hosts` given to each port that has no hosts of its own. Throws v.ValiError if it is no spec. */
function withPortHosts(spec: unknown): PortedSpec {
  const { hosts, ports, ...rest } = v.parse(unportedSchema, spec)
  const isPorted = (own: readonly unknown[]) => own.length > 0 || hosts.length === 0
  return {
    ...rest,
    ports: ports.map((port) => (isPorted(port.hosts) ? port : { ...port, hosts })),
  }
}

/** What is created for `old`: all that a person wrote, none of what tools wrote about themselves. */
function successorOf({ metadata, spec }: ClusterEndpoint): NewClusterEndpoint {
  const { name, namespace, labels, annotations } = metadata
  const isSpec = v.is(unportedSchema, spec)
  return {
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: {
      name,
      namespace,
      labels: withoutToolMarks(labels),
      annotations: withoutToolMarks(annotations),
    },
    // What is no spec is told by who parses it.
    spec: isSpec ? withPortHosts(spec) : spec,
  }
}

/** Why the operator would not take over what stands, once the old owner is gone. */
function refusalOf(
  { old, current, service, endpoints }: Standing,
  clusterIP: string,
): string | undefined {
  const uid = current?.metadata.uid ?? ''
  const cep = { ...old, metadata: { ...old.metadata, uid } }
  if (service && !isKeptBy(current, service.metadata)) {
    const freed = { ...service, metadata: withoutOwner(old, service.metadata) }
    const refusal = serviceRefusal(cep, desiredService(cep, clusterIP, []), freed)
    if (refusal) return refusal.message
  }
  if (!endpoints) return undefined
  return controllerRefusal(cep, 'Endpoints', withoutOwner(old, endpoints.metadata))?.message
}

function withoutOwner<T extends Pick<LiveMetadata, 'ownerReferences'>>(
  old: ClusterEndpoint,
  metadata: T,
): T {
  const isOther = ({ uid }: { readonly uid: string }) => uid !== old.metadata.uid
  return { ...metadata, ownerReferences: metadata.ownerReferences.filter(isOther) }
}

function isOwnedBy(old: ClusterEndpoint, metadata: LiveMetadata | undefined): boolean {
  return metadata?.ownerReferences.some(({ uid }) => uid === old.metadata.uid) ?? false
}

function isKeptBy(cep: ClusterEndpoint | undefined, metadata: LiveMetadata): boolean {
  return cep !== undefined && controllerOf(metadata)?.uid === cep.metadata.uid
}

/** Fields directly under `spec` that the first versions had and ours has not. */
function lostFields(spec: unknown): string[] {
  const lost = v.safeParse(v.looseObject({}), spec)
  const fields = Object.keys(lost.success ? lost.output : {})
  return ['probes', 'timeoutSeconds', 'successThreshold', 'failureThreshold']
    .filter((field) => fields.includes(field))
    .map((field) => `spec.${field} is left out: ports have their own, look at them`)
}

function refused(why: string): Migration {
  return { ok: false, why }
}
