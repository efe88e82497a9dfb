// Runs a command that a build needs.

export type RunOptions = {
  readonly cwd?: string
  /** Added to this process's own environment. */
  readonly env?: Readonly<Record<string, string>>
}

/** What it printed. Throws with what it said when it ends with another code than 0. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const child = Bun.spawn([...argv], {
    ...(options.cwd ? { cwd: options.cwd } : {}),
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()])
  const code = await child.exited
  if (code === 0) return stdout
  throw new Error(`\`${argv.join(' ')}\` ended with ${code}: ${(stderr || stdout).trim()}`)
}
