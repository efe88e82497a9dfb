// The demo as a process of its own whose output goes into a pipe.

export type Ended = {
  readonly code: number
  readonly output: string
  readonly tookMs: number
}

/** Milliseconds after which the demo is killed: it must end by itself before a minute is over. */
const RUN_MAX_MS = 75_000

/** Runs it from its sources until it ends. */
export async function runToEnd(args: readonly string[]): Promise<Ended> {
  const startedMs = performance.now()
  const child = Bun.spawn([process.execPath, `${import.meta.dir}/main.ts`, ...args], {
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: RUN_MAX_MS,
  })
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()])
  const code = await child.exited
  return { code, output: stdout + stderr, tookMs: performance.now() - startedMs }
}
