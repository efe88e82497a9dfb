// Completion in real shells: what is typed, and what stands there after a Tab.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { commandPath } from '../controlplane/command-path.ts'
import { runCommand } from '../integration/command.ts'
import { eventually } from '../integration/eventually.ts'

let folder: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'completion-'))
  writeFileSync(join(folder, 'manifest.yaml'), '')
  for (const shell of ['bash', 'zsh']) {
    const { code, stdout } = await runCommand(['completion', shell])
    expect(code).toBe(0)
    writeFileSync(join(folder, shell), stdout)
  }
})

afterAll(() => rmSync(folder, { recursive: true }))

test('a shell that is none is a mistake', async () => {
  expect(await runCommand(['completion', 'fish'])).toEqual({
    code: 2,
    stdout: '',
    stderr: 'endpoints-operator: completion takes bash or zsh; see completion --help\n',
  })
})

describe('bash', () => {
  const cases: readonly (readonly [typed: string, offered: readonly string[]])[] = [
    ['endpoints-operator che', ['check']],
    ['endpoints-operator --leader-elect-ren', ['--leader-elect-renew-deadline']],
    ['endpoints-operator --log-format ', ['text', 'json']],
    ['endpoints-operator check -f man', ['manifest.yaml']],
    ['endpoints-operator check --filename man', ['manifest.yaml']],
    ['endpoints-operator check --re', ['--render']],
    ['endpoints-operator check -n ', []],
    ['endpoints-operator import --probe ', ['tcp', 'http', 'udp', 'grpc', 'none']],
    ['endpoints-operator import -o y', ['yaml']],
    ['endpoints-operator migrate --d', ['--dry-run', '--delete-old']],
    ['endpoints-operator completion z', ['zsh']],
    ['endpoints-operator nonsense --', []],
    ['endpoints-operator --maxret', []],
    ['kubectl-cep mig', ['migrate']],
    ['/opt/bin/cepctl --service-n', ['--service-name', '--service-namespace']],
  ]
  for (const [typed, offered] of cases) {
    test(`"${typed}" offers ${offered.join(' ') || 'nothing'}`, () => {
      const script = [
        `source ${folder}/bash`,
        `COMP_WORDS=(${typed
          .split(' ')
          .map((word) => `'${word}'`)
          .join(' ')})`,
        `COMP_CWORD=${typed.split(' ').length - 1}`,
        '_endpoints_operator',
        'for offer in "$' + '{COMPREPLY[@]}"; do echo "$offer"; done',
      ].join('\n')
      const { stdout, stderr } = Bun.spawnSync(['bash', '--norc', '-uc', script], { cwd: folder })
      expect(stderr.toString()).toBe('')
      expect(stdout.toString().split('\n').slice(0, -1)).toEqual([...offered])
    })
  }

  test('every command of --help is offered, and each offers its flags', async () => {
    const { stdout } = await runCommand(['--help'])
    const words = [...stdout.matchAll(/^ {2}endpoints-operator ([a-z]+)/gm)].map(([, word]) => word)
    expect(words.length).toBeGreaterThan(3)
    const script = readFileSync(join(folder, 'bash'), 'utf8')
    for (const word of words) {
      expect(script).toMatch(new RegExp(`^    ${word}\\)\\n +words='.*--help.*'$`, 'm'))
    }
  })
})

const zsh = commandPath('zsh')
if (zsh !== undefined || process.env.CI === 'true') zshTests(zsh ?? 'zsh')
else console.error('SKIPPED: completion in zsh: there is no zsh. Remedy: apt-get install zsh')

function zshTests(program: string): void {
  describe('zsh', () => {
    const cases: readonly (readonly [typed: string, after: string])[] = [
      ['endpoints-operator che', 'endpoints-operator check '],
      ['endpoints-operator --log-f', 'endpoints-operator --log-format '],
      ['endpoints-operator --log-format j', 'endpoints-operator --log-format json '],
      ['endpoints-operator check -f man', 'endpoints-operator check -f manifest.yaml '],
      ['endpoints-operator import --probe u', 'endpoints-operator import --probe udp '],
      ['endpoints-operator completion z', 'endpoints-operator completion zsh '],
      ['kubectl-cep migrate --dr', 'kubectl-cep migrate --dry-run '],
      ['cepctl --periodS', 'cepctl --periodSeconds '],
    ]
    for (const [index, [typed, after]] of cases.entries()) {
      test(`"${typed}" becomes "${after}"`, async () => {
        const out = join(folder, `buffer-${index}`)
        await using driver = startZsh(program, typed, out)
        await eventually(15_000, () => expect(existsSync(out)).toBe(true))
        // Written and closed by one print.
        await eventually(5_000, () => expect(readFileSync(out, 'utf8')).toBe(`${after}\n`))
        driver.kill()
      }, 30_000)
    }
  })
}

/** An interactive zsh in a terminal of its own, in which `typed` and a Tab are typed; then its line is written to `out`. */
function startZsh(program: string, typed: string, out: string) {
  const setUp = [
    `cd ${folder}`,
    'autoload -Uz compinit',
    'compinit -u -D',
    `source ${folder}/zsh`,
    `dump() { print -r -- "$BUFFER" > ${out} }`,
    'zle -N dump',
    "bindkey '^X^D' dump",
    `print > ${out}.ready`,
  ].join('; ')
  const script = join(folder, 'driver')
  writeFileSync(
    `${script}-${typed.length}`,
    `zmodload zsh/zpty
zpty shell ${program} -f -i
zpty -w shell '${setUp.replaceAll("'", "'\\''")}'
while [[ ! -e ${out}.ready ]]; do zpty -r -t shell line; sleep 0.05; done
zpty -w -n shell $'${typed}\\t\\x18\\x04'
while true; do zpty -r -t shell line; sleep 0.05; done
`,
  )
  const env = { PATH: process.env.PATH ?? '', HOME: folder, TERM: 'dumb' }
  const child = Bun.spawn([program, '-f', `${script}-${typed.length}`], { env, timeout: 30_000 })
  return {
    kill: () => child.kill(),
    [Symbol.asyncDispose]: async () => {
      child.kill()
      await child.exited
    },
  }
}
