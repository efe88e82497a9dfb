// The operator as its own process, as it runs in production: the compiled binary if there is one.

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'

export type Operator = {
  readonly pid: number
  /** All log lines so far. */
  readonly logs: () => string
  readonly healthUrl: string
  readonly metricsUrl: string
  /** Kilobytes of resident memory. */
  readonly rssKb: () => Promise<number>
  readonly kill: (signal: NodeJS.Signals) => void
  /** SIGTERM; resolves with the exit code. */
  readonly stop: () => Promise<number>
  readonly isRunning: () => boolean
  readonly exited: Promise<number>
}

/** Milliseconds until it must have said on which ports it listens. */
const START_MAX_MS = 15_000

/** The command under test: $EO_BINARY, or the sources. */
export function operatorCommand(): string[] {
  const binary = process.env.EO_BINARY
  if (binary && !existsSync(binary)) throw new Error(`Cannot find $EO_BINARY "${binary}"`)
  // Commands run in folders of their own.
  return binary ? [resolve(binary)] : [process.execPath, `${import.meta.dir}/../../main.ts`]
}

/** Starts the operator on free ports of loopback; resolves when it has said which. */
export async function startOperator(
  kubeconfig: string,
  args: readonly string[] = [],
): Promise<Operator> {
  let logs = ''
  const child = Bun.spawn(
    [
      ...operatorCommand(),
      `--kubeconfig=${kubeconfig}`,
      '--metricsaddr=127.0.0.1:0',
      '--health-probe-bind-address=127.0.0.1:0',
      ...args,
    ],
    { stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' },
  )
  const reading = (async () => {
    for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) logs += chunk
  })()
  const deadlineMs = performance.now() + START_MAX_MS
  let ports: RegExpExecArray | null = null
  while (!ports) {
    if (child.exitCode !== null || performance.now() > deadlineMs) {
      child.kill('SIGKILL')
      await reading
      throw new Error(`Cannot start the operator: ${logs}`)
    }
    await Bun.sleep(5)
    ports = /healthPort=(\d+) metricsPort=(\d+)/.exec(logs)
  }
  return {
    pid: child.pid,
    logs: () => logs,
    healthUrl: `http://127.0.0.1:${ports[1]}`,
    metricsUrl: `http://127.0.0.1:${ports[2]}/metrics`,
    rssKb: async () => {
      const status = await Bun.file(`/proc/${child.pid}/status`).text()
      return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1])
    },
    kill: (signal) => child.kill(signal),
    stop: async () => {
      child.kill('SIGTERM')
      const code = await child.exited
      await reading
      return code
    },
    isRunning: () => child.exitCode === null && child.signalCode === null,
    exited: child.exited,
  }
}
