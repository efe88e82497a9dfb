// One process at a time, on one machine. A lock whose holder died is taken over.

import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const pollMs = 1_000

export type LockOptions = {
  /** Told the process id of another holder, once. */
  readonly onWait: (holder: number) => void
  /** When to stop waiting for the lock; the work itself is not bounded by it. */
  readonly signal: AbortSignal
}

/**
 * Runs `work` while this process alone holds the lock at `path`. Rejects when the signal aborts while
 * waiting. Two processes that find the same dead holder at the same moment may both get in: `work`
 * must stay right then, if wasteful.
 */
export async function withLock<T>(
  path: string,
  { onWait, signal }: LockOptions,
  work: () => Promise<T>,
): Promise<T> {
  let told = false
  while (!take(path)) {
    const holder = readHolder(path)
    if (holder !== undefined && !isAlive(holder)) {
      rmSync(path, { force: true })
      continue
    }
    if (holder !== undefined && !told) onWait(holder)
    told ||= holder !== undefined
    await sleep(pollMs, undefined, { signal })
  }
  try {
    return await work()
  } finally {
    rmSync(path, { force: true })
  }
}

/** Whether a process with this id runs. One that has ended but was not waited for does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !isZombie(pid)
  } catch (error) {
    return hasCode(error, 'EPERM')
  }
}

/** Orphans stay zombies in a container whose first process waits for none. */
function isZombie(pid: number): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    // It has just ended, or this is no Linux; a signal reached it a moment ago.
    return false
  }
}

function take(path: string): boolean {
  // A link appears with its content, so nobody ever reads a lock without a process id.
  const own = `${path}.${process.pid}`
  writeFileSync(own, String(process.pid))
  try {
    linkSync(own, path)
    return true
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
    return false
  } finally {
    rmSync(own, { force: true })
  }
}

/** Undefined when the lock has just been freed. */
function readHolder(path: string): number | undefined {
  try {
    return Number(readFileSync(path, 'utf8'))
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
