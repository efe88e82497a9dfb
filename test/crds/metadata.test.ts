import { describe, expect, test } from 'bun:test'
import * as v from 'valibot'
import {
  controllerOf,
  desiredMetadata,
  liveMetadataSchema,
  MANAGED_LABEL,
  MANAGED_VALUE,
  metadataDrift,
} from '../../crds/metadata.ts'
import { cepOf } from './fixtures.ts'
import { kubectlEntry, liveMetadata, OTHER_OWNER, OUR_OWNER, ourEntry } from './live.ts'

type Texts = Readonly<Record<string, string>>

function liveOf(more: Readonly<Record<string, unknown>> = {}) {
  return v.parse(liveMetadataSchema, liveMetadata(more))
}

/** The keys of what a ClusterEndpoint with `entries` carries over, both as labels and as annotations. */
function carried(entries: Texts): { labels: string[]; annotations: string[] } {
  const { labels, annotations } = desiredMetadata(
    cepOf({}, { labels: entries, annotations: entries }),
  )
  const { [MANAGED_LABEL]: _, ...others } = labels
  return { labels: Object.keys(others), annotations: Object.keys(annotations) }
}

describe('desiredMetadata()', () => {
  test('carries labels and annotations over, beside our own label', () => {
    const cep = cepOf({}, { labels: { app: 'db' }, annotations: { note: 'hands off' } })
    expect(desiredMetadata(cep)).toMatchObject({
      labels: { app: 'db', [MANAGED_LABEL]: MANAGED_VALUE },
      annotations: { note: 'hands off' },
    })
  })

  test('does not let a ClusterEndpoint call itself managed by somebody else', () => {
    const cep = cepOf({}, { labels: { [MANAGED_LABEL]: 'me' } })
    expect(desiredMetadata(cep).labels).toEqual({ [MANAGED_LABEL]: MANAGED_VALUE })
  })

  test('makes the ClusterEndpoint the controller, without blocking its deletion', () => {
    expect(desiredMetadata(cepOf()).ownerReferences).toEqual([
      {
        apiVersion: 'sealos.io/v1beta1',
        kind: 'ClusterEndpoint',
        name: 'wordpress',
        uid: OUR_OWNER.uid,
        controller: true,
        blockOwnerDeletion: false,
      },
    ])
  })

  const marks = [
    'kubectl.kubernetes.io/last-applied-configuration',
    'kubectl.kubernetes.io/restartedAt',
    'meta.helm.sh/release-name',
    'meta.helm.sh/release-namespace',
    'helm.sh/chart',
    'helm.sh/hook',
    'helm.toolkit.fluxcd.io/name',
    'kustomize.toolkit.fluxcd.io/namespace',
    'fluxcd.io/sync-gc-mark',
    'argocd.argoproj.io/instance',
    'argocd.argoproj.io/tracking-id',
    'objectset.rio.cattle.io/hash',
    'kapp.k14s.io/app',
    'app.kubernetes.io/managed-by',
  ]
  for (const mark of marks) {
    test(`does not carry the tool's mark ${mark}`, () => {
      expect(carried({ [mark]: 'x', app: 'db' })).toEqual({ labels: ['app'], annotations: ['app'] })
    })
  }

  const kept = [
    'app',
    'app.kubernetes.io/name',
    'app.kubernetes.io/instance',
    'example.com/helm.sh',
    'xhelm.sh/chart',
    'helm.sh',
    'kubernetes.io/description',
    'service.kubernetes.io/topology-mode',
    'endpointslice.kubernetes.io/skip-mirror',
    // Keys that every JavaScript object knows.
    'constructor',
    'prototype',
    'toString',
    'hasOwnProperty',
  ]
  for (const key of kept) {
    test(`carries ${key}`, () => {
      expect(carried({ [key]: 'x' })).toEqual({ labels: [key], annotations: [key] })
    })
  }
})

describe('metadataDrift()', () => {
  const labelsOwned = (...keys: string[]) => [
    ourEntry([], {
      'f:labels': Object.fromEntries([MANAGED_LABEL, ...keys].map((key) => [`f:${key}`, {}])),
      'f:annotations': Object.fromEntries(keys.map((key) => [`f:${key}`, {}])),
    }),
  ]
  const ours = { [MANAGED_LABEL]: MANAGED_VALUE }
  const rows: readonly [
    name: string,
    cep: { readonly labels?: Texts; readonly annotations?: Texts },
    live: Readonly<Record<string, unknown>>,
    drift: readonly string[],
  ][] = [
    ['nothing when all is as it was applied', {}, {}, []],
    [
      'nothing when labels are as wished',
      { labels: { a: '1' } },
      { labels: { ...ours, a: '1' } },
      [],
    ],
    ['a wished label that is missing', { labels: { a: '1' } }, {}, ['labels']],
    [
      'a wished label that is wrong',
      { labels: { a: '1' } },
      { labels: { ...ours, a: '2' } },
      ['labels'],
    ],
    ['our own label when it is wrong', {}, { labels: { [MANAGED_LABEL]: 'me' } }, ['labels']],
    ['a wished annotation that is missing', { annotations: { a: '1' } }, {}, ['annotations']],
    [
      'a wished annotation that is empty where it should not be',
      { annotations: { a: '1' } },
      { annotations: { a: '' } },
      ['annotations'],
    ],
    [
      'nothing of labels and annotations that others set',
      {},
      {
        labels: { ...ours, 'example.com/pool': 'x' },
        annotations: { 'example.com/seen': 'y' },
        managedFields: [kubectlEntry([]), ...labelsOwned()],
      },
      [],
    ],
    [
      'a label that we applied and that is not wished any more',
      {},
      { labels: { ...ours, a: '1' }, managedFields: labelsOwned('a') },
      ['labels'],
    ],
    [
      'an annotation that we applied and that is not wished any more',
      {},
      { annotations: { a: '1' }, managedFields: labelsOwned('a') },
      ['annotations'],
    ],
    [
      'a label that is called as a method of every object',
      {},
      { labels: { ...ours, toString: '1' }, managedFields: labelsOwned('toString') },
      ['labels'],
    ],
    [
      'a label constructor that is wished and missing',
      { labels: { constructor: '1' } },
      {},
      ['labels'],
    ],
    [
      'nothing of a label that we owned and that is gone already',
      {},
      { managedFields: labelsOwned('a') },
      [],
    ],
    [
      'nothing of a label that is wished and that we own',
      { labels: { a: '1' } },
      { labels: { ...ours, a: '1' }, managedFields: labelsOwned('a') },
      [],
    ],
    ['the controller when it is missing', {}, { ownerReferences: [] }, ['ownerReferences']],
    ['the controller when it is null', {}, { ownerReferences: null }, ['ownerReferences']],
    [
      'the controller when it is another',
      {},
      { ownerReferences: [OTHER_OWNER] },
      ['ownerReferences'],
    ],
    [
      'the controller when we are an owner only',
      {},
      { ownerReferences: [{ ...OUR_OWNER, controller: false }] },
      ['ownerReferences'],
    ],
    [
      'the controller when it is an earlier one of the same name',
      {},
      { ownerReferences: [{ ...OUR_OWNER, uid: 'earlier' }] },
      ['ownerReferences'],
    ],
    [
      'nothing when others own it as well',
      {},
      { ownerReferences: [{ ...OTHER_OWNER, controller: false }, OUR_OWNER] },
      [],
    ],
  ]
  for (const [name, cep, live, drift] of rows) {
    test(`tells ${name}`, () => {
      expect(metadataDrift(desiredMetadata(cepOf({}, cep)), liveOf(live))).toEqual([...drift])
    })
  }
})

describe('controllerOf()', () => {
  test('is the owner that controls, wherever it stands', () => {
    const live = liveOf({ ownerReferences: [{ ...OTHER_OWNER, controller: false }, OUR_OWNER] })
    expect(controllerOf(live)?.uid).toBe(OUR_OWNER.uid)
  })

  test('is nobody when nobody controls', () => {
    expect(
      controllerOf(liveOf({ ownerReferences: [{ ...OTHER_OWNER, controller: null }] })),
    ).toBeUndefined()
    expect(controllerOf(liveOf({ ownerReferences: undefined }))).toBeUndefined()
  })
})
