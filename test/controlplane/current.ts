#!/usr/bin/env bun
// The control plane of a current Kubernetes, for the suites that run on 1.20 by default: Go builds it
// from the modules that Kubernetes publishes, and the etcd that is here already goes with it.
// `bun test/controlplane/current.ts` makes one where there is none (once, some 6 minutes on two
// cores) and prints the folder for KUBEBUILDER_ASSETS.

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { CommandFailed, openRunner, type Runner } from '../../scripts/debian/runner.ts'
import { commandPath } from './command-path.ts'
import { withLock } from './lock.ts'
import { cacheRoot, provision } from './provision.ts'

/** Of Kubernetes; the modules of its parts have the same number with a 0 in front. */
const VERSION = '1.36.2'
const PARTS_VERSION = VERSION.replace(/^1/, '0')
const KUBERNETES = `k8s.io/kubernetes@v${VERSION}`
const PROGRAMS = ['kube-apiserver', 'kube-controller-manager', 'kubectl']

/** The folder for KUBEBUILDER_ASSETS, built where it is missing. Rejects with CommandFailed. */
async function provisionCurrent(signal: AbortSignal): Promise<string> {
  if (existsSync(assets())) return assets()
  const go = commandPath('go')
  if (go === undefined) throw new CommandFailed('there is no go in PATH')
  const others = await provision(signal)
  if (!others.ok) throw new CommandFailed(`${others.why}. Remedy: ${others.remedy}`)

  mkdirSync(cacheRoot(), { recursive: true })
  const runner = openRunner('current', join(cacheRoot(), `build-${process.pid}.log`), signal)
  const onWait = (holder: number) => runner.step(`wait for process ${holder}, which builds`)
  await withLock(join(cacheRoot(), 'current-lock'), { onWait, signal }, async () => {
    if (!existsSync(assets())) await build(go, others.binaries.etcd, runner)
  })
  rmSync(runner.logPath, { force: true })
  return assets()
}

async function build(go: string, etcd: string, runner: Runner): Promise<void> {
  // provision.ts removes what is named like this when its process has gone.
  const folder = mkdtempSync(join(cacheRoot(), `building-${process.pid}-`))
  const made = join(folder, 'made')
  const module = join(folder, 'module')
  for (const path of [made, module]) mkdirSync(path)
  const options = { cwd: module, env: goEnvironment() }
  try {
    runner.step(`download ${KUBERNETES}`)
    writeFileSync(join(module, 'go.mod'), 'module current\n')
    await runner.run([go, 'mod', 'download', KUBERNETES], options)
    writeFileSync(join(module, 'go.mod'), goMod(published(go, options)))
    runner.step(`build ${PROGRAMS.join(', ')}; log: ${runner.logPath}`)
    const packages = PROGRAMS.map((name) => `k8s.io/kubernetes/cmd/${name}`)
    const flags = ['-trimpath', '-ldflags', linkerFlags(), '-o', `${made}/`]
    await runner.run(['nice', '-n', '19', go, 'build', ...flags, ...packages], options)
    copyFileSync(etcd, join(made, 'etcd'))
    renameSync(made, assets())
    runner.step('done')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The go.mod of Kubernetes as it is published. */
function published(go: string, options: { readonly cwd: string; readonly env: Environment }) {
  const ask = [go, 'list', '-m', '-f', '{{.GoMod}}', KUBERNETES]
  return readFileSync(Bun.spawnSync(ask, options).stdout.toString().trim(), 'utf8')
}

/**
 * Of a module that asks for Kubernetes. Kubernetes replaces its own parts by folders of its repository,
 * which its module does not hold; here the published parts take their place.
 */
function goMod(kubernetes: string): string {
  const parts = [...kubernetes.matchAll(/^\t(\S+) => \.\/staging\//gm)].map(([, name]) => name)
  const replacements = parts.map((name) => `\t${name} => ${name} v${PARTS_VERSION}\n`)
  const language = /^go \S+$/m.exec(kubernetes)?.[0]
  return `module current

${language}

require ${KUBERNETES.replace('@', ' ')}

replace (
${replacements.join('')})
`
}

/** The programs know their version from the linker alone. */
function linkerFlags(): string {
  const [major, minor] = VERSION.split('.')
  const facts = { gitVersion: `v${VERSION}`, gitMajor: major, gitMinor: minor }
  const sets = Object.entries(facts).map(
    ([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`,
  )
  return ['-s', '-w', ...sets].join(' ')
}

type Environment = Record<string, string | undefined>

function goEnvironment(): Record<string, string> {
  const own: Environment = { ...process.env, GOFLAGS: '-mod=mod', CGO_ENABLED: '0' }
  return Object.fromEntries(Object.entries(own).flatMap(([k, v]) => (v ? [[k, v] as const] : [])))
}

function assets(): string {
  return join(cacheRoot(), `${VERSION}-${process.arch}`)
}

async function main(): Promise<number> {
  const interrupt = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupt.abort(name))
  try {
    console.log(await provisionCurrent(interrupt.signal))
    return 0
  } catch (error) {
    if (!(error instanceof CommandFailed) && !interrupt.signal.aborted) throw error
    const why = error instanceof CommandFailed ? error.message : 'it was interrupted'
    console.error(`No control plane of Kubernetes ${VERSION}: ${why}`)
    return 1
  }
}

if (import.meta.main) process.exit(await main())
