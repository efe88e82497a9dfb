// The operator's executable as it is published, in dist/binaries/<platform>/.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compile } from './compile.ts'
import { compress } from './image/compress.ts'
import { type Trim, trimIcu } from './image/icu.ts'
import { PLATFORMS, type PlatformName } from './platforms.ts'
import { run } from './run.ts'
import { runtimeFor } from './runtime.ts'
import { size } from './size.ts'

export type Binary = {
  readonly path: string
  readonly content: Uint8Array<ArrayBuffer>
  /** Absent when nothing was trimmed. */
  readonly trim: Trim | undefined
  /** Compressed bytes of what is not Bun's own, bundle and bytecode; 0 where that is not measured. */
  readonly oursBytes: number
}

/** Compressed bytes. Whoever pulls an image pays for Bun once; ours comes with each version. */
const OURS_MAX = 1_000_000

/**
 * Builds the executable for `platform`; the same sources give the same bytes. With `trimsIcu`, one for
 * Linux keeps English alone, and shows that it works if it is for this machine. Throws when the part
 * that is ours is too large.
 */
export async function buildBinary(platform: PlatformName, trimsIcu: boolean): Promise<Binary> {
  const folder = join(import.meta.dir, '..', 'dist', 'binaries', platform)
  const path = join(folder, 'endpoints-operator')
  mkdirSync(folder, { recursive: true })
  const runtime = await runtimeFor(platform)
  await compile({ outfile: path, target: PLATFORMS[platform].target, runtime })
  const content = new Uint8Array(readFileSync(path))
  const { target } = PLATFORMS[platform]
  // A Mach-O file is put together in another way, and nobody pulls one again and again.
  if (!platform.startsWith('linux-')) return { path, content, trim: undefined, oursBytes: 0 }

  // To an ELF file, Bun appends what is ours.
  const ours = compress(content.slice(Bun.file(runtime).size), 'zstd')
  if (ours.byteLength > OURS_MAX)
    throw new Error(
      `The part that is ours is ${size(ours.byteLength)}, more than ${size(OURS_MAX)}`,
    )
  const trim = trimsIcu ? trimIcu(content) : undefined
  if (trim) writeFileSync(path, content)
  if (target === `bun-${process.platform}-${process.arch}`) await run([path, 'version'])
  return { path, content, trim, oursBytes: ours.byteLength }
}
