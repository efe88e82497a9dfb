// The real control plane is what its interface says: else every test built on it would lie.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ControlPlane, startControlPlane, usualControllers } from './controlplane.ts'
import { describeInNamespace } from './describe-in-namespace.ts'
import { isAlive } from './lock.ts'
import { namespaceAddresses } from './netns.ts'
import { findBinaries } from './provision.ts'

const startMaxMs = 180_000
const testMaxMs = 120_000

describeInNamespace('a real control plane', import.meta.path, () => {
  const found = findBinaries()
  const hasControllers = found.ok && found.binaries.kubeControllerManager !== undefined
  let plane: ControlPlane

  beforeAll(async () => {
    plane = await startControlPlane({
      tokens: [{ token: 'secret', user: 'limited', groups: ['testers', 'others'] }],
      controllers: hasControllers ? usualControllers : [],
    })
  }, startMaxMs)

  afterAll(() => plane.stop(), startMaxMs)

  test(
    'takes 200 server-side applies of Services and Endpoints in a row',
    async () => {
      // A server with reflect2 1.0.1, built by Go 1.18 or later, dies at the first one (build.ts).
      const pid = plane.apiserver.pid
      for (let round = 0; round < 100; round++) {
        const name = `applied-${round % 10}`
        expect(await apply(plane, 'services', service(name, 1000 + round))).toBeOneOf([200, 201])
        expect(await apply(plane, 'endpoints', endpoints(name, 1000 + round))).toBeOneOf([200, 201])
      }
      expect(isAlive(pid)).toBe(true)
      expect(await countOfApplies(plane)).toBe(200)
    },
    testMaxMs,
  )

  test(
    'answers kubectl as administrator',
    async () => {
      const manifest = JSON.stringify({
        apiVersion: 'v1',
        kind: 'List',
        items: [service('by-kubectl', 80), endpoints('by-kubectl', 80)],
      })
      const applied = await plane.kubectl(['apply', '-f', '-'], manifest)
      expect(applied).toMatchObject({ code: 0, stdout: expect.stringContaining('created') })

      const read = await plane.kubectl(['get', 'endpoints', 'by-kubectl', '-o', 'name'])
      expect(read).toMatchObject({ code: 0, stdout: 'endpoints/by-kubectl\n' })

      const absent = await plane.kubectl(['get', 'service', 'nobody'])
      expect(absent).toMatchObject({ code: 1, stderr: expect.stringContaining('NotFound') })
    },
    testMaxMs,
  )

  test(
    'gives the bearer of a token the rights of that user and of its groups only',
    async () => {
      const path = '/api/v1/namespaces/default/endpoints'
      expect((await plane.request(path, {}, 'wrong')).status).toBe(401)
      expect((await plane.request(path, {}, 'secret')).status).toBe(403)

      const role = 'create role reader --verb=get,list --resource=endpoints'
      const binding = 'create rolebinding testers --role=reader --group=testers'
      for (const command of [role, binding]) {
        expect(await plane.kubectl(command.split(' '))).toMatchObject({ code: 0 })
      }
      await until(async () => (await plane.request(path, {}, 'secret')).status === 200)
      const attempt = await apply(plane, 'services', service('refused', 80), 'secret')
      expect(attempt).toBe(403)

      const kubeconfig = plane.kubeconfigFor('secret')
      const asLimited = await plane.kubectl([`--kubeconfig=${kubeconfig}`, 'get', 'endpoints'])
      expect(asLimited.code).toBe(0)
    },
    testMaxMs,
  )

  test.skipIf(!hasControllers)(
    'deletes what an owner leaves behind, and mirrors Endpoints into EndpointSlices',
    async () => {
      const owner = await createConfigMap(plane, 'owner')
      const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner }]
      const metadata = { name: 'owned', ownerReferences }
      expect(await apply(plane, 'services', { ...service('owned', 80), metadata })).toBe(201)
      await apply(plane, 'endpoints', endpoints('owned', 80))
      const slices = ['get', 'endpointslices', '-l', 'kubernetes.io/service-name=owned']
      await until(async () => {
        const { stdout } = await plane.kubectl([...slices, '-o', 'jsonpath={..addresses}'])
        return stdout.includes('10.33.40.151')
      })

      await plane.kubectl(['delete', 'configmap', 'owner'])
      await until(async () => {
        const answer = await plane.request('/api/v1/namespaces/default/services/owned')
        return answer.status === 404
      })
    },
    testMaxMs,
  )

  test(
    'keeps port and data when the API server is killed and started again',
    async () => {
      const { server } = plane
      const first = plane.apiserver.pid
      await apply(plane, 'endpoints', endpoints('kept', 80))
      plane.apiserver.kill('SIGKILL')
      await until(async () => !isAlive(first))
      await expect(plane.request('/readyz')).rejects.toThrow()

      await plane.apiserver.restart()
      expect(plane.server).toBe(server)
      expect(plane.apiserver.pid).not.toBe(first)
      const kept = await plane.request('/api/v1/namespaces/default/endpoints/kept')
      expect(kept.status).toBe(200)
    },
    testMaxMs,
  )

  test(
    'keeps data when etcd is killed and started again',
    async () => {
      await apply(plane, 'endpoints', endpoints('kept-by-etcd', 80))
      plane.etcd.kill('SIGKILL')
      await plane.etcd.restart()
      await until(async () => {
        const path = '/api/v1/namespaces/default/endpoints/kept-by-etcd'
        return (await plane.request(path, { signal: AbortSignal.timeout(5_000) })).status === 200
      })
    },
    testMaxMs,
  )

  test(
    'says nothing while it is stopped and goes on when it is continued',
    async () => {
      plane.apiserver.kill('SIGSTOP')
      const stalled = plane.request('/readyz', { signal: AbortSignal.timeout(1_000) })
      await expect(stalled).rejects.toThrow()
      plane.apiserver.kill('SIGCONT')
      await until(async () => (await plane.request('/readyz')).ok)
    },
    testMaxMs,
  )

  test('has the addresses of the namespace on its loopback', async () => {
    for (const address of namespaceAddresses) {
      const hostname = address.replace(/\/.*/, '')
      const listener = Bun.listen({ hostname, port: 0, socket: { data() {} } })
      expect(listener.port).toBeGreaterThan(0)
      listener.stop(true)
    }
  })

  test(
    'leaves no process and no file after stop()',
    async () => {
      const other = await startControlPlane()
      const pids = [other.apiserver.pid, other.etcd.pid]
      expect(pids.map(isAlive)).toEqual([true, true])
      other.apiserver.kill('SIGSTOP')
      await other.stop()
      expect(pids.map(isAlive)).toEqual([false, false])
      expect(existsSync(other.kubeconfig)).toBe(false)
    },
    startMaxMs,
  )

  test.each(['exit', 'SIGTERM', 'SIGKILL'])(
    'leaves no process when the one that started it ends by %s without stop()',
    async (end) => {
      const folder = mkdtempSync(join(tmpdir(), 'forgetful-'))
      const child = Bun.spawn([process.execPath, '-e', forgetful(end)], {
        stdout: 'pipe',
        env: { ...process.env, TMPDIR: folder },
      })
      const started: unknown = JSON.parse(await child.stdout.text())
      await child.exited
      if (!Array.isArray(started)) throw new Error('The child printed no process ids')
      expect(started).toHaveLength(2)
      await until(async () => !started.some(isAlive))
      // A SIGKILL leaves files: no program can tidy up after that.
      if (end !== 'SIGKILL') expect(readdirSync(folder)).toEqual([])
      rmSync(folder, { recursive: true })
    },
    startMaxMs,
  )
})

/** A program that starts a control plane, prints its process ids, and ends without tidying up. */
function forgetful(end: string): string {
  return `
    import { startControlPlane } from '${import.meta.dir}/controlplane.ts'
    const { etcd, apiserver } = await startControlPlane()
    require('node:fs').writeSync(1, JSON.stringify([etcd.pid, apiserver.pid]))
    if ('${end}' === 'exit') process.exit(0)
    process.kill(process.pid, '${end}')
  `
}

function service(name: string, port: number) {
  const ports = [{ name: 'web', protocol: 'TCP', port, targetPort: port }]
  return { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { ports } }
}

function endpoints(name: string, port: number) {
  const addresses = [{ ip: '10.33.40.151' }, { ip: '10.33.40.152' }]
  const subsets = [{ addresses, ports: [{ name: 'web', protocol: 'TCP', port }] }]
  return { apiVersion: 'v1', kind: 'Endpoints', metadata: { name }, subsets }
}

/** The status of a server-side apply into the namespace `default`. */
async function apply(
  plane: ControlPlane,
  resource: 'services' | 'endpoints',
  object: { readonly metadata: { readonly name: string } },
  token?: string,
): Promise<number> {
  const path = `/api/v1/namespaces/default/${resource}/${object.metadata.name}`
  const query = 'fieldManager=controlplane-test&force=true'
  const answer = await plane.request(
    `${path}?${query}`,
    {
      method: 'PATCH',
      headers: { 'Content-Type': 'application/apply-patch+yaml' },
      body: JSON.stringify(object),
    },
    token,
  )
  await answer.body?.cancel()
  return answer.status
}

/** Creates it and returns its uid. */
async function createConfigMap(plane: ControlPlane, name: string): Promise<string> {
  const made = await plane.kubectl(['create', 'configmap', name, '-o', 'jsonpath={.metadata.uid}'])
  expect(made.code).toBe(0)
  return made.stdout
}

async function countOfApplies(plane: ControlPlane): Promise<number> {
  const lines = (await plane.metricsText()).split('\n')
  return lines
    .filter((line) => /^apiserver_request_total\{.*verb="APPLY"/.test(line))
    .map((line) => Number(line.slice(line.lastIndexOf(' '))))
    .reduce((sum, count) => sum + count, 0)
}

/** Polls; what rejects counts as "not yet". Throws when it is not so in half a minute. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 30_000
  while (!(await isSo().catch(() => false))) {
    if (performance.now() > deadlineMs) throw new Error(`Waited 30 s in vain for ${isSo}`)
    await sleep(100)
  }
}
