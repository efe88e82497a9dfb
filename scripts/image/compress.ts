// Layers, compressed as small as what pulls them can take.

import { constants, type ZstdOptions, zstdCompressSync } from 'node:zlib'
import { gunzipSync, gzipSync, zstdDecompressSync } from 'bun'

export type Compression = 'zstd' | 'gzip'

/** Smallest first: the usual one, and one for Docker before 23.0 and containerd before 1.5. */
export const COMPRESSIONS: readonly Compression[] = ['zstd', 'gzip']

const ZSTD: ZstdOptions = {
  params: {
    [constants.ZSTD_c_compressionLevel]: 19,
    // 16 MB: what unpacks a layer needs as much. Level 22 takes 128 MB of a small node, for 0.7 MB.
    [constants.ZSTD_c_windowLog]: 24,
    // As many as there are, the result is the same; 0 gives another one.
    [constants.ZSTD_c_nbWorkers]: 2,
    [constants.ZSTD_c_checksumFlag]: 1,
  },
}

/**
 * The same bytes for the same `content`, as long as Bun stays the same. Throws when unpacking does not
 * give `content` back. Keeps two cores busy for a minute per 100 MB.
 */
export function compress(
  content: Uint8Array<ArrayBuffer>,
  compression: Compression,
): Uint8Array<ArrayBuffer> {
  const isZstd = compression === 'zstd'
  // Not the asynchronous one: with workers, Bun 1.4.5 gives nothing, and no error.
  const compressed = isZstd
    ? new Uint8Array(zstdCompressSync(content, ZSTD))
    : gzipSync(content, { library: 'libdeflate', level: 12 })
  const unpacked = isZstd ? zstdDecompressSync(compressed) : gunzipSync(compressed)
  if (Bun.hash(unpacked) !== Bun.hash(content))
    throw new Error(
      `Cannot compress ${content.byteLength} bytes with ${compression}: they come out changed`,
    )
  return compressed
}
