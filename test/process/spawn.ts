// The operator as its own process, in whatever trouble a test puts it: behind a prefix that limits it,
// with a standard error of the test's own. Where neither is asked for, it is as test/integration's.

import { freePorts } from '../controlplane/free-ports.ts'
import { operatorCommand } from '../integration/operator.ts'

/** Disposed of, it is killed. */
export type Spawned = AsyncDisposable & {
  readonly pid: number
  /** Log lines so far; empty when standard error is the test's own. */
  readonly logs: () => string
  readonly healthUrl: string
  readonly metricsUrl: string
  readonly kill: (signal: NodeJS.Signals) => void
  /** SIGTERM; resolves with the exit code and the milliseconds it took. */
  readonly stop: () => Promise<{ readonly code: number; readonly ms: number }>
  /** Resolves when it has ended and all that it said was read. */
  readonly exited: Promise<number>
}

export type SpawnOptions = {
  readonly kubeconfig: string
  readonly args?: readonly string[]
  /** Comes before the command, and must end in an exec of what follows. */
  readonly prefix?: readonly string[]
  /** In place of $EO_BINARY or the sources. */
  readonly command?: readonly string[]
  /** A descriptor for its standard error; without it that is read, and told by `logs`. */
  readonly stderr?: number
}

/** Milliseconds until it must be ready. */
const START_MAX_MS = 20_000
/** Milliseconds that a page of ours may take. */
const PAGE_MAX_MS = 1_000

/** Starts the operator; resolves when it is ready. Throws with its logs when it does not get there. */
export async function spawnOperator(options: SpawnOptions): Promise<Spawned> {
  const { kubeconfig, args = [], prefix = [], command = operatorCommand(), stderr } = options
  const [healthPort, metricsPort] = freePorts(2)
  const child = Bun.spawn(
    [
      ...prefix,
      ...command,
      `--kubeconfig=${kubeconfig}`,
      `--metricsaddr=127.0.0.1:${metricsPort}`,
      `--health-probe-bind-address=127.0.0.1:${healthPort}`,
      ...args,
    ],
    { stdin: 'ignore', stdout: 'ignore', stderr: stderr ?? 'pipe' },
  )
  let logs = ''
  const reading = (async () => {
    if (!(child.stderr instanceof ReadableStream)) return
    for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) logs += chunk
  })()
  const exited = child.exited.then(async (code) => {
    await reading
    return code
  })
  const spawned: Spawned = {
    pid: child.pid,
    logs: () => logs,
    healthUrl: `http://127.0.0.1:${healthPort}`,
    metricsUrl: `http://127.0.0.1:${metricsPort}/metrics`,
    kill: (signal) => child.kill(signal),
    stop: async () => {
      const startMs = performance.now()
      child.kill('SIGTERM')
      const code = await exited
      return { code, ms: performance.now() - startMs }
    },
    exited,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await exited
    },
  }
  const deadlineMs = performance.now() + START_MAX_MS
  while ((await statusOf(`${spawned.healthUrl}/readyz`)) !== 200) {
    if (child.exitCode !== null || performance.now() > deadlineMs) {
      child.kill('SIGKILL')
      await exited
      throw new Error(`Cannot start the operator: ${logs}`)
    }
    await Bun.sleep(10)
  }
  return spawned
}

/** The status of a page on a connection of its own; undefined when there was no answer in time. */
export async function statusOf(url: string, maxMs = PAGE_MAX_MS): Promise<number | undefined> {
  try {
    const answer = await fetch(url, { keepalive: false, signal: AbortSignal.timeout(maxMs) })
    await answer.arrayBuffer()
    return answer.status
  } catch {
    // Refused, reset or too slow: the caller asks whether it answers, not why not.
    return undefined
  }
}
