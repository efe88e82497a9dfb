// `check` against real hosts: the table, the JSON, what would be applied, and the exit codes.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import * as v from 'valibot'
import { readEndpoints } from '../../crds/endpoints.ts'
import type { Backend } from '../backends/backend.ts'
import { startTcp } from '../backends/tcp.ts'
import { startNameServer } from '../dns/name-server.ts'
import { operatorCommand } from '../integration/operator.ts'

let well: Backend
/** Nothing listens on port 1 of loopback. */
const dead = { host: '127.0.0.1', port: 1 }

beforeAll(async () => {
  well = await startTcp({ host: '127.0.0.1', port: 0 })
})

afterAll(async () => {
  await well.kill()
})

test('all hosts well: a row for each, exit code 0', async () => {
  const { code, out } = await check(manifest([well]))
  expect(out.split('\n')[0]).toMatch(/^PORT +HOST +TARGETPORT +PROBE +VERDICT +LATENCY +REASON$/)
  expect(out).toMatch(new RegExp(`^p0 +127.0.0.1 +${well.port} +tcp +healthy +[\\d.]+ ms$`, 'm'))
  expect(code).toBe(0)
})

test('a host that is out: its reason, exit code 1', async () => {
  const { code, out } = await check(manifest([well, dead]))
  expect(out).toMatch(/^p1 +127.0.0.1 +1 +tcp +unhealthy +[\d.]+ ms +connect ECONNREFUSED$/m)
  expect(code).toBe(1)
})

test('-o json: one object with all that the table has', async () => {
  const { out } = await check(manifest([well, dead]), '-o', 'json')
  expect(JSON.parse(out)).toMatchObject({
    namespace: 'default',
    name: 'db',
    healthy: 1,
    total: 2,
    hosts: [
      { port: 'p0', host: '127.0.0.1', targetPort: well.port, probe: 'tcp', verdict: 'healthy' },
      { port: 'p1', targetPort: 1, verdict: 'unhealthy', reason: 'connect ECONNREFUSED' },
    ],
  })
})

test('--render: Endpoints that hold exactly what answers, and no owner that does not exist', async () => {
  const { out } = await check(manifest([well, dead]), '--render')
  const objects = v.parse(v.array(v.looseObject({ kind: v.string() })), Bun.YAML.parse(out))
  const endpoints = objects.find(({ kind }) => kind === 'Endpoints')
  const metadata = { name: 'db', namespace: 'default', uid: 'u', resourceVersion: '1' }
  const { published } = readEndpoints({ ...endpoints, metadata })
  expect([...published]).toEqual([`127.0.0.1 TCP ${well.port}`])
  expect(out).not.toContain('ownerReferences')
})

test('a name: a row for each of its addresses, and one with the reason where there is none', async () => {
  using server = await startNameServer('127.0.0.1')
  server.zone.set('db.example.com', { a: [well.host] })
  const { port } = well
  const hosts = [
    { host: 'DB.example.com', port },
    { host: 'gone.example.com', port },
  ]
  const args = [`--dns-servers=${server.address}`]
  const { code, out } = await check(manifest(hosts), ...args)
  expect(out).toMatch(
    new RegExp(`^p0 +127.0.0.1 of db.example.com +${port} +tcp +healthy +[\\d.]+ ms$`, 'm'),
  )
  expect(out).toMatch(new RegExp(`^p1 +gone.example.com +${port} +unhealthy +dns NXDOMAIN$`, 'm'))
  expect(code).toBe(1)
  const rendered = await check(manifest(hosts), '--render', ...args)
  expect(rendered.out).toContain('ip: 127.0.0.1')
})

test('--dns-servers that are none: exit code 2', async () => {
  const { code, err } = await check(manifest([well]), '--dns-servers=ns.example.com')
  expect(err).toBe(
    'endpoints-operator: --dns-servers must be addresses, each with or without a port, like 10.96.0.10,[fd00::a]:5353, not "ns.example.com"\n',
  )
  expect(code).toBe(2)
})

test('a host that cannot be published: its path, exit code 2', async () => {
  const { code, out, err } = await check(manifest([{ host: 'db_1.internal', port: 5432 }]))
  expect(err).toBe(
    'endpoints-operator: spec.ports[0].hosts[0]: Cannot use host "db_1.internal" as it must not hold an underscore\n',
  )
  expect(out).toBe('')
  expect(code).toBe(2)
})

test('--watch: again after each period, ended by SIGTERM with the code of the last round', async () => {
  const child = spawn(['--watch', '-o', 'json'])
  child.stdin.write(JSON.stringify(manifest([dead])))
  child.stdin.end()
  let rounds = 0
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    rounds += text.split('\n').length - 1
    if (rounds >= 2) break
  }
  child.kill('SIGTERM')
  expect(await child.exited).toBe(1)
})

function manifest(hosts: readonly { readonly host: string; readonly port: number }[]): unknown {
  return {
    apiVersion: 'sealos.io/v1beta1',
    kind: 'ClusterEndpoint',
    metadata: { name: 'db' },
    spec: {
      periodSeconds: 1,
      ports: hosts.map(({ host, port }, index) => ({
        name: `p${index}`,
        port: 5432 + index,
        targetPort: port,
        hosts: [host],
        tcpSocket: {},
      })),
    },
  }
}

function spawn(args: readonly string[]) {
  const command = [...operatorCommand(), 'check', '-f', '-', '--allow-loopback', ...args]
  return Bun.spawn(command, { stdin: 'pipe', stdout: 'pipe', stderr: 'pipe' })
}

async function check(spec: unknown, ...args: readonly string[]) {
  const child = spawn(args)
  child.stdin.write(JSON.stringify(spec))
  child.stdin.end()
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()])
  return { code: await child.exited, out, err }
}
