// The built-in resources: one table, completed by the rules of each kind.

import { builtInColumns } from './columns.ts'
import { crdRules } from './crd-rules.ts'
import { endpointSliceRules, endpointsRules } from './endpoint-rules.ts'
import { type JsonMap, mapAt, textAt } from './json.ts'
import { builtInSchemas, withObjectFields } from './kinds.ts'
import { dnsLabel, dnsSubdomain } from './names.ts'
import { noRules, type Resource, type Rules } from './resource.ts'
import { parseSchema } from './schema.ts'
import type { ServiceAddresses } from './service-addresses.ts'
import { serviceRules } from './service-rules.ts'
import { type FieldError, invalidValue, required } from './status.ts'

/** What the built-in resources need to know. */
export interface BuiltInOptions {
  readonly addresses: ServiceAddresses
  readonly allowLoopback: boolean
  readonly isDualStack: boolean
}

interface Row {
  readonly group?: string
  readonly version?: string
  readonly plural: string
  readonly kind: keyof typeof builtInSchemas
  readonly shortNames?: readonly string[]
  readonly categories?: readonly string[]
  readonly clusterScoped?: boolean
  readonly hasStatus?: boolean
  readonly hasGeneration?: boolean
  readonly createsOnUpdate?: boolean
  readonly updatesUnconditionally?: boolean
  readonly deleteReturnsObject?: boolean
  readonly skeleton?: JsonMap
  readonly rules: Rules
}

/** Every built-in resource. */
export function builtInResources(options: BuiltInOptions): readonly Resource[] {
  const { addresses, allowLoopback, isDualStack } = options
  const rows: readonly Row[] = [
    {
      plural: 'services',
      kind: 'Service',
      shortNames: ['svc'],
      categories: ['all'],
      hasStatus: true,
      createsOnUpdate: true,
      updatesUnconditionally: true,
      deleteReturnsObject: true,
      skeleton: { spec: {}, status: { loadBalancer: {} } },
      rules: serviceRules(addresses, isDualStack),
    },
    {
      plural: 'endpoints',
      kind: 'Endpoints',
      shortNames: ['ep'],
      createsOnUpdate: true,
      updatesUnconditionally: true,
      rules: endpointsRules(allowLoopback),
    },
    {
      plural: 'events',
      kind: 'Event',
      shortNames: ['ev'],
      createsOnUpdate: true,
      updatesUnconditionally: true,
      skeleton: { involvedObject: {}, source: {} },
      rules: {
        ...noRules,
        name: dnsSubdomain,
        fillDefaults: fillEvent,
        validate: validateEvent,
      },
    },
    {
      plural: 'namespaces',
      kind: 'Namespace',
      shortNames: ['ns'],
      clusterScoped: true,
      hasStatus: true,
      updatesUnconditionally: true,
      deleteReturnsObject: true,
      skeleton: { spec: {}, status: {} },
      rules: { ...noRules, name: dnsLabel, prepareCreate: activate },
    },
    {
      group: 'coordination.k8s.io',
      plural: 'leases',
      kind: 'Lease',
      createsOnUpdate: true,
      skeleton: { spec: {} },
      rules: { ...noRules, name: dnsSubdomain, validate: validateLease },
    },
    {
      group: 'discovery.k8s.io',
      plural: 'endpointslices',
      kind: 'EndpointSlice',
      hasGeneration: true,
      updatesUnconditionally: true,
      rules: endpointSliceRules(allowLoopback),
    },
    {
      group: 'apiextensions.k8s.io',
      plural: 'customresourcedefinitions',
      kind: 'CustomResourceDefinition',
      shortNames: ['crd', 'crds'],
      categories: ['api-extensions'],
      clusterScoped: true,
      hasStatus: true,
      hasGeneration: true,
      skeleton: { spec: { names: {} } },
      rules: crdRules,
    },
  ]
  return rows.map(toResource)
}

function toResource(row: Row): Resource {
  const { group = '', version = 'v1', plural, kind } = row
  const openapi = withObjectFields(builtInSchemas[kind])
  return {
    group,
    version,
    plural,
    kind,
    apiVersion: group === '' ? version : `${group}/${version}`,
    collection: `${group}/${plural}`,
    singular: kind.toLowerCase(),
    listKind: `${kind}List`,
    shortNames: row.shortNames ?? [],
    categories: row.categories ?? [],
    isNamespaced: row.clusterScoped !== true,
    isCustom: false,
    hasStatus: row.hasStatus === true,
    hasGeneration: row.hasGeneration === true,
    createsOnUpdate: row.createsOnUpdate === true,
    updatesUnconditionally: row.updatesUnconditionally === true,
    deleteReturnsObject: row.deleteReturnsObject === true,
    schema: parseSchema(openapi),
    openapi,
    skeleton: row.skeleton ?? {},
    columns: builtInColumns(kind),
    rules: row.rules,
  }
}

function activate(object: JsonMap): JsonMap {
  const name = textAt(object, 'metadata', 'name')
  const labels = { ...mapAt(object, 'metadata', 'labels'), 'kubernetes.io/metadata.name': name }
  const metadata = { ...mapAt(object, 'metadata'), labels }
  return {
    ...object,
    metadata,
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  }
}

/** Fields of an Event that are written even when they say nothing. */
function fillEvent(object: JsonMap): JsonMap {
  const empty = { reportingComponent: '', reportingInstance: '', source: {} }
  return { ...empty, eventTime: null, firstTimestamp: null, lastTimestamp: null, ...object }
}

function validateEvent(object: JsonMap): readonly FieldError[] {
  const namespace = textAt(object, 'involvedObject', 'namespace') || 'default'
  if (namespace !== textAt(object, 'metadata', 'namespace')) {
    return [invalidValue('involvedObject.namespace', namespace, 'does not match event.namespace')]
  }
  if (object.eventTime === null) return []
  const needed = ['reportingComponent', 'reportingInstance', 'action', 'reason']
  const named: Record<string, string> = { reportingComponent: 'reportingController' }
  return needed.flatMap((key) => (textAt(object, key) === '' ? [required(named[key] ?? key)] : []))
}

function validateLease(object: JsonMap): readonly FieldError[] {
  const { leaseDurationSeconds: duration, leaseTransitions: count } = mapAt(object, 'spec')
  return [
    ...(typeof duration === 'number' && duration <= 0
      ? [invalidValue('spec.leaseDurationSeconds', duration, 'must be greater than 0')]
      : []),
    ...(typeof count === 'number' && count < 0
      ? [invalidValue('spec.leaseTransitions', count, 'must be greater than or equal to 0')]
      : []),
  ]
}
