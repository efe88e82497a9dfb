// Round trips with the real kubectl, with its default validation: what a person would try.

import { afterAll, afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { widgetCrd } from './samples.ts'
import { type ApiServer, startApiServer } from './server.ts'
import { until } from './test-client.ts'

const kubectlPath = Bun.which('kubectl')
if (kubectlPath === null) {
  console.error('SKIPPED: kubectl.test.ts, as there is no kubectl in PATH')
  test.if(process.env.CI === 'true')('kubectl is in PATH when CI=true', () => {
    throw new Error('Cannot test with kubectl as it is not in PATH')
  })
}

// Its discovery cache lives under HOME.
const folder = mkdtempSync(join(tmpdir(), 'kubectl-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let server: ApiServer
let kubeconfig: string

interface Result {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs kubectl to its end. */
async function kubectl(args: readonly string[], env: Record<string, string> = {}): Promise<Result> {
  const command = [kubectlPath ?? 'kubectl', `--cache-dir=${folder}/${server.port}`, ...args]
  const child = Bun.spawn(command, {
    env: { PATH: process.env.PATH ?? '', HOME: folder, KUBECONFIG: kubeconfig, ...env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { code, out: out.trim(), err: err.trim() }
}

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const serviceYaml = (ports: string) => `
apiVersion: v1
kind: Service
metadata: { name: wp, labels: { app: wp } }
spec: { ports: [${ports}] }
`
const widgetYaml = (spec: string) => `
apiVersion: example.com/v1
kind: Widget
metadata: { name: w }
spec: { ${spec} }
`

describe.skipIf(kubectlPath === null)('kubectl', () => {
  beforeEach(() => {
    server = startApiServer({ allowLoopback: true })
    kubeconfig = server.kubeconfig()
  })
  afterEach(() => server.stop())

  test('apply creates, does nothing, and changes a Service; old ports go', async () => {
    const apply = (ports: string) =>
      kubectl(['apply', '-f', file('service.yaml', serviceYaml(ports))])
    const both = '{ name: old, port: 81 }, { name: keep, port: 80 }'
    expect(await apply(both)).toEqual({ code: 0, out: 'service/wp created', err: '' })
    expect((await apply(both)).out).toBe('service/wp unchanged')
    expect((await apply('{ name: keep, port: 80 }')).out).toBe('service/wp configured')
    const ports = await kubectl(['get', 'svc', 'wp', '-o', 'jsonpath={.spec.ports[*].name}'])
    expect(ports.out).toBe('keep')
  })

  test('get prints the columns of the built-in kinds', async () => {
    server.store.create({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'wp' },
      spec: { clusterIP: '10.96.0.77', ports: [{ port: 80 }] },
    })
    const ips = ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4']
    server.store.create({
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { name: 'wp' },
      subsets: [{ addresses: ips.map((ip) => ({ ip })), ports: [{ port: 80 }] }],
    })
    const services = await kubectl(['get', 'svc'])
    expect(services.out.split(/\s+/)).toEqual([
      ...['NAME', 'TYPE', 'CLUSTER-IP', 'EXTERNAL-IP', 'PORT(S)', 'AGE'],
      ...['wp', 'ClusterIP', '10.96.0.77', '<none>', '80/TCP', expect.stringMatching(/^\d+s$/)],
    ])
    const { out, err } = await kubectl(['get', 'ep'])
    expect(out).toContain('127.0.0.1:80,127.0.0.2:80,127.0.0.3:80 + 1 more...')
    expect(err).toContain('Warning: v1 Endpoints is deprecated')
    expect((await kubectl(['get', 'ns', 'default'])).out).toContain('Active')
  })

  test('a custom resource lives from its definition to its deletion', async () => {
    const path = file('widget.yaml', widgetYaml('size: 1'))
    const early = await kubectl(['apply', '-f', path])
    expect(early.err).toContain('ensure CRDs are installed first')
    expect((await kubectl(['apply', '-f', file('crd.yaml', widgetCrd)])).out).toContain('created')
    const crd = 'crd/widgets.example.com'
    expect((await kubectl(['wait', '--for=condition=Established', crd])).out).toContain('met')
    expect((await kubectl(['apply', '-f', path])).out).toBe('widget.example.com/w created')
    expect((await kubectl(['get', 'wd'])).out.split('\n')[0]).toMatch(/^NAME +SIZE +READY +AGE$/)
    expect((await kubectl(['label', 'wd', 'w', 'a=b'])).out).toContain('labeled')
    expect((await kubectl(['annotate', 'wd', 'w', 'a=b'])).out).toContain('annotated')
    expect((await kubectl(['describe', 'wd', 'w'])).out).toContain('Color:')
    expect((await kubectl(['explain', 'wd.spec.size'])).out).toContain('FIELD: size <integer>')
    const edit = await kubectl(['edit', 'wd', 'w'], { EDITOR: 'sed -i s/size:.1/size:\\ 2/' })
    expect(edit.out).toBe('widget.example.com/w edited')
    expect((await kubectl(['delete', 'wd', 'w'])).out).toContain('deleted')
    expect((await kubectl(['delete', crd])).out).toContain('deleted')
    expect((await kubectl(['get', 'wd'])).err).toMatch(/could not find|a resource type/)
  })

  test('apply refuses unknown fields and values that break the schema, by their paths', async () => {
    server.store.applyCrd(widgetCrd)
    const apply = (spec: string) => kubectl(['apply', '-f', file('widget.yaml', widgetYaml(spec))])
    expect((await apply('size: 1, siize: 2')).err).toContain('unknown field "spec.siize"')
    const broken = await apply('size: 10')
    expect(broken.code).toBe(1)
    expect(broken.err).toContain('The Widget "w" is invalid: spec.size: Invalid value: 10:')
  })

  test('wait and get -w see changes', async () => {
    server.store.applyCrd(widgetCrd)
    const widget = { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'w' } }
    server.store.create({ ...widget, spec: { size: 1 } })
    const waiting = kubectl(['wait', 'wd/w', '--for=jsonpath={.status.phase}=On', '--timeout=20s'])
    await until(() => server.openWatches() > 0, 10_000)
    server.store.updateStatus({ ...widget, status: { phase: 'On' } })
    expect((await waiting).out).toBe('widget.example.com/w condition met')
  })

  test('server-side apply, status patches, create, replace and diff work', async () => {
    server.store.applyCrd(widgetCrd)
    const path = file('widget.yaml', widgetYaml('size: 1'))
    expect((await kubectl(['apply', '--server-side', '-f', path])).out).toContain(
      'serverside-applied',
    )
    expect((await kubectl(['diff', '-f', path])).code).toBe(0)
    const status = ['--subresource=status', '--type=merge', '-p', '{"status":{"phase":"On"}}']
    expect((await kubectl(['patch', 'wd', 'w', ...status])).out).toContain('patched')
    const bigger = file('bigger.yaml', widgetYaml('size: 2'))
    expect((await kubectl(['replace', '-f', bigger])).out).toContain('replaced')
    expect(server.store.get('wd', 'default', 'w')).toMatchObject({
      spec: { size: 2 },
      status: { phase: 'On' },
    })
    expect((await kubectl(['create', 'ns', 'n'])).out).toBe('namespace/n created')
    const create = await kubectl(['create', 'service', 'clusterip', 's', '--tcp=80:8080'])
    expect(create.out).toBe('service/s created')
    expect((await kubectl(['describe', 'svc', 's'])).out).toContain('8080/TCP')
    expect((await kubectl(['delete', 'ns', 'n'])).out).toContain('deleted')
  })
})
