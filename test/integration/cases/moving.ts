// `migrate`: resources of earlier versions move in, and what is published never notices.

import { expect, test } from 'bun:test'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Place } from '../api.ts'
import { runCommand, spawnCommand } from '../command.ts'
import { throughout } from '../eventually.ts'
import { legacyClusterEndpoint, madeByGo } from '../legacy.ts'
import { tcpPort } from '../manifests.ts'
import { type KubeObject, published } from '../objects.ts'
import { Sandbox } from '../sandbox.ts'
import type { Session } from '../session.ts'

const SOON_MS = 10_000
const TEST_MAX_MS = 60_000
/** Milliseconds in which a garbage collector that is wrong would have shown it. */
const COLLECTED_MS = 1_500

export function movingCases(session: () => Session): void {
  test(
    'a resource of v0.1.x moves in: tried, done, done again, deleted, and restored by kubectl',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const { hosts } = session().world
      const { port } = await startOld(sandbox, 'db', hosts)
      const [services, resource] = [await standing(sandbox), await old(sandbox)]

      const tried = await migrate(sandbox, '--dry-run')
      expect(tried).toMatchObject({ code: 0, stderr: '' })
      expect(lines(tried.stdout)).toEqual(STEPS.map((step) => `db: ${step} (dry run)`))
      expect([await standing(sandbox), await old(sandbox)]).toEqual([services, resource])
      expect(readdirSync(sandbox.folder)).toEqual([])

      const done = await migrate(sandbox, '--backup', 'all.json')
      expect(done).toMatchObject({ code: 0, stderr: '' })
      expect(lines(done.stdout)).toEqual([
        'backup: all.json',
        ...STEPS.map((step) => `db: ${step}`),
      ])
      const backup = join(sandbox.folder, 'all.json')
      expect(statSync(backup).mode & 0o777).toBe(0o600)
      expect(sandbox.latest('clusterendpoints', 'db')).toMatchObject({
        metadata: { labels: { team: 'billing' } },
        spec: { ports: [{ name: 'web', hosts }] },
      })
      expect((await old(sandbox))?.metadata.finalizers).toEqual([])

      const again = await migrate(sandbox, '--backup', 'none.json')
      expect(again).toEqual({ code: 0, stdout: 'nothing to do\n', stderr: '' })
      expect(existsSync(join(sandbox.folder, 'none.json'))).toBe(false)

      const refused = await migrate(sandbox, '--delete-old', '--backup', 'all.json')
      expect(refused).toMatchObject({ code: 2, stdout: '' })
      expect(refused.stderr).toContain('as it is there already')
      expect(await old(sandbox)).toBeDefined()

      if (!session().world.collectsGarbage) {
        console.log(`${session().world.name}: no garbage collector, so deletion was not tested`)
        return
      }
      expect(await migrate(sandbox, '--delete-old')).toMatchObject({ code: 0, stderr: '' })
      await sandbox.eventually(SOON_MS, async () => expect(await old(sandbox)).toBeUndefined())
      await throughout(COLLECTED_MS, async () => {
        const uids = (all: typeof services) => all.map((each) => each?.metadata.uid)
        expect(uids(await standing(sandbox))).toEqual(uids(services))
      })
      expectNeverUnpublished(sandbox, 'db', hosts, port)

      const { kubectl } = session().world
      if (!kubectl) return
      await sandbox.remove('clusterendpoints', 'db', 'Orphan')
      await sandbox.eventually(SOON_MS, () =>
        expect(sandbox.latest('clusterendpoints', 'db')).toBeUndefined(),
      )
      expect(await kubectl(['apply', '-f', backup])).toMatchObject({ code: 0 })
      expect(await old(sandbox)).toMatchObject({ spec: { hosts } })
    },
    TEST_MAX_MS,
  )

  test(
    'what cannot be moved is told by its path, and the others go on',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const { hosts } = session().world
      const { port } = await startOld(sandbox, 'good', hosts)
      await createOld(sandbox, legacyClusterEndpoint('bad', hosts, 0, { periodSeconds: -1 }))
      await createOld(sandbox, legacyClusterEndpoint('taken', hosts, 80))
      await sandbox.create('taken', { ports: [tcpPort('web', 81, hosts)] })

      const { code, stdout, stderr } = await migrate(sandbox)
      expect(code).toBe(1)
      expect(lines(stderr).map((line) => line.slice(sandbox.namespace.length + 1))).toEqual([
        'bad: spec.periodSeconds: Invalid value: Expected >=0 but received -1',
        'taken: Cannot move it as a sealos.io/v1beta1 one of its name has another spec; make them equal, or delete one',
      ])
      expect(stdout).toContain(`${sandbox.namespace}/good: ClusterEndpoint of sealos.io created`)
      expect(stdout).not.toMatch(/\/(bad|taken):/)
      expectNeverUnpublished(sandbox, 'good', hosts, port)
    },
    TEST_MAX_MS,
  )

  test(
    'spec.hosts moves to the ports, and nothing else is written',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const { hosts } = session().world
      const { port } = await startOnce(sandbox, hosts)
      const entry = { name: 'web', port: 80, targetPort: port, tcpSocket: {} }
      await sandbox.create('db', { periodSeconds: 1, hosts, ports: [entry] })
      await sandbox.eventually(SOON_MS, () =>
        expect(sandbox.published('db')).toHaveLength(hosts.length),
      )
      const before = await standing(sandbox)

      const done = await migrate(sandbox)
      expect(done).toMatchObject({ code: 0, stderr: '' })
      expect(lines(done.stdout).at(-1)).toBe(
        'db: spec.hosts moved to the ports; change your manifest, too',
      )
      await sandbox.eventually(SOON_MS, () => {
        const cep = sandbox.latest('clusterendpoints', 'db')
        expect(cep?.spec).toMatchObject({ ports: [{ name: 'web', hosts }] })
        expect(cep?.spec).not.toHaveProperty('hosts')
        expect(sandbox.status('db')?.observedGeneration).toBe(2)
        expect(sandbox.status('db')?.phase).toBe('Healthy')
      })
      expect(await standing(sandbox)).toEqual(before)
      expect((await migrate(sandbox)).stdout).toBe('nothing to do\n')
    },
    TEST_MAX_MS,
  )

  test(
    'without an operator it waits, says so, can be stopped, and goes on where it was',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const { hosts } = session().world
      const { port } = await startOld(sandbox, 'db', hosts)
      await session().restart(async () => {
        const child = spawnCommand(argsOf(sandbox), { cwd: sandbox.folder })
        const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader()
        let said = ''
        while (!said.includes('created')) said += (await reader.read()).value ?? 'ended created'
        child.kill('SIGTERM')
        expect(await child.exited).toBe(1)
        expect(await child.stderr.text()).toBe(
          'stopped between two steps: all is published as before; run migrate again to go on\n',
        )
        const waited = await migrate(sandbox, '--wait=500ms', '--backup=second.json')
        expect(waited.code).toBe(1)
        expect(waited.stderr).toContain('the operator has not taken over; is it running?')
        // The old one can go now, and nothing goes with it.
        const [service] = await standing(sandbox)
        expect(service?.metadata.ownerReferences).toEqual([])
      })
      const done = await migrate(sandbox, '--delete-old', '--backup=third.json')
      expect(done).toMatchObject({ code: 0, stderr: '' })
      // That the operator had taken over may or may not have been so by then.
      expect(lines(done.stdout).slice(-2)).toEqual(
        [...STEPS.slice(4), 'ClusterEndpoint of sealyun.com deleted'].map((step) => `db: ${step}`),
      )
      expectNeverUnpublished(sandbox, 'db', hosts, port)
    },
    TEST_MAX_MS,
  )

  test(
    'one that hangs in its deletion lives on as a new one',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const { hosts } = session().world
      const { port } = await startOld(sandbox, 'db', hosts)
      await session().api.remove(oldPlace(sandbox, 'db'))
      expect((await old(sandbox))?.metadata.deletionTimestamp).toBeDefined()

      const done = await migrate(sandbox)
      expect(done.code).toBe(0)
      expect(done.stderr).toContain('db: It was being deleted and lives on')
      await sandbox.eventually(SOON_MS, async () => expect(await old(sandbox)).toBeUndefined())
      await throughout(COLLECTED_MS, () => expect(sandbox.published('db')).toHaveLength(2))
      expectNeverUnpublished(sandbox, 'db', hosts, port)
    },
    TEST_MAX_MS,
  )

  test(
    'while the Go version renews its lease nothing is changed',
    async () => {
      await using sandbox = await Sandbox.open(session())
      await startOld(sandbox, 'db', session().world.hosts)
      const before = [await standing(sandbox), await old(sandbox)]
      // As installed, the operator has the same lease: only one of the two holds it.
      await session().restart(async () => {
        await using lease = await startRenewing(session())
        const refused = await migrate(sandbox)
        expect(refused).toMatchObject({ code: 1, stdout: '' })
        expect(refused.stderr).toMatch(
          /^endpoints-operator: Cannot migrate while the Go version runs, .+\n$/,
        )
        expect([await standing(sandbox), await old(sandbox)]).toEqual(before)
        expect(readdirSync(sandbox.folder)).toEqual([])
        await lease.stop()
      })
      // A lease that nobody renews is what a version that was stopped leaves behind.
      expect(await migrate(sandbox)).toMatchObject({ code: 0, stderr: '' })
    },
    TEST_MAX_MS,
  )
}

const STEPS = [
  'Service freed from the old owner',
  'Endpoints freed from the old owner',
  'ClusterEndpoint of sealos.io created',
  'Service and Endpoints taken over by the operator',
  'finalizers removed from the ClusterEndpoint of sealyun.com',
]

function argsOf(sandbox: Sandbox): string[] {
  const { kubeconfig } = sandbox.session.world
  return ['migrate', '-n', sandbox.namespace, '--kubeconfig', kubeconfig]
}

async function migrate(sandbox: Sandbox, ...args: readonly string[]) {
  const result = await runCommand([...argsOf(sandbox), ...args], { cwd: sandbox.folder })
  return { ...result, stdout: result.stdout.replaceAll(`${sandbox.namespace}/db`, 'db') }
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '')
}

function oldPlace({ place }: Sandbox, name?: string): Place {
  return { ...place('clusterendpoints', name), group: 'sealyun.com' }
}

async function old(sandbox: Sandbox): Promise<KubeObject | undefined> {
  return await sandbox.session.api.get(oldPlace(sandbox, 'db'))
}

/** Creates a resource of v0.1.x, by real kubectl where there is one. */
async function createOld(
  sandbox: Sandbox,
  object: ReturnType<typeof legacyClusterEndpoint>,
): Promise<KubeObject> {
  const { api, world } = sandbox.session
  if (!world.kubectl) return await api.create(oldPlace(sandbox), object)
  const args = ['apply', '-n', sandbox.namespace, '-f', '-']
  expect(await world.kubectl(args, JSON.stringify(object))).toMatchObject({ code: 0 })
  const created = await api.get(oldPlace(sandbox, object.metadata.name))
  if (!created) throw new Error('Cannot find what kubectl made')
  return created
}

async function startOnce(sandbox: Sandbox, hosts: readonly string[]): Promise<{ port: number }> {
  const [backend] = await sandbox.startOnEach('tcp', hosts)
  return { port: backend?.port ?? 0 }
}

/** A resource of v0.1.x with hosts that answer, and what the Go version had published for it. */
async function startOld(
  sandbox: Sandbox,
  name: string,
  hosts: readonly string[],
): Promise<{ port: number }> {
  const { api } = sandbox.session
  const { port } = await startOnce(sandbox, hosts)
  const owner = await createOld(sandbox, legacyClusterEndpoint(name, hosts, port))
  const { service, endpoints } = madeByGo(owner, hosts, port)
  await api.create(sandbox.place('services'), service)
  await api.create(sandbox.place('endpoints'), endpoints)
  await sandbox.eventually(SOON_MS, () =>
    expect(sandbox.published(name)).toHaveLength(hosts.length),
  )
  return { port }
}

/** The Service and the Endpoints `db` as they stand. */
async function standing({ session, place }: Sandbox): Promise<(KubeObject | undefined)[]> {
  return await Promise.all([
    session.api.get(place('services', 'db')),
    session.api.get(place('endpoints', 'db')),
  ])
}

function expectNeverUnpublished(
  { session, namespace }: Sandbox,
  name: string,
  hosts: readonly string[],
  port: number,
): void {
  const versions = session.recordings.endpoints.versions(namespace, name)
  expect(versions.length).toBeGreaterThan(1)
  for (const { object } of versions) {
    expect(published(object)).toEqual(hosts.map((host) => `web TCP ${host}:${port}`))
  }
}

/** The lease of a Go version that runs, until it is stopped; then it stays as that left it. */
async function startRenewing({
  world,
}: Session): Promise<{ stop(): Promise<void> } & AsyncDisposable> {
  const path = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases'
  const name = 'sealyun-endpoints-operator-leader-election'
  const send = async (method: string, at: string, type: string, body?: unknown) => {
    const headers = { 'Content-Type': type }
    const init = { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) }
    const answer = await world.request(at, init)
    if (!answer.ok && answer.status !== 409)
      throw new Error(`Cannot ${method} the lease: ${await answer.text()}`)
  }
  const holderIdentity = `node-1_${crypto.randomUUID()}`
  const spec = () => ({
    holderIdentity,
    leaseDurationSeconds: 1,
    renewTime: new Date().toISOString().replace('Z', '000Z'),
  })
  await send('POST', path, 'application/json', {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name },
    spec: spec(),
  })
  let isRunning = true
  const renewing = (async () => {
    while (isRunning) {
      await send('PATCH', `${path}/${name}`, 'application/merge-patch+json', { spec: spec() })
      await Bun.sleep(200)
    }
  })()
  const stop = async () => {
    isRunning = false
    await renewing
  }
  return {
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
