// How much disk and memory the operator takes.

import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

export type Memory = {
  /** Bytes. */
  readonly rss: number
  /** Bytes of its own that no file backs; undefined where the system does not tell. */
  readonly anonymous: number | undefined
}

/** The memory of a process that runs; undefined if the system does not tell. */
export function memoryOf(pid: number): Memory | undefined {
  if (process.platform === 'linux') {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    return { rss: kilobytesIn(status, 'VmRSS') ?? 0, anonymous: kilobytesIn(status, 'RssAnon') }
  }
  const { stdout } = Bun.spawnSync(['ps', '-o', 'rss=', '-p', String(pid)])
  const kilobytes = Number(stdout.toString())
  return kilobytes > 0 ? { rss: kilobytes * 1024, anonymous: undefined } : undefined
}

/** Bytes of the operator's code, bundled as scripts/build.ts does it; undefined if it cannot be. */
export async function bundleBytes(): Promise<number | undefined> {
  const { success, outputs } = await Bun.build({
    throw: false,
    entrypoints: [join(import.meta.dir, '../../main.ts')],
    target: 'bun',
    format: 'esm',
    minify: true,
    splitting: true,
  })
  if (!success) return undefined
  return outputs.reduce((sum, { size }) => sum + size, 0)
}

export function fileBytes(path: string): number {
  return statSync(path).size
}

/** Like `0.45 MB`. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 10e6 ? 2 : 1)} MB`
}

function kilobytesIn(status: string, name: string): number | undefined {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)
  return found ? Number(found[1]) * 1024 : undefined
}
