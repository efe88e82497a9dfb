// The sample of the seed, with its own numbers: applied, published, failing over, coming back.

import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import type { Backend } from '../../backends/backend.ts'
import { published } from '../objects.ts'
import { type BackendKind, Sandbox } from '../sandbox.ts'
import type { Session } from '../session.ts'

const SAMPLE = join(import.meta.dir, '../../../deploy/samples/wordpress.yaml')
const NAME = 'wordpress'
/** Seconds, as the sample says. */
const PERIOD = 10
/** Milliseconds from a death to Endpoints without the host, and from a return to Endpoints with it. */
const OUT_MAX_MS = (PERIOD + 4) * 1000
const BACK_MAX_MS = (PERIOD + 2) * 1000
/** Events that the first round and one failover of four hosts may cause. */
const EVENTS_MAX = 12

/** By the name of the port in the sample. */
const KINDS: Readonly<Record<string, BackendKind>> = {
  'wp-https': 'tcp',
  'wp-http': 'http',
  'wp-udp': 'udp',
  'wp-grpc': 'grpc',
}

const sampleSchema = v.object({
  spec: v.object({
    ports: v.array(
      v.object({
        name: v.picklist(['wp-https', 'wp-http', 'wp-udp', 'wp-grpc']),
        protocol: v.string(),
        targetPort: v.number(),
        hosts: v.array(v.string()),
      }),
    ),
  }),
})

type Host = { readonly kind: BackendKind; readonly published: string; readonly backend: Backend }

export function seedCase(session: () => Session): void {
  test('the sample of the seed is accepted and published, fails over and comes back', async () => {
    const { world } = session()
    await using sandbox = await Sandbox.open(session(), 'default')
    const manifest = world.localised(readFileSync(SAMPLE, 'utf8'))
    const hosts = await startHosts(sandbox, manifest)
    const all = hosts.map(({ published }) => published).sort()
    expect(all).toHaveLength(8)

    await applyManifest(sandbox, manifest)
    await sandbox.eventually(10_000, () => {
      expect(sandbox.published(NAME)).toEqual(all)
      expect(sandbox.status(NAME)).toMatchObject({ phase: 'Healthy', ready: '8/8' })
    })

    // One of each kind, two at each address: the 1st, 4th, 5th and 8th.
    const victims = hosts.filter((_, index) => index % 4 === 0 || index % 4 === 3)
    const kinds = victims.map(({ kind }) => kind)
    expect(kinds).toEqual(['tcp', 'http', 'udp', 'grpc'])
    const left = all.filter((each) => !victims.some(({ published }) => published === each))

    const killedMs = performance.now()
    await Promise.all(victims.map(({ backend }) => backend.kill()))
    await sandbox.eventually(OUT_MAX_MS, () => expect(sandbox.published(NAME)).toEqual(left))
    for (const { kind, published } of victims) {
      const outMs = msUntil(sandbox, killedMs, (now) => !now.includes(published))
      console.log(`${world.name}: ${kind} host out after ${seconds(outMs)}`)
      expect(outMs).toBeLessThan(OUT_MAX_MS)
    }
    await sandbox.eventually(2_000, () =>
      expect(sandbox.status(NAME)).toMatchObject({ phase: 'UnHealthy', ready: '4/8' }),
    )
    await tellsAPerson(
      sandbox,
      victims.map(({ backend }) => backend.host),
    )

    const returnedMs = performance.now()
    await Promise.all(victims.map(({ backend }) => backend.restart()))
    await sandbox.eventually(BACK_MAX_MS, () => expect(sandbox.published(NAME)).toEqual(all))
    for (const { kind, published } of victims) {
      const backMs = msUntil(sandbox, returnedMs, (now) => now.includes(published))
      console.log(`${world.name}: ${kind} host back after ${seconds(backMs)}`)
      expect(backMs).toBeLessThan(BACK_MAX_MS)
    }
    await sandbox.eventually(2_000, () => {
      expect(sandbox.status(NAME)).toMatchObject({ phase: 'Healthy', ready: '8/8' })
      expect(sandbox.events(NAME, 'HostUnhealthy')).not.toBeEmpty()
      expect(sandbox.events(NAME, 'HostHealthy')).not.toBeEmpty()
    })
    const told = sandbox.events(NAME).reduce((sum, { count }) => sum + count, 0)
    expect(told).toBeLessThanOrEqual(EVENTS_MAX)
  }, 60_000)
}

/** A backend for every host of every port, in the manifest's order. */
async function startHosts(sandbox: Sandbox, manifest: string): Promise<Host[]> {
  const { ports } = v.parse(sampleSchema, Bun.YAML.parse(manifest)).spec
  const hosts: Host[] = []
  for (const { name, protocol, targetPort, hosts: addresses } of ports) {
    for (const address of addresses) {
      const kind = KINDS[name] ?? 'tcp'
      const backend = await sandbox.start(kind, address, targetPort)
      hosts.push({ kind, backend, published: `${name} ${protocol} ${address}:${targetPort}` })
    }
  }
  return hosts
}

async function applyManifest({ session }: Sandbox, manifest: string): Promise<void> {
  const { world, api } = session
  if (world.kubectl) {
    const applied = await world.kubectl(['apply', '-f', '-'], manifest)
    expect(applied).toMatchObject({ code: 0, stdout: expect.stringContaining('created') })
  } else {
    const place = { plural: 'clusterendpoints', namespace: 'default' } as const
    await api.create(place, Bun.YAML.parse(manifest))
  }
}

/** While hosts are out, kubectl says which and why. */
async function tellsAPerson({ session }: Sandbox, hosts: readonly string[]): Promise<void> {
  const { kubectl } = session.world
  if (!kubectl) return
  const listed = await kubectl(['get', 'cep', '-n', 'default'])
  expect(listed.stdout).toMatch(/wordpress +UnHealthy +4\/8/)
  const wide = await kubectl(['get', 'cep', '-n', 'default', '-o', 'wide'])
  expect(wide.stdout).toContain(`${hosts[0]}`)
  expect(wide.stdout).toContain('connect ECONNREFUSED')
  const described = await kubectl(['describe', 'cep', NAME, '-n', 'default'])
  for (const host of hosts) expect(described.stdout).toContain(host)
  expect(described.stdout).toMatch(/Reason: +connect ECONNREFUSED/)
  expect(described.stdout).toMatch(/Warning +HostUnhealthy/)
}

/** Milliseconds from `sinceMs` to the first version of the Endpoints for which `isSo`. */
function msUntil(
  { session }: Sandbox,
  sinceMs: number,
  isSo: (published: readonly string[]) => boolean,
): number {
  const version = session.recordings.endpoints
    .versions('default', NAME)
    .find(({ object, atMs }) => atMs >= sinceMs && isSo(published(object)))
  return (version?.atMs ?? Number.POSITIVE_INFINITY) - sinceMs
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
