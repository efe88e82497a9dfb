// Everything that a release consists of, into dist/release/: the same bytes from the same commit.
// `bun run release [--registry HOST] [--verify]`; $SOURCE_DATE_EPOCH is honoured.

import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CONTROLLER_IMAGE, TAG } from '../deploy/names.ts'
import { name, version } from '../package.json'
import { buildBinary } from './binary.ts'
import { runScript } from './command.ts'
import { folderEntries } from './folder.ts'
import { buildImages, layoutFolder } from './image/build.ts'
import { COMPRESSIONS, compress } from './image/compress.ts'
import { ARCHS, type PlatformName } from './platforms.ts'
import { stampManifest, stampValues } from './release/registry.ts'
import { sbom } from './release/sbom.ts'
import { buildCluster, clusterArchive } from './sealos/build.ts'
import { writeContext } from './sealos/context.ts'
import { size } from './size.ts'
import { sourceDate } from './source-date.ts'
import { type Entry, tar } from './tar.ts'

const ROOT = join(import.meta.dir, '..')
const RELEASE = join(ROOT, 'dist', 'release')
/** Its values are where the chart names the registry. */
const VALUES = `${name}/values.yaml`

await runScript({
  name: 'release',
  purpose: 'Builds everything that a release consists of into dist/release/.',
  flags: [
    { name: 'registry', value: 'HOST', fallback: '', help: 'put into manifest and chart' },
    { name: 'verify', fallback: '', help: 'build it all twice, and compare' },
  ],
  work: async (flags) => {
    const sums = await release(flags.get('registry'))
    if (!flags.isOn('verify')) return
    if ((await release(flags.get('registry'))) !== sums)
      throw new Error('Two builds of the same sources differ')
    console.log('release: two builds gave the same bytes')
  },
})

/** Builds it; what SHA256SUMS says. */
async function release(registry: string): Promise<string> {
  rmSync(RELEASE, { recursive: true, force: true })
  mkdirSync(RELEASE, { recursive: true })
  const seconds = await sourceDate()
  const write = (file: string, content: string | Uint8Array) => {
    writeFileSync(join(RELEASE, file), content)
    console.log(`release: ${file}: ${size(Buffer.byteLength(content))}`)
  }

  const images = { archs: ARCHS, compressions: COMPRESSIONS, trimsIcu: true, isPinned: true }
  for (const { arch, binary } of await buildImages(images))
    write(...download(`linux-${arch}`, binary.content, seconds))
  for (const platform of ['darwin-amd64', 'darwin-arm64'] as const)
    write(...download(platform, (await buildBinary(platform, false)).content, seconds))

  for (const compression of COMPRESSIONS) {
    const suffix = compression === 'zstd' ? '' : `-${compression}`
    const file = `${CONTROLLER_IMAGE.name}-${TAG}${suffix}.oci.tar`
    write(file, tar(folderEntries(layoutFolder(compression)), seconds))
  }
  for (const arch of ARCHS) {
    const folder = join(ROOT, 'dist', 'sealos', arch)
    writeContext({ arch, layout: layoutFolder('zstd'), folder })
    await buildCluster({ folder, arch, archive: join(RELEASE, clusterArchive(arch)) })
  }

  const stamp = (text: string, stamped: (text: string, host: string) => string) =>
    registry === '' ? text : stamped(text, registry)
  const manifest = readFileSync(join(ROOT, 'deploy', 'install.yaml'), 'utf8')
  write('install.yaml', stamp(manifest, stampManifest))
  cpSync(join(ROOT, 'crds', 'clusterendpoints.yaml'), join(RELEASE, 'clusterendpoints.yaml'))
  const chart = folderEntries(join(ROOT, 'deploy', 'charts', name), name).map((entry) => {
    if (entry.kind !== 'file' || entry.path !== VALUES) return entry
    const text = Buffer.from(entry.content).toString()
    return { ...entry, content: Buffer.from(stamp(text, stampValues)) }
  })
  write(`${name}-${version}.tgz`, compress(tar(chart, seconds), 'gzip'))
  write(`${name}-${TAG}.cdx.json`, `${JSON.stringify(await sbom(seconds), null, 2)}\n`)

  const sums = readdirSync(RELEASE)
    .sort()
    .map((file) => {
      const content = readFileSync(join(RELEASE, file))
      return `${new Bun.CryptoHasher('sha256').update(content).digest('hex')}  ${file}\n`
    })
    .join('')
  writeFileSync(join(RELEASE, 'SHA256SUMS'), sums)
  return sums
}

/** The archive of the binary for `platform`, with the licences. */
function download(
  platform: PlatformName,
  binary: Uint8Array,
  seconds: number,
): [string, Uint8Array] {
  const file = (path: string, mode: number, content: Uint8Array): Entry => {
    return { kind: 'file', path, mode, content }
  }
  const entries = [
    file(name, 0o755, binary),
    ...['LICENSE', 'NOTICE'].map((each) => file(each, 0o644, readFileSync(join(ROOT, each)))),
  ]
  return [`${name}-${TAG}-${platform}.tar.gz`, compress(tar(entries, seconds), 'gzip')]
}
