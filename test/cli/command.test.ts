// The program as people and manifests call it: exit codes, and one line for whatever is wrong.

import { describe, expect, test } from 'bun:test'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { version } from '../../package.json'
import { eventually } from '../integration/eventually.ts'
import { operatorCommand } from '../integration/operator.ts'

const folder = mkdtempSync(join(tmpdir(), 'cli-'))
const file = (name: string, text: string) => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}
/** A cluster that nobody serves. */
const kubeconfig = file(
  'kubeconfig',
  JSON.stringify({
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
    clusters: [{ name: 'k', cluster: { server: 'http://127.0.0.1:1' } }],
    users: [{ name: 'u', user: {} }],
  }),
)

const environment = {
  PATH: process.env.PATH ?? '',
  HOME: folder,
  ...(process.env.EO_BINARY ? { EO_BINARY: process.env.EO_BINARY } : {}),
}

function spawn(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return Bun.spawn([...operatorCommand(), ...args], {
    env: { ...environment, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 10_000,
  })
}

async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(args, env)
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { out, err: err.replaceAll(folder, '.'), code }
}

describe.concurrent('a mistake is one line and an exit code', () => {
  const own = ['--metricsaddr=127.0.0.1:0', '--health-probe-bind-address=127.0.0.1:0']
  const cases: readonly {
    readonly args: readonly string[]
    readonly env?: Readonly<Record<string, string>>
    readonly code: number
    readonly err: string | RegExp
  }[] = [
    {
      args: ['nonsense'],
      code: 2,
      err: 'unknown command "nonsense"; see endpoints-operator --help',
    },
    {
      args: ['constructor'],
      code: 2,
      err: 'unknown command "constructor"; see endpoints-operator --help',
    },
    { args: ['--nonsense'], code: 2, err: "Unknown option '--nonsense'; see --help" },
    { args: ['--v'], code: 2, err: "Option '-v, --v <value>' argument missing; see --help" },
    { args: ['--v=11'], code: 2, err: '--v must be a whole number from 0 to 10, not "11"' },
    { args: ['--v=-1'], code: 2, err: '--v must be a whole number from 0 to 10, not "-1"' },
    {
      args: ['extra', 'word'],
      code: 2,
      err: 'unknown command "extra"; see endpoints-operator --help',
    },
    { args: ['--v=1', 'word'], code: 2, err: 'unexpected argument "word"; see --help' },
    {
      args: ['--maxconcurrent=0'],
      code: 2,
      err: '--maxconcurrent must be a whole number from 1 to 1000, not "0"',
    },
    {
      args: ['--publish=all'],
      code: 2,
      err: '--publish must be auto, endpoints, slices or both, not "all"',
    },
    { args: ['--log-format=xml'], code: 2, err: '--log-format must be text or json, not "xml"' },
    {
      args: ['--leader-elect=maybe'],
      code: 2,
      err: "Option '--leader-elect' does not take an argument; see --help",
    },
    {
      args: ['--leader-elect-retry-period=2'],
      code: 2,
      err: '--leader-elect-retry-period must be a duration like 15s, up to 1h, not "2"',
    },
    {
      args: ['--leader-elect-lease-duration=5s'],
      code: 2,
      err: /^--leader-elect-lease-duration must be longer than --leader-elect-renew-deadline/,
    },
    {
      args: ['--bad\nERROR forged'],
      code: 2,
      err: "Unknown option '--bad ERROR forged'; see --help",
    },
    {
      args: ['--log-format=\u001b[2J'],
      code: 2,
      err: '--log-format must be text or json, not "?[2J"',
    },
    {
      args: [],
      code: 1,
      err: 'Cannot find a cluster: use --kubeconfig FILE, set KUBECONFIG, or run in a pod',
    },
    {
      args: ['--kubeconfig=/nonexistent'],
      code: 1,
      err: /^Cannot read kubeconfig "\/nonexistent": ENOENT/,
    },
    {
      args: [],
      env: { KUBECONFIG: '/nonexistent' },
      code: 1,
      err: /^Cannot read kubeconfig "\/nonexistent": ENOENT/,
    },
    {
      args: ['--kubeconfig', file('garbage', '{ [ %')],
      code: 1,
      err: /^Cannot read kubeconfig "\.\/garbage": YAML Parse error/,
    },
    {
      args: ['--master=foo bar'],
      code: 1,
      err: 'Cannot use "foo bar" as it must be a URL like https://10.0.0.1:6443',
    },
    {
      args: [],
      env: { KUBERNETES_SERVICE_HOST: '10.0.0.1' },
      code: 1,
      err: /^Cannot read the token of the service account at/,
    },
    {
      args: [
        '--kubeconfig',
        kubeconfig,
        '--health-probe-bind-address=127.0.0.1:0',
        '--metricsaddr=nonsense',
      ],
      code: 1,
      err: 'Cannot use --metricsaddr "nonsense" as it must be like :8080 or 127.0.0.1:8080',
    },
    {
      args: ['--kubeconfig', kubeconfig, ...own, '--health-probe-bind-address=10.255.255.1:80'],
      code: 1,
      err: /^Cannot listen on --health-probe-bind-address "10\.255\.255\.1:80": /,
    },
    { args: ['version', '--nonsense'], code: 2, err: "Unknown option '--nonsense'; see --help" },
    { args: ['version', '-o', 'xml'], code: 2, err: '-o must be json, not "xml"' },
  ]
  for (const { args, env = {}, code, err } of cases) {
    const shown = JSON.stringify([...args, ...Object.entries(env).map((pair) => pair.join('='))])
    test(shown.replaceAll(folder, '.'), async () => {
      const result = await run(args, env)
      expect({ code: result.code, out: result.out }).toEqual({ code, out: '' })
      expect(result.err).toEndWith('\n')
      const [line, ...more] = result.err.slice(0, -1).split('\n')
      expect(more).toEqual([])
      expect(line).toStartWith('endpoints-operator: ')
      const message = line?.slice('endpoints-operator: '.length) ?? ''
      if (typeof err === 'string') expect(message).toBe(err)
      else expect(message).toMatch(err)
    }, 15_000)
  }

  test('a port that is taken', async () => {
    const server = createServer()
    const { promise, resolve } = Promise.withResolvers<void>()
    server.listen(0, '127.0.0.1', resolve)
    await promise
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : 0
    const result = await run([
      '--kubeconfig',
      kubeconfig,
      `--health-probe-bind-address=127.0.0.1:${port}`,
    ])
    server.close()
    expect(result.code).toBe(1)
    expect(result.err).toMatch(
      /^endpoints-operator: Cannot listen on --health-probe-bind-address "127\.0\.0\.1:\d+": .+\n$/,
    )
  }, 15_000)
})

describe.concurrent('help and version', () => {
  for (const args of [
    ['--help'],
    ['-h'],
    ['help'],
    ['run', '--help'],
    ['check', '--help'],
    ['import', '--help'],
    ['migrate', '--help'],
    ['manifests', '--help'],
    ['completion', '--help'],
    ['version', '--help'],
  ]) {
    test(`${args.join(' ')} fits 80 columns and 42 lines, and is no mistake`, async () => {
      const { out, err, code } = await run(args)
      expect({ err, code }).toEqual({ err: '', code: 0 })
      const lines = out.split('\n')
      expect(lines.filter(({ length }) => length > 80)).toEqual([])
      expect(lines.length).toBeWithin(5, 43)
      expect(out).toContain('Usage:')
      expect(out).not.toMatch(/undefined|NaN| $/m)
    }, 15_000)
  }

  for (const args of [['version'], ['--version']]) {
    test(args.join(' '), async () => {
      const { out, code } = await run(args)
      expect(code).toBe(0)
      expect(out).toMatch(/^endpoints-operator \d+\.\d+\.\d+ \(bun \d+\.\d+\.\d+, \w+\/\w+\)\n$/)
      expect(out).toContain(version)
    }, 15_000)
  }

  test('version -o json', async () => {
    const { out, code } = await run(['version', '-o', 'json'])
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ version, platform: process.platform })
  }, 15_000)
})

describe.concurrent('an operator whose API server is away', () => {
  const original = [
    '--leader-elect=false',
    '--leader-elect-lease-duration=15s',
    '--leader-elect-renew-deadline=10s',
    '--leader-elect-retry-period=2s',
    '--leader-elect-resource-lock=configmapsleases',
    '--maxconcurrent=1',
    '--maxretry=3',
    '--logtostderr=true',
    '--stderrthreshold=INFO',
    '--add-dir-header',
    '--vmodule=controller=4',
  ]
  const own = ['--metricsaddr=127.0.0.1:0', '--health-probe-bind-address=127.0.0.1:0']

  for (const [name, args] of [
    ['-v=4 and the flags of the original', ['-v=4', ...original]],
    ['--v 4, as JSON', ['--v', '4', '--log-format=json']],
    ['the word run', []],
  ] as const) {
    test(`starts, waits and says so, with ${name}; SIGTERM ends it with 0`, async () => {
      const word = name === 'the word run' ? ['run'] : []
      const child = spawn([...word, ...args, ...own, '--kubeconfig', kubeconfig])
      let logs = ''
      const reading = (async () => {
        for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) logs += chunk
      })()
      await eventually(8_000, () => {
        expect(logs).toContain('started')
        expect(logs).toContain('ECONNREFUSED')
      })
      const healthPort = /healthPort"?[=:](\d+)/.exec(logs)?.[1]
      const readyz = await fetch(`http://127.0.0.1:${healthPort}/readyz`)
      expect(await readyz.text()).toStartWith('waiting for the first list of ')
      expect((await fetch(`http://127.0.0.1:${healthPort}/healthz`)).status).toBe(200)
      const startMs = performance.now()
      child.kill('SIGTERM')
      expect(await child.exited).toBe(0)
      expect(performance.now() - startMs).toBeLessThan(2_000)
      await reading
      expect(logs).toContain('stopped')
      if (name.endsWith('as JSON')) for (const line of logs.trim().split('\n')) JSON.parse(line)
    }, 15_000)
  }

  test('SIGINT ends it with 0 as well, a second one changes nothing', async () => {
    const child = spawn([...own, '--kubeconfig', kubeconfig])
    const first = await new Response(child.stderr.pipeThrough(untilStarted(child))).text()
    expect(first).toContain('started')
    expect(await child.exited).toBe(0)
  }, 15_000)
})

/** Passes everything on, and sends SIGINT twice when it has started. */
function untilStarted(child: { kill(signal: NodeJS.Signals): void }) {
  let seen = ''
  return new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      const before = seen.includes('started')
      seen += new TextDecoder().decode(chunk)
      if (!before && seen.includes('started')) {
        child.kill('SIGINT')
        child.kill('SIGINT')
      }
      controller.enqueue(chunk)
    },
  })
}
