// The program under its other names: as a plugin of real kubectl, by a link and by a copy; and its standard output closed.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import {
  chmodSync,
  copyFileSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { commandPath } from '../controlplane/command-path.ts'
import { runCommand } from '../integration/command.ts'
import { operatorCommand } from '../integration/operator.ts'

let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'names-'))
})

afterAll(() => rmSync(folder, { recursive: true }))

/** Puts the program under `name` into a folder of its own; from sources a script lends it the name. */
function put(name: string, how: 'link' | 'copy'): string {
  const place = mkdtempSync(join(folder, `${how}-`))
  const path = join(place, name)
  const binary = process.env.EO_BINARY
  if (!binary) {
    const command = operatorCommand().map((part) => `'${part}'`)
    writeFileSync(path, `#!/bin/bash\nexec -a '${name}' ${command.join(' ')} "$@"\n`)
    chmodSync(path, 0o755)
  } else if (how === 'link') symlinkSync(realpathSync(binary), path)
  else copyFileSync(binary, path)
  return place
}

async function run(argv: readonly string[], path: string) {
  const env = { PATH: `${path}:${process.env.PATH}`, HOME: folder }
  const child = Bun.spawn([...argv], { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: 30_000 })
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()])
  return { code: await child.exited, stdout, stderr }
}

const kubectl = commandPath('kubectl')
if (kubectl !== undefined || process.env.CI === 'true') pluginTests(kubectl ?? 'kubectl')
else console.error('SKIPPED: kubectl cep: there is no kubectl. Remedy: install kubernetes-client')

function pluginTests(program: string): void {
  for (const how of ['link', 'copy'] as const) {
    describe(`kubectl cep, by a ${how}`, () => {
      let place: string
      beforeAll(() => {
        place = put('kubectl-cep', how)
      })
      const cep = async (...args: readonly string[]) => await run([program, 'cep', ...args], place)

      test('without a command it shows its own, and starts no operator', async () => {
        const { code, stdout, stderr } = await cep()
        expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
        for (const word of ['check', 'import', 'migrate', 'version']) {
          expect(stdout).toMatch(new RegExp(`^  kubectl cep ${word} `, 'm'))
        }
        expect(stdout).not.toContain('endpoints-operator ')
      }, 30_000)

      test('its commands run, and their help has its name', async () => {
        expect(await cep('version')).toMatchObject({ code: 0, stderr: '' })
        const help = await cep('check', '--help')
        expect(help.stdout).toContain('\n  kubectl cep check -f db.yaml')
      }, 30_000)

      test('mistakes have its name', async () => {
        expect(await cep('nonsense')).toEqual({
          code: 2,
          stdout: '',
          stderr: 'kubectl cep: unknown command "nonsense"; see kubectl cep --help\n',
        })
      }, 30_000)
    })
  }
}

test('cepctl, by a link, is import', async () => {
  const place = put('cepctl', 'link')
  const help = await run(['cepctl', '--help'], place)
  expect(help.stdout).toContain('\n  cepctl -n prod mysql --probe tcp')
  expect(await run(['cepctl'], place)).toEqual({
    code: 2,
    stdout: '',
    stderr: 'cepctl: cepctl takes either the name of one Service or --all; see --help\n',
  })
}, 30_000)

test('a reader that goes away ends a command quietly, as SIGPIPE would', async () => {
  const command = operatorCommand().map((part) => `'${part}'`)
  const script = `${command.join(' ')} completion bash | true; echo "\${PIPESTATUS[0]}"`
  // The pipe may be closed before or after the write; only the former is an error.
  const { stdout, stderr } = await run(['bash', '-c', script], folder)
  expect(stderr).toBe('')
  expect(['0\n', '141\n']).toContain(stdout)
}, 30_000)

test('a slow reader gets all of a long text', async () => {
  const ports = Array.from({ length: 900 }, (_, index) => ({
    name: `p${index}`,
    port: 1000 + index,
    hosts: ['10.0.0.1', '10.0.0.2'],
  }))
  const object = {
    apiVersion: 'sealos.io/v1beta1',
    kind: 'ClusterEndpoint',
    metadata: { name: 'long' },
    spec: { ports },
  }
  const manifest = join(folder, 'long.json')
  writeFileSync(manifest, JSON.stringify(object))
  const command = operatorCommand().map((part) => `'${part}'`)
  const script = `${command.join(' ')} check -f ${manifest} -o json | { sleep 1; cat; }`
  const { stdout } = await run(['bash', '-c', script], folder)
  expect(JSON.parse(stdout)).toMatchObject({ total: 1800, healthy: 1800 })
}, 30_000)

describe('manifests that are none', () => {
  const object = '{apiVersion: sealos.io/v1beta1, kind: ClusterEndpoint, metadata: {name: x}'
  const cases: readonly (readonly [what: string, stdin: string, err: string])[] = [
    [
      'several documents',
      'a: 1\n---\nb: 2\n',
      'Cannot use standard input as it holds 2 documents; give one at a time',
    ],
    [
      'another kind',
      'apiVersion: v1\nkind: Service\n',
      'Cannot use standard input as it must be a sealos.io/v1beta1 ClusterEndpoint, not v1 Service',
    ],
    ['text', 'hello', 'Cannot use standard input as it is no Kubernetes object'],
    [
      'every issue with its path',
      `${object}, spec: {periodSeconds: -1, ports: [{port: 0}]}}`,
      'spec.periodSeconds: Invalid value: Expected >=0 but received -1; spec.ports[0].port: Invalid value: Expected >=1 but received 0',
    ],
  ]
  for (const [what, stdin, err] of cases) {
    test(what, async () => {
      expect(await runCommand(['check', '-f', '-'], { stdin })).toEqual({
        code: 2,
        stdout: '',
        stderr: `endpoints-operator: ${err}\n`,
      })
    })
  }
})
