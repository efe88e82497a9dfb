// The Service and the Endpoints are put right when somebody touches them.

import { expect, test } from 'bun:test'
import { type Kept, Sandbox } from '../sandbox.ts'
import type { Session } from '../session.ts'
import { shapeOfWeb, startWeb } from './web.ts'

const REPAIR_MAX_MS = 2_000
const TEST_MAX_MS = 60_000
const MANAGED_LABEL = 'sealos.io/managed-by'

export function repairCases(session: () => Session): void {
  test(
    'a Service or Endpoints deleted by hand is back within 2 s',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const { before } = await startWeb(sandbox)
      for (const plural of ['services', 'endpoints'] as const) {
        const uid = sandbox.latest(plural, 'web')?.metadata.uid
        const startMs = performance.now()
        await sandbox.remove(plural, 'web')
        await sandbox.eventually(REPAIR_MAX_MS, () => {
          expect(sandbox.latest(plural, 'web')?.metadata.uid).not.toBe(uid)
          expect(shapeOfWeb(sandbox)).toEqual(before)
        })
        tellRepair(sandbox, `deleted ${plural}`, startMs)
      }
    },
    TEST_MAX_MS,
  )

  for (const { what, plural, patch } of EDITS) {
    test(
      `${what} by hand is put right within 2 s`,
      async () => {
        await using sandbox = await Sandbox.open(session())
        const { before } = await startWeb(sandbox)
        const startMs = performance.now()
        const { metadata } = await sandbox.patch(plural, 'web', patch)
        await seen(sandbox, plural, metadata.resourceVersion)
        await sandbox.eventually(REPAIR_MAX_MS, () => {
          const { resourceVersion } = sandbox.latest(plural, 'web')?.metadata ?? {}
          expect(resourceVersion).not.toBe(metadata.resourceVersion)
          expect(shapeOfWeb(sandbox)).toEqual(before)
        })
        tellRepair(sandbox, what, startMs)
      },
      TEST_MAX_MS,
    )
  }

  test(
    'what others add to the Service and the Endpoints stays, through repairs too',
    async () => {
      await using sandbox = await Sandbox.open(session())
      await startWeb(sandbox)
      const extra = { metadata: { annotations: { 'example.com/theirs': 'kept' } } }
      await sandbox.patch('services', 'web', { ...extra, spec: { sessionAffinity: 'ClientIP' } })
      await sandbox.patch('endpoints', 'web', extra)
      await sandbox.patch('services', 'web', { metadata: { labels: { [MANAGED_LABEL]: null } } })
      await sandbox.patch('endpoints', 'web', { subsets: null })
      const kept = { 'example.com/theirs': 'kept', 'example.com/ours': 'carried' }
      await sandbox.eventually(REPAIR_MAX_MS, () => {
        const service = sandbox.latest('services', 'web')
        expect(service?.metadata.labels[MANAGED_LABEL]).toBe('endpoints-operator')
        expect(service?.metadata.annotations).toMatchObject(kept)
        expect(service?.spec).toMatchObject({ sessionAffinity: 'ClientIP' })
        expect(sandbox.latest('endpoints', 'web')?.metadata.annotations).toMatchObject(kept)
        expect(sandbox.published('web')).not.toBeEmpty()
      })
    },
    TEST_MAX_MS,
  )
}

type Edit = { readonly what: string; readonly plural: Kept; readonly patch: unknown }

/** Merge patches, as `kubectl edit` sends them. */
const EDITS: readonly Edit[] = [
  {
    what: 'our label taken off the Service',
    plural: 'services',
    patch: { metadata: { labels: { [MANAGED_LABEL]: null } } },
  },
  {
    what: 'a carried label changed on the Service',
    plural: 'services',
    patch: { metadata: { labels: { app: 'other' } } },
  },
  {
    what: 'the owner taken off the Service',
    plural: 'services',
    patch: { metadata: { ownerReferences: null } },
  },
  {
    what: 'the ports of the Service changed',
    plural: 'services',
    patch: {
      spec: { ports: [{ name: 'tcp', protocol: 'TCP', port: 80, targetPort: 1 }] },
    },
  },
  {
    what: 'the ports of the Service replaced',
    plural: 'services',
    patch: {
      spec: { ports: [{ name: 'mine', protocol: 'TCP', port: 90, targetPort: 90 }] },
    },
  },
  {
    what: 'our label taken off the Endpoints',
    plural: 'endpoints',
    patch: { metadata: { labels: { [MANAGED_LABEL]: null } } },
  },
  {
    what: 'a carried annotation changed on the Endpoints',
    plural: 'endpoints',
    patch: { metadata: { annotations: { 'example.com/ours': 'changed' } } },
  },
  {
    what: 'the owner taken off the Endpoints',
    plural: 'endpoints',
    patch: { metadata: { ownerReferences: null } },
  },
  { what: 'the Endpoints emptied', plural: 'endpoints', patch: { subsets: null } },
  {
    what: 'another address put into the Endpoints',
    plural: 'endpoints',
    patch: {
      subsets: [
        {
          addresses: [{ ip: '10.1.2.3' }],
          ports: [{ name: 'tcp', protocol: 'TCP', port: 4 }],
        },
      ],
    },
  },
]

/** Resolves when the recording has come to this version: what it shows before is the past. */
async function seen(sandbox: Sandbox, plural: Kept, resourceVersion: string): Promise<void> {
  await sandbox.eventually(REPAIR_MAX_MS, () => {
    const versions = sandbox.session.recordings[plural].versions(sandbox.namespace, 'web')
    const known = versions.map(({ object }) => object?.metadata.resourceVersion)
    expect(known).toContain(resourceVersion)
  })
}

function tellRepair({ session }: Sandbox, what: string, startMs: number): void {
  const ms = Math.round(performance.now() - startMs)
  console.log(`${session.world.name}: ${what}: repaired after ${ms} ms`)
}
