// Debian's packages through an apt of our own: its lists and settings live in one folder, which has
// source packages switched on. The system's own lists and sources stay as they are.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { CommandFailed, type Runner } from './runner.ts'
import { sourcesWithSource } from './sources.ts'

export type Debian = {
  /** Installs packages into the system; must be root. */
  install(packages: readonly string[]): Promise<void>
  /** Downloads one package, like `libc6:arm64` or `libc6:arm64=2.36-9`, into `folder`; returns the file's path. */
  download(what: string, folder: string): Promise<string>
  /** Unpacks packages, without what they depend on, below `folder`; the system stays as it is. */
  unpack(packages: readonly string[], folder: string): Promise<void>
  /** Unpacks the source package `name`, with Debian's patches, as `folder`; the newest of `upstream`. */
  unpackSource(name: string, upstream: string, folder: string): Promise<void>
}

/**
 * Reads the lists of the archives that the system is set up for, of `architectures` beside the system's
 * own. `folder` must not exist.
 */
export async function openDebian(
  folder: string,
  runner: Runner,
  architectures: readonly string[] = [],
): Promise<Debian> {
  const lists = join(folder, 'lists')
  const parts = join(folder, 'sources')
  const cache = join(folder, 'cache')
  for (const path of [lists, parts, cache]) mkdirSync(path, { recursive: true })
  for (const path of systemSources()) {
    const text = sourcesWithSource(path, readFileSync(path, 'utf8'))
    writeFileSync(join(parts, basename(path)), text)
  }

  const settings = {
    'Dir::Etc::SourceList': '/dev/null',
    'Dir::Etc::SourceParts': parts,
    'Dir::State::Lists': lists,
    'Dir::Cache': cache,
    // As root, apt downloads as another user, who cannot write into our folders.
    'APT::Sandbox::User': 'root',
    'Acquire::Retries': '3',
  }
  const foreign = architectures.map((name) => ['APT::Architectures::', name] as const)
  const options = [...Object.entries(settings), ...foreign].flatMap(([name, value]) => [
    '-o',
    `${name}=${value}`,
  ])
  const env = { ...definedEnvironment(), DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' }
  const apt = (args: readonly string[], cwd: string) =>
    runner.run(['apt-get', ...options, ...args], { cwd, env })

  async function install(packages: readonly string[]): Promise<void> {
    await apt(['install', '--yes', '--no-install-recommends', ...packages], folder)
  }

  async function download(what: string, into: string): Promise<string> {
    const before = new Set(readdirSync(into))
    await apt(['download', what], into)
    const file = readdirSync(into).find((name) => name.endsWith('.deb') && !before.has(name))
    if (file === undefined) throw new CommandFailed(`apt-get brought no package ${what}`)
    return join(into, file)
  }

  async function unpack(packages: readonly string[], into: string): Promise<void> {
    const downloads = join(folder, 'downloads')
    mkdirSync(downloads, { recursive: true })
    await apt(['download', ...packages], downloads)
    for (const file of readdirSync(downloads)) {
      await runner.run(['dpkg-deb', '--extract', file, into], { cwd: downloads })
    }
  }

  async function unpackSource(name: string, upstream: string, into: string): Promise<void> {
    const version = newestSource(options, name, upstream)
    const downloads = join(folder, 'source')
    mkdirSync(downloads, { recursive: true })
    await apt(['source', '--download-only', `${name}=${version}`], downloads)
    const description = readdirSync(downloads).find((file) => file.endsWith('.dsc'))
    if (description === undefined) throw new CommandFailed(`apt-get brought no .dsc of ${name}`)
    // apt has checked the files against the signed lists; the uploader's own key is rarely at hand.
    await runner.run(['dpkg-source', '--no-check', '--extract', description, into], {
      cwd: downloads,
    })
  }

  runner.step('read the package lists')
  await apt(['update'], folder)
  return { install, download, unpack, unpackSource }
}

/** The one-line and deb822 files that apt reads. */
function systemSources(): string[] {
  const folder = '/etc/apt/sources.list.d'
  const names = existsSync(folder) ? readdirSync(folder) : []
  const parts = names.filter((name) => /\.(list|sources)$/.test(name)).map((n) => join(folder, n))
  return ['/etc/apt/sources.list', ...parts].filter((path) => existsSync(path))
}

function newestSource(options: readonly string[], name: string, upstream: string): string {
  const shown = Bun.spawnSync(['apt-cache', ...options, 'showsrc', '--only-source', name])
  const versions = [...shown.stdout.toString().matchAll(/^Version: (.+)$/gm)].map((m) => m[1] ?? '')
  const version = versions.find((candidate) => candidate.includes(upstream))
  if (version !== undefined) return version
  const found = versions.length > 0 ? versions.join(', ') : 'none'
  throw new CommandFailed(`Debian's source package ${name} ${upstream} is needed, here is ${found}`)
}

function definedEnvironment(): Record<string, string> {
  const entries = Object.entries(process.env)
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => !!entry[1]))
}
