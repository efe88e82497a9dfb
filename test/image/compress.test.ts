import { expect, test } from 'bun:test'
import { gunzipSync, zstdDecompressSync } from 'bun'
import { COMPRESSIONS, compress } from '../../scripts/image/compress.ts'

const UNPACK = { zstd: zstdDecompressSync, gzip: gunzipSync } as const

test.each([...COMPRESSIONS])(
  'compress() with %s gives the same bytes twice, and all of them back',
  (each) => {
    const content = new Uint8Array(Buffer.from('endpoints '.repeat(500_000)))
    const compressed = compress(content, each)
    expect(compressed.byteLength).toBeWithin(1, 100_000)
    expect(Bun.hash(compress(content, each))).toBe(Bun.hash(compressed))
    expect(Bun.hash(UNPACK[each](compressed))).toBe(Bun.hash(content))
  },
)

test('compress() with zstd asks for at most 16 MB of whoever unpacks', () => {
  const frame = compress(new Uint8Array(20_000_000), 'zstd')
  // Source: RFC 8878, 3.1.1.1.2: the window descriptor follows the magic number and the frame header.
  expect(2 ** (10 + ((frame[5] ?? 0) >> 3))).toBe(2 ** 24)
})
