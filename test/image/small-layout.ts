// A layout as that of the image, of parts small enough for each test run.

import { type Compression, compress } from '../../scripts/image/compress.ts'
import { writeLayout } from '../../scripts/image/oci.ts'
import { operatorEntries } from '../../scripts/image/rootfs.ts'
import { ARCHS } from '../../scripts/platforms.ts'
import { tar } from '../../scripts/tar.ts'

export type SmallLayoutOptions = {
  readonly folder: string
  readonly tag: string
  readonly compression: Compression
}

/** Writes one into `folder`, for all architectures; the digest of its tag. */
export function smallLayout({ folder, tag, compression }: SmallLayoutOptions): string {
  const images = ARCHS.map((arch) => {
    const archive = tar(operatorEntries(Buffer.from(`for ${arch}`)), 0)
    const compressed = compress(archive, compression)
    return { arch, layers: [{ createdBy: 'test', tar: archive, compressed, compression }] }
  })
  return writeLayout({ folder, tag, images, created: 1_000_000_000 }).digest
}
