// The program's commands, run as people do: by one of its names, with a kubeconfig, until they end.

import { operatorCommand } from './operator.ts'

export type CommandResult = {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export type CommandOptions = {
  /** The name by which it is called: what a link to the binary would be called. */
  readonly argv0?: string
  readonly cwd?: string
  readonly stdin?: string
}

const COMMAND_MAX_MS = 60_000

/** Starts a command; it is killed after a minute. */
export function spawnCommand(args: readonly string[], options: CommandOptions = {}) {
  const { argv0, cwd, stdin = '' } = options
  return Bun.spawn([...operatorCommand(), ...args], {
    stdin: new Blob([stdin]),
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: COMMAND_MAX_MS,
    ...(argv0 === undefined ? {} : { argv0 }),
    ...(cwd === undefined ? {} : { cwd }),
  })
}

/** Runs a command to its end. */
export async function runCommand(
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const child = spawnCommand(args, options)
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()])
  return { code: await child.exited, stdout, stderr }
}
