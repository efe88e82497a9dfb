// One server process of a control plane: started, waited for, hurt on purpose, started again, ended.

import { closeSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { commandPath } from './command-path.ts'

export type Daemon = {
  /** Of the present or the last process; another one after restart(). */
  readonly pid: number
  /** Sends `signal` and returns at once; nothing when the process has ended. */
  kill(signal: NodeJS.Signals): void
  /** Ends the process if it still runs, starts it with the same arguments, resolves when it is ready. */
  restart(): Promise<void>
  /** SIGTERM, then SIGKILL; resolves when the process has ended. */
  stop(): Promise<void>
}

export type DaemonOptions = {
  readonly name: string
  readonly argv: readonly string[]
  /** Output of every run is appended here. */
  readonly logPath: string
  /** Asked every `pollMs` after a start. Must settle soon after the signal aborts; may reject. */
  readonly isReady: (signal: AbortSignal) => Promise<boolean>
}

/** How long a start may take: 3 s on an idle machine, many times that on a busy one. */
const readyMaxMs = 90_000
const readyAttemptMaxMs = 2_000
const pollMs = 50
/** An API server that has open watches would drain them for up to a minute. */
const terminateMaxMs = 3_000

/** Starts it and resolves when it is ready; rejects, with the end of its log, when it ends or takes too long. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  let child = spawn(options)

  function kill(signal: NodeJS.Signals): void {
    if (!hasEnded(child)) child.kill(signal)
  }

  async function stop(): Promise<void> {
    kill('SIGTERM')
    // A stopped process takes SIGTERM only when it goes on.
    kill('SIGCONT')
    const graceful = await Promise.race([child.exited, sleep(terminateMaxMs, undefined)])
    if (graceful === undefined) kill('SIGKILL')
    await child.exited
  }

  async function restart(): Promise<void> {
    await stop()
    child = spawn(options)
    await ready(options, child)
  }

  try {
    await ready(options, child)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    get pid() {
      return child.pid
    },
    kill,
    restart,
    stop,
  }
}

function spawn({ argv, logPath }: DaemonOptions): Bun.Subprocess {
  // The kernel kills the daemon when this process dies, however that happens.
  const setpriv = commandPath('setpriv')
  const bound = setpriv === undefined ? argv : [setpriv, '--pdeathsig', 'KILL', '--', ...argv]
  const log = openSync(logPath, 'a')
  try {
    return Bun.spawn([...bound], {
      stdio: ['ignore', log, log],
      // etcd 3.4 refuses arm64 unless told that this is meant.
      env: { PATH: process.env.PATH ?? '', ETCD_UNSUPPORTED_ARCH: process.arch },
      // Ctrl-C in a terminal is for the tests; they end their daemons in order.
      detached: true,
    })
  } finally {
    closeSync(log)
  }
}

async function ready(options: DaemonOptions, child: Bun.Subprocess): Promise<void> {
  const deadlineMs = performance.now() + readyMaxMs
  while (performance.now() < deadlineMs) {
    if (hasEnded(child)) throw new Error(complaint(options, 'ended before it was ready'))
    if (await answers(options)) return
    await sleep(pollMs)
  }
  throw new Error(complaint(options, `was not ready after ${readyMaxMs / 1000} s`))
}

async function answers({ isReady }: DaemonOptions): Promise<boolean> {
  try {
    return await isReady(AbortSignal.timeout(readyAttemptMaxMs))
  } catch {
    // Nobody listens yet; the deadline of the start tells when that is an error.
    return false
  }
}

function hasEnded(child: Bun.Subprocess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

function complaint({ name, logPath }: DaemonOptions, what: string): string {
  const tail = readFileSync(logPath, 'utf8').trimEnd().split('\n').slice(-15).join('\n')
  return `${name} ${what}; the end of ${logPath}:\n${tail}`
}
