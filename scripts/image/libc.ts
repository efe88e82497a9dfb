// The files of glibc that Bun's executable loads, from Debian's package.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import { cached } from '../cache.ts'
import { openDebian } from '../debian/debian.ts'
import { CommandFailed, openRunner } from '../debian/runner.ts'
import { ARCHS, type Arch } from '../platforms.ts'
import { run } from '../run.ts'
import type { Entry } from '../tar.ts'

export type Libc = {
  /** Of Debian's package. */
  readonly version: string
  readonly entries: readonly Entry[]
}

/** The package of Debian bookworm that images are made with. */
export const LIBC_VERSION = '2.36-9+deb12u14'

type Package = { readonly sha256: string; readonly triplet: string; readonly loader: string }

const PACKAGES: Readonly<Record<Arch, Package>> = {
  amd64: {
    sha256: 'ba4f88f73dbc3ae9055f3c20f4523bfdbaf1ad13ff95e258924f77d20b4fbedf',
    triplet: 'x86_64-linux-gnu',
    loader: 'lib64/ld-linux-x86-64.so.2',
  },
  arm64: {
    sha256: '01f4330719fd4f65580e16ea5a0527f372fca750e8f588d26deaf09f2d3b1cf4',
    triplet: 'aarch64-linux-gnu',
    loader: 'lib/ld-linux-aarch64.so.1',
  },
}

/** What is kept of the package's description. */
const STANZA = ['Package', 'Source', 'Version', 'Architecture', 'Maintainer', 'Homepage'] as const

/** What `readelf -d` names as NEEDED; no libnss: files and DNS are within libc since 2.34. */
const LIBRARIES = ['libc.so.6', 'libdl.so.2', 'libm.so.6', 'libpthread.so.0'] as const

/**
 * glibc for `arch`: the pinned version, from the cache or from Debian. When Debian has only another one
 * by now, that one with a warning, or, if `isPinned`, an error.
 */
export async function libcFor(arch: Arch, isPinned: boolean): Promise<Libc> {
  const archive = await archiveFor(arch, isPinned)
  const field = async (name: string) => (await run(['dpkg-deb', '--field', archive, name])).trim()
  const version = await field('Version')
  if (version !== LIBC_VERSION)
    console.error(
      `image: WARNING: Debian has libc6 ${version} here, not ${LIBC_VERSION} as scripts/image/libc.ts says: this image is not the one that others build`,
    )
  const folder = mkdtempSync(join(tmpdir(), 'libc6-'))
  try {
    await run(['dpkg-deb', '--extract', archive, folder])
    const stanza = await run(['dpkg-deb', '--field', archive, ...STANZA])
    return { version, entries: entriesIn(folder, PACKAGES[arch], stanza) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The path of the package. */
async function archiveFor(arch: Arch, isPinned: boolean): Promise<string> {
  const { sha256 } = PACKAGES[arch]
  try {
    const archive = await cached(`libc6_${LIBC_VERSION}_${arch}.deb`, (folder) =>
      download(`libc6:${arch}=${LIBC_VERSION}`, folder),
    )
    const actual = new Bun.CryptoHasher('sha256').update(readFileSync(archive)).digest('hex')
    if (actual === sha256) return archive
    throw new Error(`Cannot use ${archive}: its SHA-256 is ${actual}, not ${sha256}`)
  } catch (error) {
    if (isPinned || !(error instanceof CommandFailed)) throw error
    const today = new Date().toISOString().slice(0, 10)
    return await cached(`libc6_${today}_${arch}.deb`, (folder) => download(`libc6:${arch}`, folder))
  }
}

async function download(what: string, folder: string): Promise<string> {
  const runner = openRunner('image', join(folder, 'log'), new AbortController().signal)
  const debian = await openDebian(join(folder, 'apt'), runner, ARCHS)
  runner.step(`download ${what}`)
  return await debian.download(what, folder)
}

/** Where Debian has them, with the loader as a link where the executable names it. */
function entriesIn(folder: string, { triplet, loader }: Package, stanza: string): Entry[] {
  const file = (path: string, mode: number, from = path): Entry => {
    return { kind: 'file', path, mode, content: readFileSync(join(folder, from)) }
  }
  const library = `lib/${triplet}`
  const real = `${library}/${basename(loader)}`
  return [
    file(real, 0o755),
    { kind: 'link', path: loader, target: relative(dirname(loader), real) },
    ...LIBRARIES.map((name) => file(`${library}/${name}`, 0o644)),
    file('licenses/libc6', 0o644, 'usr/share/doc/libc6/copyright'),
    // For scanners of vulnerabilities, which look for packages here where there is no dpkg.
    {
      kind: 'file',
      path: 'var/lib/dpkg/status.d/libc6',
      mode: 0o644,
      content: Buffer.from(stanza),
    },
  ]
}
