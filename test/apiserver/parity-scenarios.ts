// Requests that this server and a real one have to answer alike (parity.test.ts). Every row is a scenario
// on objects of its own. This server is a 1.20: rules that newer ones changed have scenarios of their own.

import type { Json, JsonMap } from './json.ts'
import {
  ENDPOINTS,
  endpoints,
  LEASES,
  port,
  SERVICES,
  service,
  WIDGETS,
  widget,
} from './samples.ts'

/** One request of a scenario. */
export type Request = readonly [method: string, path: string, body?: Json, type?: string]

export const APPLY = 'application/apply-patch+yaml'
const MERGE = 'application/merge-patch+json'
const STRATEGIC = 'application/strategic-merge-patch+json'
const JSON_PATCH = 'application/json-patch+json'
const forced = '?fieldManager=op&force=true'
/** 1.20 has no subresource in managedFields: another manager keeps the entries apart. */
const forStatus = '?fieldManager=op-status&force=true'

/** On 1.20 a schema with free-form or int-or-string fields makes apply ignore the whole schema. */
export const plainCrd = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'widgets', kind: 'Widget' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: schema() },
      },
    ],
  },
}

function freshEndpoints(ip: string): JsonMap {
  const metadata = { name: 'fresh', resourceVersion: '1' }
  const subsets = [{ addresses: [{ ip }], ports: [{ name: 'x', port: 80, protocol: 'TCP' }] }]
  return { apiVersion: 'v1', kind: 'Endpoints', metadata, subsets }
}

function schema(): JsonMap {
  const string = { type: 'string' }
  const part = {
    type: 'object',
    required: ['name'],
    properties: { name: string, count: { type: 'integer', default: 1 } },
  }
  const parts = {
    type: 'array',
    items: part,
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['name'],
  }
  const size = { type: 'integer', minimum: 1, maximum: 9 }
  const color = { type: 'string', enum: ['red', 'blue'], default: 'red' }
  const code = { type: 'string', pattern: '^[a-z]+$', minLength: 2 }
  const spec = { type: 'object', required: ['size'], properties: { size, color, code, parts } }
  const status = { type: 'object', properties: { phase: string, parts } }
  return { type: 'object', properties: { spec, status } }
}

const wp = (ports: readonly Json[], metadata: JsonMap = {}) => service('wp', ports, metadata)
const lease = (spec: JsonMap): JsonMap => {
  return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'l' }, spec }
}
const dryWidget = (spec: JsonMap): Request => ['POST', `${WIDGETS}?dryRun=All`, widget('dry', spec)]
const dryService = (ports: readonly Json[], metadata: JsonMap = {}): Request => [
  'POST',
  `${SERVICES}?dryRun=All`,
  service('dry', ports, metadata),
]

/** The scenarios by name. */
export const scenarios: readonly (readonly [string, readonly Request[]])[] = [
  [
    'a Service goes from kubectl apply to server-side apply, through patches and a reset of its owners',
    [
      [
        'POST',
        `${SERVICES}?fieldManager=kubectl-client-side-apply`,
        wp([port('old', 81), port('keep', 80)], { labels: { a: '1' }, annotations: { x: 'y' } }),
      ],
      [
        'PATCH',
        `${SERVICES}/wp?fieldManager=op`,
        wp([{ ...port('keep', 80), targetPort: 8 }], { labels: { a: '2' } }),
        APPLY,
      ],
      ['PATCH', `${SERVICES}/wp${forced}`, wp([port('keep', 80)], { labels: { b: '2' } }), APPLY],
      ['PATCH', `${SERVICES}/wp${forced}`, wp([port('keep', 80)], { labels: { b: '2' } }), APPLY],
      ['PATCH', `${SERVICES}/wp${forced}`, wp([port('keep', 90)]), APPLY],
      ['PATCH', `${SERVICES}/wp${forced}`, wp([port('keep', 80)]), APPLY],
      ['PATCH', `${SERVICES}/wp`, wp([port('keep', 80)]), APPLY],
      [
        'PATCH',
        `${SERVICES}/wp`,
        { metadata: { labels: { c: '3' } }, spec: { sessionAffinity: 'ClientIP' } },
        MERGE,
      ],
      ['PATCH', `${SERVICES}/wp`, { spec: { ports: [{ port: 81, targetPort: 9 }] } }, STRATEGIC],
      ['PATCH', `${SERVICES}/wp`, [{ op: 'remove', path: '/metadata/labels/none' }], JSON_PATCH],
      [
        'PATCH',
        `${SERVICES}/wp`,
        [{ op: 'replace', path: '/metadata/resourceVersion', value: '1' }],
        JSON_PATCH,
      ],
      ['PATCH', `${SERVICES}/wp`, { metadata: { managedFields: [{}] } }, MERGE],
      ['PATCH', `${SERVICES}/wp${forced}`, wp([port('keep', 80)], { labels: { c: '3' } }), APPLY],
      [
        'PATCH',
        `${SERVICES}/wp${forced}`,
        { apiVersion: 'v1', kind: 'Service', metadata: { name: 'wp' } },
        APPLY,
      ],
      ['POST', SERVICES, wp([port('x', 1)])],
    ],
  ],
  [
    'An apply for a version that no object has makes what is not there, and touches nothing that is',
    [
      ['PATCH', `${ENDPOINTS}/fresh${forced}`, freshEndpoints('10.0.0.1'), APPLY],
      ['PATCH', `${ENDPOINTS}/fresh${forced}`, freshEndpoints('10.0.0.2'), APPLY],
      ['GET', `${ENDPOINTS}/fresh`],
    ],
  ],
  [
    'Services that break a rule',
    [
      dryService([]),
      dryService([{ port: 0 }]),
      dryService([{ port: 65536 }]),
      dryService([port('a', 1), port('a', 2)]),
      dryService([port('a', 1), { port: 2 }]),
      dryService([port('A', 1)]),
      dryService([{ port: 1, protocol: 'X' }]),
      dryService([{ port: 1, targetPort: 'a123456789012345' }]),
      dryService([{ port: 1 }], { labels: { a: 'b/c' } }),
      dryService([{ port: 1 }], { namespace: 'kube-system' }),
      [
        'POST',
        `${SERVICES}?dryRun=All`,
        { ...service('dry', []), spec: { type: 'X', ports: [{ port: 1 }] } },
      ],
      [
        'POST',
        `${SERVICES}?dryRun=All`,
        { ...service('dry', []), spec: { clusterIP: 'x', ports: [{ port: 1 }] } },
      ],
      ['POST', '/api/v1/namespaces/none/services', service('s', [{ port: 1 }])],
      ['POST', `${SERVICES}/name`, service('name', [{ port: 1 }])],
      ['PUT', SERVICES, service('name', [{ port: 1 }])],
    ],
  ],
  [
    'Endpoints are owned whole, and an apply of nothing empties them',
    [
      ['POST', ENDPOINTS, endpoints('e', ['10.0.0.1'])],
      ['PATCH', `${ENDPOINTS}/e?fieldManager=op`, endpoints('e', ['10.0.0.2']), APPLY],
      ['PATCH', `${ENDPOINTS}/e${forced}`, endpoints('e', ['10.0.0.2', '2001:db8::1']), APPLY],
      ['PATCH', `${ENDPOINTS}/e${forced}`, { ...endpoints('e', []), subsets: [] }, APPLY],
      [
        'PATCH',
        `${ENDPOINTS}/e${forced}`,
        { ...endpoints('e', []), subsets: [{ ports: [{ port: 1 }] }] },
        APPLY,
      ],
      ['POST', ENDPOINTS, endpoints('e2', ['0.0.0.0'])],
      ['DELETE', `${ENDPOINTS}/e`],
    ],
  ],
  [
    'Leases have one owner per writer and need their resourceVersion',
    [
      [
        'POST',
        LEASES,
        lease({
          holderIdentity: 'x',
          leaseDurationSeconds: 15,
          renewTime: '2026-01-02T03:04:05.000001Z',
        }),
      ],
      ['POST', LEASES, lease({ leaseDurationSeconds: 0 })],
      ['PUT', `${LEASES}/l`, lease({ holderIdentity: '' })],
      ['PATCH', `${LEASES}/l${forced}`, lease({ holderIdentity: 'y' }), APPLY],
      ['PATCH', `${LEASES}/l`, { spec: { holderIdentity: null } }, MERGE],
    ],
  ],
  [
    'a custom resource is pruned, defaulted, owned by its schema, and counted by generation',
    [
      ['POST', WIDGETS, widget('w', { size: 1, unknown: 2, parts: [{ name: 'a' }] })],
      ['PATCH', `${WIDGETS}/w`, { spec: { size: 1 } }, MERGE],
      ['PATCH', `${WIDGETS}/w`, { spec: { size: 2 } }, MERGE],
      [
        'PATCH',
        `${WIDGETS}/w${forced}`,
        widget('w', { size: 3, parts: [{ name: 'a' }, { name: 'b', count: 2 }] }),
        APPLY,
      ],
      [
        'PATCH',
        `${WIDGETS}/w${forced}`,
        widget('w', { size: 3, parts: [{ name: 'b', count: 2 }] }),
        APPLY,
      ],
      ['PATCH', `${WIDGETS}/w${forced}`, widget('w', {}), APPLY],
      ['PATCH', `${WIDGETS}/w${forced}`, widget('w', { size: 99 }), APPLY],
      ['PATCH', `${WIDGETS}/w`, { spec: { color: null } }, MERGE],
      ['PUT', `${WIDGETS}/w`, widget('w', { size: 2 })],
      ['PUT', `${WIDGETS}/none`, widget('none', { size: 2 }, { resourceVersion: '1' })],
      ['PUT', `${WIDGETS}/w`, widget('other', { size: 2 })],
      ['DELETE', `${WIDGETS}/w`, { preconditions: { uid: 'other' } }],
      ['DELETE', `${WIDGETS}/w`],
    ],
  ],
  [
    'the status of a custom resource, and what waits for finalizers',
    [
      [
        'PATCH',
        `${WIDGETS}/f${forced}`,
        widget('f', { size: 1 }, { finalizers: ['a.b/c'], labels: { a: 'b' } }),
        APPLY,
      ],
      [
        'PATCH',
        `${WIDGETS}/f/status${forStatus}`,
        { ...widget('f', {}), spec: null, status: { phase: 'x', parts: [{ name: 'p' }] } },
        APPLY,
      ],
      [
        'PATCH',
        `${WIDGETS}/f/status${forStatus}`,
        { ...widget('f', {}), spec: null, status: { phase: 'y', parts: [{ name: 'q' }] } },
        APPLY,
      ],
      [
        'PATCH',
        `${WIDGETS}/none/status${forStatus}`,
        { ...widget('none', {}), status: { phase: 'y', parts: [{ name: 'q' }] } },
        APPLY,
      ],
      ['DELETE', `${WIDGETS}/f`],
      ['DELETE', `${WIDGETS}/f`],
      ['PATCH', `${WIDGETS}/f`, { metadata: { finalizers: null } }, MERGE],
      ['GET', `${WIDGETS}/f`],
    ],
  ],
  [
    'custom resources that break the schema',
    [
      dryWidget({ size: 0 }),
      dryWidget({ size: 10 }),
      dryWidget({}),
      dryWidget({ size: '1' }),
      dryWidget({ size: null }),
      dryWidget({ size: 1, code: null }),
      dryWidget({ size: 1, color: 'x' }),
      dryWidget({ size: 1, code: 'a' }),
      dryWidget({ size: 1, code: 'AB' }),
      dryWidget({ size: 1, parts: {} }),
    ],
  ],
  [
    'an apply that is no value of the schema',
    [
      ['PATCH', `${WIDGETS}/a${forced}`, widget('a', { size: 1, odd: 1 }), APPLY],
      [
        'PATCH',
        `${WIDGETS}/a${forced}`,
        widget('a', { size: 1, parts: [{ name: 'a', odd: 1 }] }),
        APPLY,
      ],
      ['PATCH', `${WIDGETS}/a${forced}`, widget('a', { size: 1, parts: [{}, { odd: 1 }] }), APPLY],
      [
        'PATCH',
        `${WIDGETS}/a${forced}`,
        widget('a', { parts: [{ name: 'a' }, { name: 'a' }] }),
        APPLY,
      ],
      ['PATCH', `${SERVICES}/a${forced}`, service('a', [{ ...port('a', 1), odd: 1 }]), APPLY],
      ['PATCH', `${SERVICES}/a${forced}`, service('b', [port('a', 1)]), APPLY],
    ],
  ],
  [
    'lists that cannot be had',
    [
      ['GET', `${WIDGETS}?fieldSelector=spec.x%3D1`],
      ['GET', '/apis/example.com/v1/namespaces/default/nothings'],
      ['GET', '/apis/nowhere.example.com/v1/things'],
    ],
  ],
]

/** As `scenarios`, of rules that 1.20 has and newer servers have not: those are laxer or say it otherwise. */
export const oldScenarios: typeof scenarios = [
  [
    'an apply without a protocol, or of a version that is none',
    [
      ['PATCH', `${SERVICES}/o${forced}`, service('o', [{ port: 1 }]), APPLY],
      [
        'PATCH',
        `${SERVICES}/o${forced}`,
        { ...service('o', [port('a', 1)]), apiVersion: 'v2' },
        APPLY,
      ],
    ],
  ],
  ['a fraction for an integer', [dryWidget({ size: 1.5 })]],
  [
    'a Service whose name begins with a digit',
    [['POST', `${SERVICES}?dryRun=All`, service('1s', [{ port: 1 }])]],
  ],
]
