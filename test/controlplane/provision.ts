#!/usr/bin/env bun
// Finds the binaries of a control plane, or makes them once (about 5 minutes on two cores).
// Needs nothing from npm. `bun test/controlplane/provision.ts` prints the paths as JSON.
//
// Nothing is downloaded from outside Debian: a binary that runs as root wants a pinned checksum.
// Whoever has internet sets KUBEBUILDER_ASSETS to what `setup-envtest use -p path` prints.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { type Debian, openDebian } from '../../scripts/debian/debian.ts'
import { CommandFailed, openRunner, type Runner } from '../../scripts/debian/runner.ts'
import { buildBinaries } from './build.ts'
import { commandPath } from './command-path.ts'
import { isAlive, withLock } from './lock.ts'
import { isInNetworkNamespace } from './netns.ts'

/** Absolute paths. */
export type Binaries = {
  readonly kubeApiserver: string
  readonly etcd: string
  readonly kubectl: string
  /** Absent where the assets have none (envtest's releases). */
  readonly kubeControllerManager: string | undefined
}

export type Provision =
  | { readonly ok: true; readonly binaries: Binaries }
  | { readonly ok: false; readonly why: string; readonly remedy: string }

/** What the cache holds; Debian's source package of this version is the one the build knows. */
const version = '1.20.2'

const requiredTools: readonly Tool[] = [
  { command: 'openssl', package: 'openssl' },
  { command: 'ip', package: 'iproute2' },
]

const buildTools: readonly Tool[] = [
  { command: 'make', package: 'make' },
  { command: 'dpkg-source', package: 'dpkg-dev' },
]

const assetsRemedy =
  'set KUBEBUILDER_ASSETS to a folder with kube-apiserver, etcd and kubectl (`setup-envtest use -p path` prints one)'

type Tool = { readonly command: string; readonly package: string }

/** The binaries that are here already: KUBEBUILDER_ASSETS, else our cache. Changes nothing. */
export function findBinaries(): Provision {
  const assets = process.env.KUBEBUILDER_ASSETS
  if (assets) return binariesIn(assets, assetsRemedy)
  return binariesIn(
    cachedFolder(),
    `run \`bun test/controlplane/provision.ts\` (Debian bookworm; once, about 5 minutes), or ${assetsRemedy}`,
  )
}

/**
 * As findBinaries(), and builds what is missing from Debian's packages into the cache. Installs
 * openssl, iproute2, make and dpkg-dev where they are missing, for which it must be root. Runs at
 * the same time are safe: one builds, the others wait. Does not throw for what is missing here or
 * for a build that failed; progress goes to stderr.
 */
export async function provision(signal = new AbortController().signal): Promise<Provision> {
  const found = findBinaries()
  const absent = missing(requiredTools)
  if (found.ok && absent.length === 0) return found
  const mustBuild = !found.ok && !process.env.KUBEBUILDER_ASSETS
  if (!found.ok && !mustBuild) return found

  if (isInNetworkNamespace()) {
    const why = 'there is no way out of the network namespace of the tests'
    return { ok: false, why, remedy: 'run it outside of the namespace' }
  }

  const needed = mustBuild ? [...absent, ...missing(buildTools)] : absent
  const problem = debianProblem(needed)
  if (problem) return { ok: false, why: problem, remedy: remedyFor(needed, mustBuild) }

  mkdirSync(cacheRoot(), { recursive: true })
  const runner = openRunner('controlplane', join(cacheRoot(), `build-${process.pid}.log`), signal)
  try {
    const onWait = (holder: number) => runner.step(`wait for process ${holder}, which builds`)
    const made = await withLock(join(cacheRoot(), 'lock'), { onWait, signal }, () =>
      provisionFromDebian(runner, needed),
    )
    rmSync(runner.logPath, { force: true })
    return made
  } catch (error) {
    if (signal.aborted) return { ok: false, why: 'it was interrupted', remedy: 'run it again' }
    if (!(error instanceof CommandFailed)) throw error
    return { ok: false, why: error.message, remedy: `read ${runner.logPath}, or ${assetsRemedy}` }
  }
}

async function provisionFromDebian(runner: Runner, needed: readonly Tool[]): Promise<Provision> {
  // What was missing may have come while this process waited for the lock.
  if (findBinaries().ok && missing(needed).length === 0) return findBinaries()
  removeAbandoned()
  const workFolder = mkdtempSync(join(cacheRoot(), `building-${process.pid}-`))
  try {
    const debian = await openDebian(join(workFolder, 'apt'), runner)
    await install(debian, runner, needed)
    if (!findBinaries().ok) {
      const made = await buildBinaries({ workFolder, version, debian, runner })
      if (!findBinaries().ok) replaceCachedFolder(made)
    }
    runner.step('done')
    return findBinaries()
  } finally {
    rmSync(workFolder, { recursive: true, force: true })
  }
}

/** The rename is atomic, so nobody sees a cache that is half made. */
function replaceCachedFolder(made: string): void {
  rmSync(cachedFolder(), { recursive: true, force: true })
  renameSync(made, cachedFolder())
}

async function install(debian: Debian, runner: Runner, tools: readonly Tool[]): Promise<void> {
  const packages = missing(tools).map((tool) => tool.package)
  if (packages.length === 0) return
  runner.step(`install ${packages.join(', ')}`)
  await debian.install(packages)
}

/** Work folders of builds that were killed; a build that lives has its process id in the name. */
function removeAbandoned(): void {
  for (const name of readdirSync(cacheRoot())) {
    const builder = /^build(?:ing)?-(\d+)[-.]/.exec(name)?.[1]
    if (builder === undefined || isAlive(Number(builder))) continue
    rmSync(join(cacheRoot(), name), { recursive: true, force: true })
  }
}

function binariesIn(folder: string, remedy: string): Provision {
  const kubeApiserver = join(folder, 'kube-apiserver')
  const etcd = join(folder, 'etcd')
  const absent = [kubeApiserver, etcd].filter((path) => !existsSync(path))
  if (absent.length > 0) return { ok: false, why: `there is no ${absent.join(', no ')}`, remedy }

  const kubectl = commandPath('kubectl') ?? existing(join(folder, 'kubectl'))
  if (kubectl === undefined) {
    return { ok: false, why: `there is no kubectl in PATH or ${folder}`, remedy: 'install kubectl' }
  }
  const kubeControllerManager = existing(join(folder, 'kube-controller-manager'))
  return { ok: true, binaries: { kubeApiserver, etcd, kubectl, kubeControllerManager } }
}

function debianProblem(needed: readonly Tool[]): string | undefined {
  const names = needed.map((tool) => tool.command).join(', ')
  for (const command of ['apt-get', 'dpkg-deb']) {
    if (commandPath(command) === undefined) return `this is no Debian: there is no ${command}`
  }
  if (needed.length > 0 && process.getuid?.() !== 0) return `only root can install ${names}`
  return undefined
}

function remedyFor(needed: readonly Tool[], mustBuild: boolean): string {
  const packages = needed.map((tool) => tool.package).join(' ')
  const installing = needed.length > 0 ? [`install ${packages}`] : []
  const building = mustBuild ? [`run this on Debian bookworm, or ${assetsRemedy}`] : []
  return [...installing, ...building].join('; ')
}

function missing(tools: readonly Tool[]): Tool[] {
  return tools.filter((tool) => commandPath(tool.command) === undefined)
}

function existing(path: string): string | undefined {
  return existsSync(path) ? path : undefined
}

/** Where control planes are kept; it need not exist. */
export function cacheRoot(): string {
  const base = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
  return join(base, 'endpoints-operator', 'controlplane')
}

function cachedFolder(): string {
  return join(cacheRoot(), `${version}-${process.arch}`)
}

async function main(): Promise<number> {
  const interrupt = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupt.abort(name))
  const result = await provision(interrupt.signal)
  if (result.ok) console.log(JSON.stringify(result.binaries, null, 2))
  else console.error(`No control plane: ${result.why}\nRemedy: ${result.remedy}`)
  return result.ok ? 0 : 1
}

if (import.meta.main) process.exit(await main())
