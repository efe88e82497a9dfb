// `migrate` and `import` where something is missing: a CRD, rights, a cluster. One line, and nothing is written.

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ApiServer, startApiServer } from '../apiserver/server.ts'
import { runCommand } from '../integration/command.ts'
import { LEGACY_CRD, legacyClusterEndpoint } from '../integration/legacy.ts'

const CRD = readFileSync(`${import.meta.dir}/../../crds/clusterendpoints.yaml`, 'utf8')

let server: ApiServer
let folder: string

beforeEach(() => {
  server = startApiServer({ allowLoopback: true })
  folder = mkdtempSync(join(tmpdir(), 'migrate-'))
})

afterEach(() => {
  server.stop()
  rmSync(folder, { recursive: true })
})

function addOld(): void {
  server.store.applyCrd(JSON.stringify(LEGACY_CRD))
  server.store.create(legacyClusterEndpoint('db', ['10.0.0.1'], 80))
}

async function run(...args: readonly string[]) {
  const taken = () => server.writes().filter(({ status }) => status < 300).length
  const before = taken()
  const result = await runCommand([...args, '--kubeconfig', server.kubeconfig()], { cwd: folder })
  expect(taken()).toBe(before)
  expect(readdirSync(folder)).toEqual([])
  return result
}

test('neither group is installed: nothing to do', async () => {
  expect(await run('migrate', '--all')).toEqual({
    code: 0,
    stdout: 'nothing to do\n',
    stderr: 'no sealyun.com here: its CRD is not installed\n',
  })
})

test('the old group is not installed: nothing to do', async () => {
  server.store.applyCrd(CRD)
  expect(await run('migrate', '-n', 'default')).toMatchObject({
    code: 0,
    stdout: 'nothing to do\n',
  })
})

test('our CRD is not installed', async () => {
  addOld()
  expect(await run('migrate', '--all')).toEqual({
    code: 1,
    stdout: '',
    stderr: 'endpoints-operator: Cannot migrate as the CRD of sealos.io is not installed\n',
  })
})

test('no right to read, or to create, is one line', async () => {
  addOld()
  server.store.applyCrd(CRD)
  for (const method of ['GET', 'POST']) {
    const fault = server.fault(
      { method, resource: 'clusterendpoints' },
      { kind: 'status', code: 403 },
    )
    const refused = await run('migrate', '--all')
    expect({ code: refused.code, stdout: refused.stdout }).toEqual({ code: 1, stdout: '' })
    expect(refused.stderr).toMatch(/^endpoints-operator: .+\n$/)
    fault.remove()
  }
})

for (const args of [['migrate'], ['migrate', '--all', '-n', 'x'], ['migrate', '-n', 'A/b']]) {
  test(`${args.join(' ')} is a mistake`, async () => {
    const { code, stdout, stderr } = await run(...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^endpoints-operator: (migrate takes either|Cannot use namespace).+\n$/)
  })
}

for (const [args, stderr] of [
  [['import'], 'import takes either the name of one Service or --all; see --help'],
  [['import', 'db', '--all'], 'import takes either the name of one Service or --all; see --help'],
  [
    ['import', 'a', '--service-name=b'],
    'import takes either the name of one Service or --all; see --help',
  ],
  [['import', 'db', '--probe=icmp'], '--probe must be tcp, http, udp, grpc or none, not "icmp"'],
  [['import', 'db', '-o', 'xml'], '--output must be yaml or json, not "xml"'],
] as const) {
  test(`${args.join(' ')} is a mistake`, async () => {
    expect(await run(...args)).toEqual({
      code: 2,
      stdout: '',
      stderr: `endpoints-operator: ${stderr}\n`,
    })
  })
}

test('import --apply without our CRD: told, and nothing is made', async () => {
  const metadata = { name: 'db', namespace: 'default' }
  const ports = [{ name: 'web', protocol: 'TCP', port: 80 }]
  server.store.create({ apiVersion: 'v1', kind: 'Service', metadata, spec: { ports } })
  const subsets = [{ addresses: [{ ip: '10.0.0.1' }], ports }]
  server.store.create({ apiVersion: 'v1', kind: 'Endpoints', metadata, subsets })
  const { code, stdout, stderr } = await runCommand([
    'import',
    'db',
    '--apply',
    '--kubeconfig',
    server.kubeconfig(),
  ])
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toBe('default/db: Cannot create a ClusterEndpoint as its CRD is not installed\n')
})
