// Runs kubectl against one control plane, untouched by the user's own settings.

export type KubectlResult = {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export type KubectlOptions = {
  readonly program: string
  readonly kubeconfig: string
  /** For what kubectl remembers of a server: another one may have had the same port before. */
  readonly home: string
}

const runMaxMs = 60_000
/** What timeout(1) says for a command that was cut off. */
const cutOffCode = 124

/** Resolves whatever the code is; `stdin` is for `-f -`. Cut off after a minute with code 124. */
export async function runKubectl(
  { program, kubeconfig, home }: KubectlOptions,
  args: readonly string[],
  stdin = '',
): Promise<KubectlResult> {
  const child = Bun.spawn([program, ...args], {
    stdin: new Blob([stdin]),
    stdout: 'pipe',
    stderr: 'pipe',
    env: { PATH: process.env.PATH ?? '', HOME: home, KUBECONFIG: kubeconfig },
    timeout: runMaxMs,
    killSignal: 'SIGKILL',
  })
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()])
  await child.exited
  return { code: child.exitCode ?? cutOffCode, stdout, stderr }
}
