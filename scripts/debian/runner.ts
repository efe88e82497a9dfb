// Runs long commands one after another: a line per step on stderr, their output in a log file.

import { closeSync, openSync, readFileSync } from 'node:fs'

const tailLines = 15

export type RunOptions = {
  readonly cwd: string
  /** The whole environment of the command; this process's own where absent. */
  readonly env?: Readonly<Record<string, string>>
}

export type Runner = {
  readonly logPath: string
  /** Says what begins now, with the seconds since the runner was opened. */
  step(what: string): void
  /** Resolves when the command ended with 0; rejects with CommandFailed otherwise. */
  run(argv: readonly string[], options: RunOptions): Promise<void>
}

/** A command that ended with another code than 0, or was interrupted; the message ends with the log's tail. */
export class CommandFailed extends Error {
  override name = 'CommandFailed'
}

/**
 * A runner that writes a new log at `logPath` and says its steps as `name`. When `signal` aborts, the
 * running command is ended.
 */
export function openRunner(name: string, logPath: string, signal: AbortSignal): Runner {
  const beginMs = performance.now()
  closeSync(openSync(logPath, 'w'))

  function step(what: string): void {
    const seconds = Math.round((performance.now() - beginMs) / 1000)
    console.error(`${name}: [${String(seconds).padStart(4)} s] ${what}`)
  }

  async function run(argv: readonly string[], options: RunOptions): Promise<void> {
    const log = openSync(logPath, 'a')
    try {
      await ended(argv, options, log)
    } finally {
      closeSync(log)
    }
  }

  async function ended(argv: readonly string[], options: RunOptions, log: number): Promise<void> {
    signal.throwIfAborted()
    // A process group of its own: ending `make` has to end its compilers too.
    const child = Bun.spawn([...argv], {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['ignore', log, log],
      detached: true,
    })
    const interrupt = () => process.kill(-child.pid, 'SIGTERM')
    signal.addEventListener('abort', interrupt)
    const code = await child.exited
    signal.removeEventListener('abort', interrupt)
    signal.throwIfAborted()
    if (code === 0) return
    throw new CommandFailed(`\`${argv.join(' ')}\` ended with ${code}:\n${tail(logPath)}`)
  }

  return { logPath, step, run }
}

function tail(path: string): string {
  return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-tailLines).join('\n')
}
