// What stands around an old resource, and the steps that lead from there: a table.

import { describe, expect, test } from 'bun:test'
import { readEndpoints } from '../../crds/endpoints.ts'
import { type Migration, planMove, planRewrite } from '../../crds/migration.ts'
import { readService } from '../../crds/service.ts'
import { planOf } from '../../crds/targets.ts'
import { cepOf, specOf } from './fixtures.ts'
import { liveMetadata, OTHER_OWNER, OUR_OWNER } from './live.ts'

type Fields = Readonly<Record<string, unknown>>

const OLD_UID = '99999999-0000-4000-8000-000000000009'
const FINALIZER = 'sealyun.com/cluster-endpoints.finalizers'
const OLD_OWNER = { ...OUR_OWNER, apiVersion: 'sealyun.com/v1beta1', uid: OLD_UID }
const PORTS = [{ name: 'web', port: 80, targetPort: 8080, tcpSocket: { enable: true } }]
const OLD_SPEC = { clusterIP: '10.96.0.10', hosts: ['10.0.0.1', '10.0.0.2'], ports: PORTS }
const NEW_SPEC = {
  clusterIP: '10.96.0.10',
  ports: [{ ...PORTS[0], hosts: ['10.0.0.1', '10.0.0.2'] }],
}

const old = (metadata: Fields = {}, spec: unknown = OLD_SPEC) =>
  cepOf(spec, { uid: OLD_UID, ...metadata })
const current = (spec: unknown = NEW_SPEC) => cepOf(spec)

/** One whose addresses are published, by its status. */
const syncedCurrent = (status: 'True' | 'Unknown') => {
  const lastTransitionTime = '2026-11-26T00:00:00Z'
  const conditions = [{ type: 'SyncEndpointReady', status, lastTransitionTime }]
  return { ...current(), status: { phase: 'Healthy', conditions } }
}

const serviceOf = (ownerReferences: readonly unknown[], spec: Fields = {}) =>
  readService({
    metadata: liveMetadata({ ownerReferences }),
    spec: { clusterIP: '10.96.0.10', ports: [{ name: 'web', port: 80 }], ...spec },
  })
const endpointsOf = (ownerReferences: readonly unknown[]) =>
  readEndpoints({ metadata: liveMetadata({ ownerReferences }) })
const both = (...owners: readonly unknown[]) => ({
  service: serviceOf(owners),
  endpoints: endpointsOf(owners),
})
const nothing = { service: undefined, endpoints: undefined }

/** The steps in short, or why there are none. */
function shown(migration: Migration): readonly string[] | string {
  if (!migration.ok) return migration.why
  return migration.steps.map((step) => (step.kind === 'orphan' ? `orphan ${step.what}` : step.kind))
}

const move = (standing: Partial<Parameters<typeof planMove>[0]>, deleteOld = false) =>
  planMove({ old: old(), current: undefined, ...both(OLD_OWNER), ...standing }, { deleteOld })

describe('planMove()', () => {
  const all = ['orphan services', 'orphan endpoints', 'create', 'await']
  const cases: readonly (readonly [
    what: string,
    standing: Partial<Parameters<typeof planMove>[0]>,
    expected: readonly string[],
  ])[] = [
    ['as the Go version left it', {}, all],
    ['with its finalizer', { old: old({ finalizers: [FINALIZER] }) }, [...all, 'release']],
    ['with the finalizer of somebody else', { old: old({ finalizers: ['x/y'] }) }, all],
    ['with nothing published', nothing, ['create', 'await']],
    ['with owners removed by hand', both(), ['create', 'await']],
    [
      'stopped after the Service had let go',
      { service: serviceOf([]) },
      ['orphan endpoints', 'create', 'await'],
    ],
    ['stopped after the new one was made', { current: current(), ...both() }, ['await']],
    [
      'stopped before the finalizers',
      { current: current(), ...both(OUR_OWNER), old: old({ finalizers: [FINALIZER] }) },
      ['release'],
    ],
    ['done', { current: current(), ...both(OUR_OWNER) }, []],
    [
      'done, the new one in the form of v0.2.x',
      { current: current(OLD_SPEC), ...both(OUR_OWNER) },
      [],
    ],
    [
      'done, where slices alone are published',
      { current: syncedCurrent('True'), service: serviceOf([OUR_OWNER]), endpoints: undefined },
      [],
    ],
    [
      'the Service taken over, the addresses not yet published',
      { current: syncedCurrent('Unknown'), service: serviceOf([OUR_OWNER]), endpoints: undefined },
      ['await'],
    ],
    [
      'owned by both',
      { current: current(), ...both(OUR_OWNER, { ...OLD_OWNER, controller: false }) },
      ['orphan services', 'orphan endpoints'],
    ],
  ]
  for (const [what, standing, expected] of cases) {
    test(what, () => expect(shown(move(standing))).toEqual(expected))
    test(`${what}, the old one to be deleted`, () =>
      expect(shown(move(standing, true))).toEqual([...expected, 'delete']))
  }

  const refused: readonly (readonly [
    what: string,
    standing: Partial<Parameters<typeof planMove>[0]>,
    why: string | RegExp,
  ])[] = [
    [
      'a namesake with another spec',
      { current: current({ ...NEW_SPEC, periodSeconds: 3 }) },
      /^Cannot move it as a sealos.io\/v1beta1 one of its name has another spec/,
    ],
    ['a namesake with an invalid spec', { current: current({}) }, /has another spec/],
    [
      'a spec that ours refuses, by its path',
      { old: old({}, { hosts: ['10.0.0.1'], ports: [{ port: 0 }] }) },
      'spec.ports[0].port: Invalid value: Expected >=1 but received 0',
    ],
    ['no ports at all', { old: old({}, { hosts: ['10.0.0.1'] }) }, /^spec\.ports: /],
    ['no spec', { old: old({}, null) }, /^spec: /],
    ['a Service that another controls', { service: serviceOf([OTHER_OWNER]) }, /StatefulSet/],
    ['Endpoints that another controls', { endpoints: endpointsOf([OTHER_OWNER]) }, /StatefulSet/],
    [
      'a Service with a selector',
      { service: serviceOf([OLD_OWNER], { selector: { a: 'b' } }) },
      /as it has a selector/,
    ],
    [
      'a Service with another clusterIP',
      { service: serviceOf([OLD_OWNER], { clusterIP: '10.96.0.11' }) },
      /^Cannot change the clusterIP of the Service from 10.96.0.11 to 10.96.0.10/,
    ],
  ]
  for (const [what, standing, why] of refused) {
    test(`refuses ${what}`, () => {
      const told = shown(move(standing, true))
      if (typeof why === 'string') expect(told).toBe(why)
      else expect(told).toMatch(why)
    })
  }

  test('creates what a person wrote, without the marks of tools', () => {
    const labels = { team: 'a', 'app.kubernetes.io/managed-by': 'Helm' }
    const annotations = {
      'kubectl.kubernetes.io/last-applied-configuration': '{}',
      'meta.helm.sh/release-name': 'x',
      note: 'b',
    }
    const migration = move({ old: old({ labels, annotations }) })
    const step = migration.ok && migration.steps.find(({ kind }) => kind === 'create')
    expect(step).toEqual({
      kind: 'create',
      manifest: {
        apiVersion: 'sealos.io/v1beta1',
        kind: 'ClusterEndpoint',
        metadata: {
          name: 'wordpress',
          namespace: 'default',
          labels: { team: 'a' },
          annotations: { note: 'b' },
        },
        spec: NEW_SPEC,
      },
    })
  })

  test('says what is lost, what cannot be published, and that it was being deleted', () => {
    const spec = { ...OLD_SPEC, hosts: ['10.0.0.1', 'db_internal'], timeoutSeconds: 3 }
    const migration = move({ old: old({ deletionTimestamp: '2026-11-26T00:00:00Z' }, spec) })
    expect(migration.ok && migration.notes).toEqual([
      'spec.timeoutSeconds is left out: ports have their own, look at them',
      'spec.ports[0].hosts[1]: Cannot use host "db_internal" as it must not hold an underscore',
      'It was being deleted and lives on; delete the new one if that was meant',
    ])
  })
})

describe('planRewrite()', () => {
  const web = { name: 'web', port: 80 }
  const dns = { name: 'dns', port: 53, protocol: 'UDP' }
  const cases: readonly (readonly [what: string, spec: Fields, ports: readonly unknown[]])[] = [
    ['one port', { hosts: ['10.0.0.1'], ports: [web] }, [{ ...web, hosts: ['10.0.0.1'] }]],
    [
      'a port with hosts of its own keeps them',
      { hosts: ['10.0.0.1'], ports: [web, { ...dns, hosts: ['10.0.0.2'] }] },
      [
        { ...web, hosts: ['10.0.0.1'] },
        { ...dns, hosts: ['10.0.0.2'] },
      ],
    ],
    [
      'an empty list is none of its own',
      { hosts: ['10.0.0.1'], ports: [{ ...web, hosts: [] }] },
      [{ ...web, hosts: ['10.0.0.1'] }],
    ],
  ]
  for (const [what, spec, ports] of cases) {
    test(`${what}; the same is published and probed`, () => {
      const migration = planRewrite(cepOf(spec))
      const [step] = migration.ok ? migration.steps : []
      if (step?.kind !== 'rewrite') throw new Error('No step')
      expect(step.spec).toEqual({ ports })
      const targets = (each: unknown) => planOf(specOf(each), { allowLoopback: false }).targets
      expect(targets(step.spec)).toEqual(targets(spec))
    })
  }

  for (const spec of [
    { ports: [{ ...web, hosts: ['10.0.0.1'] }] },
    { hosts: [], ports: [web] },
    {},
  ]) {
    test(`nothing to do for ${JSON.stringify(spec)}`, () =>
      expect(planRewrite(cepOf(spec))).toEqual({ ok: true, steps: [], notes: [] }))
  }

  test('an invalid spec is left alone, and the reason told', () => {
    expect(planRewrite(cepOf({ hosts: ['10.0.0.1'], ports: [{ port: 0 }] }))).toEqual({
      ok: false,
      why: 'spec.ports[0].port: Invalid value: Expected >=1 but received 0',
    })
  })
})
