// The operator out of the image's own files, as a Pod has it, against a real API server.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ControlPlane, startControlPlane } from '../controlplane/controlplane.ts'
import { describeInNamespace } from '../controlplane/describe-in-namespace.ts'
import { freePorts } from '../controlplane/free-ports.ts'
import { eventually } from '../integration/eventually.ts'
import { clusterEndpoint, tcpPort } from '../integration/manifests.ts'
import { statusOf } from '../process/spawn.ts'
import {
  type Container,
  mountServiceAccount,
  startContainer,
  UID,
  unpackImage,
} from './container.ts'
import { describeWithImage } from './describe-with-image.ts'

const HOST = '10.33.40.151'
const TEST_MAX_MS = 120_000

describeWithImage('the image', (layout) =>
  describeInNamespace('the operator out of the image', import.meta.path, () => {
    let plane: ControlPlane
    let root: string

    beforeAll(async () => {
      ;[plane, root] = await Promise.all([startControlPlane(), unpackImage(layout)])
      await applied(plane, ['-f', join(import.meta.dir, '../../crds/clusterendpoints.yaml')])
      mountServiceAccount(root, await serviceAccount(plane))
    }, TEST_MAX_MS)
    afterAll(async () => {
      await plane?.stop()
      rmSync(root, { recursive: true, force: true })
    })

    test('holds the operator, glibc, and a few names, and nothing else', () => {
      expect(files(root).filter((path) => !path.startsWith('var/run/'))).toEqual([
        'endpoints-operator',
        'etc/group',
        'etc/nsswitch.conf',
        'etc/os-release',
        'etc/passwd',
        expect.stringMatching(/^lib\/\w+-linux-gnu\/ld-linux-[\w-]+\.so\.\d$/),
        expect.stringMatching(/^lib\/\w+-linux-gnu\/libc\.so\.6$/),
        expect.stringMatching(/^lib\/\w+-linux-gnu\/libdl\.so\.2$/),
        expect.stringMatching(/^lib\/\w+-linux-gnu\/libm\.so\.6$/),
        expect.stringMatching(/^lib\/\w+-linux-gnu\/libpthread\.so\.0$/),
        expect.stringMatching(/^lib(64)?\/ld-linux-[\w-]+\.so\.\d -> /),
        'licenses/LICENSE',
        'licenses/NOTICE',
        'licenses/libc6',
        'var/lib/dpkg/status.d/libc6',
      ])
    })

    test(
      'becomes ready and publishes, as any user, without privileges, on a read-only root',
      async () => {
        using host = Bun.listen({ hostname: HOST, port: 0, socket: { data: () => {} } })
        const { port } = new URL(plane.server)
        const [health, metrics] = freePorts(2)
        await using container = await startContainer({
          root,
          env: { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: port },
          args: [
            '--leader-elect',
            `--health-probe-bind-address=127.0.0.1:${health}`,
            `--metricsaddr=127.0.0.1:${metrics}`,
          ],
        })
        await ready(container, `http://127.0.0.1:${health}/readyz`)

        const status = readFileSync(`/proc/${container.pid}/status`, 'utf8')
        expect(status).toMatch(new RegExp(`^Uid:\\s+${UID}\\s+${UID}\\s`, 'm'))
        expect(status).toMatch(/^CapEff:\s+0+$/m)
        expect(status).toMatch(/^CapPrm:\s+0+$/m)
        expect(status).toMatch(/^NoNewPrivs:\s+1$/m)
        expect(() => writeFileSync(`/proc/${container.pid}/root/etc/new`, '')).toThrow('EROFS')

        const spec = { ports: [tcpPort('web', host.port, [HOST])] }
        const manifest = clusterEndpoint('from-image', spec, { namespace: 'default' })
        await applied(plane, ['-f', '-'], JSON.stringify(manifest))
        await eventually(20_000, async () => {
          const { stdout } = await plane.kubectl(['get', 'endpoints', 'from-image', '-o', 'json'])
          expect(stdout).toContain(HOST)
        })
        expect(await container.stop()).toBe(0)
      },
      TEST_MAX_MS,
    )
  }),
)

async function ready(container: Container, url: string): Promise<void> {
  try {
    await eventually(30_000, async () => expect(await statusOf(url)).toBe(200))
  } catch (cause) {
    throw new Error(`The operator is not ready: ${container.logs()}`, { cause })
  }
}

/** What a Pod finds at its mount, for an account that may do everything: test/deploy is about rights. */
async function serviceAccount(plane: ControlPlane): Promise<Record<string, string>> {
  const account = 'apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: eo, namespace: default}\n'
  const binding = [
    'apiVersion: rbac.authorization.k8s.io/v1',
    'kind: ClusterRoleBinding',
    'metadata: {name: eo}',
    'roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}',
    'subjects: [{kind: ServiceAccount, name: eo, namespace: default}]',
  ].join('\n')
  await applied(plane, ['-f', '-'], `${account}---\n${binding}\n`)
  const answer = await plane.request('/api/v1/namespaces/default/serviceaccounts/eo/token', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: '{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}',
  })
  const token = /"token": ?"([^"]+)"/.exec(await answer.text())?.[1] ?? ''
  return { token, namespace: 'default', 'ca.crt': readFileSync(plane.paths.ca, 'utf8') }
}

async function applied(plane: ControlPlane, args: readonly string[], text = ''): Promise<void> {
  const { code, stderr } = await plane.kubectl(['apply', ...args], text)
  if (code !== 0) throw new Error(`Cannot apply ${args.join(' ')}: ${stderr}`)
}

/** All files below `root`, sorted; links with what they name. */
function files(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name)
      const name = path.slice(root.length + 1)
      return entry.isSymbolicLink() ? `${name} -> ${readlinkSync(path)}` : name
    })
    .sort()
}
