// A memory cgroup of a test's own, as a pod has one. Versions 1 and 2.

import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export type MemoryCgroup = Disposable & {
  /** The argv that runs a command inside. */
  readonly inside: (command: readonly string[]) => string[]
  /** Megabytes that are charged to it, page cache included. */
  readonly usageMb: () => number
  /** Processes that were killed for want of memory. */
  readonly kills: () => number
}

const MEBI = 1024 * 1024

/** Makes one with a limit, or says why that cannot be done here. Nobody may be inside when it is disposed of. */
export function makeMemoryCgroup(limitMb: number): MemoryCgroup | { readonly problem: string } {
  const problems: string[] = []
  for (const parent of parents()) {
    const path = join(parent.path, `endpoints-operator-${process.pid}`)
    try {
      mkdirSync(path)
    } catch (error) {
      problems.push(String(error))
      continue
    }
    try {
      writeFileSync(join(path, parent.files.limit), String(limitMb * MEBI))
      return cgroupAt(path, parent.files)
    } catch (error) {
      rmdirSync(path)
      problems.push(String(error))
    }
  }
  return { problem: problems.join('; ') || 'no memory cgroup is mounted' }
}

type Files = { limit: string; usage: string; events: string }

const V1: Files = {
  limit: 'memory.limit_in_bytes',
  usage: 'memory.usage_in_bytes',
  events: 'memory.oom_control',
}
const V2: Files = {
  limit: 'memory.max',
  usage: 'memory.current',
  events: 'memory.events',
}

/**
 * Where one may be made: below the cgroup that we are in ourselves; in version 2, where processes and
 * children exclude each other, also beside it.
 */
function parents(): { readonly path: string; readonly files: Files }[] {
  if (!existsSync('/proc/self/cgroup')) return []
  const own = readFileSync('/proc/self/cgroup', 'utf8')
  const v1 = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(own)?.[1]
  if (v1 !== undefined) return [{ path: join('/sys/fs/cgroup/memory', v1), files: V1 }]
  const v2 = /^0::(.*)$/m.exec(own)?.[1]
  if (v2 === undefined) return []
  const path = join('/sys/fs/cgroup', v2)
  const all = v2 === '/' ? [path] : [path, dirname(path)]
  return all.map((each) => ({ path: each, files: V2 }))
}

function cgroupAt(path: string, files: Files): MemoryCgroup {
  const read = (file: string) => readFileSync(join(path, file), 'utf8')
  return {
    inside: (command) => [
      ...['sh', '-ec', 'echo $$ > "$1"; shift; exec "$@"', 'sh'],
      ...[join(path, 'cgroup.procs'), ...command],
    ],
    usageMb: () => Number(read(files.usage)) / MEBI,
    kills: () => Number(/^oom_kill (\d+)/m.exec(read(files.events))?.[1] ?? 0),
    [Symbol.dispose]: () => rmdirSync(path),
  }
}
