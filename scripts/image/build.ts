// Builds the container images into dist/image/<compression>/, one OCI layout each, without a daemon.

import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { TAG } from '../../deploy/names.ts'
import { type Binary, buildBinary } from '../binary.ts'
import type { Arch } from '../platforms.ts'
import { size } from '../size.ts'
import { sourceDate } from '../source-date.ts'
import { tar } from '../tar.ts'
import { type Compression, compress } from './compress.ts'
import { type Libc, libcFor } from './libc.ts'
import { type Layer, writeLayout } from './oci.ts'
import { baseEntries, operatorEntries } from './rootfs.ts'

export type ImageOptions = {
  readonly archs: readonly Arch[]
  readonly compressions: readonly Compression[]
  readonly trimsIcu: boolean
  /** Whether Debian must have the very glibc that we name. */
  readonly isPinned: boolean
}

/** Bytes that a node pulls, of all layers of one architecture. */
const IMAGE_MAX: Readonly<Record<Compression, number>> = { zstd: 36_000_000, gzip: 46_000_000 }

/** What layers with the same files have in common, whenever they are built. */
const LAYER_SECONDS = 0

type Part = { readonly createdBy: string; readonly tar: Uint8Array<ArrayBuffer> }

/** What an image of `arch` is made of. */
export type Parts = { readonly arch: Arch; readonly libc: Libc; readonly binary: Binary }

/** Builds what images are made of, for each of `archs`. */
export async function buildParts(options: ImageOptions): Promise<Parts[]> {
  const parts: Parts[] = []
  for (const arch of options.archs) {
    const libc = await libcFor(arch, options.isPinned)
    const binary = await buildBinary(`linux-${arch}`, options.trimsIcu)
    parts.push({ arch, libc, binary })
  }
  return parts
}

/** Where the layout of `compression` is. */
export function layoutFolder(compression: Compression): string {
  return join(import.meta.dir, '..', '..', 'dist', 'image', compression)
}

/** The tag of `compression` in its layout, and where it is published. */
export function tagOf(compression: Compression): string {
  return compression === 'zstd' ? TAG : `${TAG}-${compression}`
}

/** Builds and tells the sizes. Throws when an image is too large. */
export async function buildImages(options: ImageOptions): Promise<Parts[]> {
  const parts = await buildParts(options)
  for (const { arch, binary } of parts) tell(arch, binary)
  for (const compression of options.compressions) {
    const images = parts.map((part) => ({
      arch: part.arch,
      layers: archives(part).map((archive) => layerOf(archive, compression)),
    }))
    const folder = layoutFolder(compression)
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    const tag = tagOf(compression)
    const { digest, bytes } = writeLayout({ folder, tag, images, created: await sourceDate() })
    for (const { arch, layers } of images) tellLayers(`${tag} ${arch}`, layers)
    for (const [arch, total] of bytes) {
      console.log(
        `image: ${tag} ${arch}: ${size(total)} to pull (at most ${size(IMAGE_MAX[compression])})`,
      )
      // All languages of the world have their price: whoever keeps them has been told.
      if (options.trimsIcu && total > IMAGE_MAX[compression])
        throw new Error(
          `The image ${tag} for ${arch} is ${size(total)}, more than ${size(IMAGE_MAX[compression])}`,
        )
    }
    console.log(`image: ${tag} is ${digest} in ${folder}`)
  }
  return parts
}

/** The uncompressed layers, lowest first: what seldom changes, then the operator. */
export function archives({ libc, binary }: Parts): Part[] {
  return [
    { createdBy: `libc6 ${libc.version}`, tar: tar(baseEntries(libc), LAYER_SECONDS) },
    { createdBy: 'endpoints-operator', tar: tar(operatorEntries(binary.content), LAYER_SECONDS) },
  ]
}

function layerOf({ createdBy, tar }: Part, compression: Compression): Layer {
  return { createdBy, tar, compressed: compress(tar, compression), compression }
}

function tell(arch: Arch, { trim, oursBytes }: Binary): void {
  console.log(`image: ${arch}: the part that is ours is ${size(oursBytes)} compressed`)
  const trimmed = trim
    ? `${trim.version}: ${trim.zeroedEntries} of ${trim.entries} entries zeroed, ${size(trim.zeroedBytes)}`
    : 'all of it left in'
  console.log(`image: ${arch}: ICU data: ${trimmed}`)
}

function tellLayers(name: string, layers: readonly Layer[]): void {
  for (const { createdBy, tar, compressed } of layers) {
    const sizes = `${size(compressed.byteLength)} compressed, ${size(tar.byteLength)} unpacked`
    console.log(`image: ${name}: layer ${createdBy}: ${sizes}`)
  }
}
