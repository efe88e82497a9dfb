// The commands, as main's --help and the completion tell them.

import { asCalled, type Program } from './program.ts'

/** A command beside the operator itself. */
export type CommandUsage = {
  readonly word: string
  /** What it is given, in --help. */
  readonly args: string
  readonly about: string
}

export const COMMANDS: readonly CommandUsage[] = [
  { word: 'check', args: '-f FILE|-', about: 'probe what a manifest says, from here' },
  { word: 'import', args: 'SERVICE', about: 'make one of a Service that stands' },
  { word: 'migrate', args: '--all', about: 'move in from earlier versions' },
  { word: 'manifests', args: '', about: 'print what installs it in a cluster' },
  { word: 'completion', args: 'bash|zsh', about: 'completion for your shell' },
  { word: 'version', args: '', about: 'print the version' },
]

/** Columns of a command in --help. */
const LEFT = 43

/** The lines of --help that list the commands. */
export function commandHelp(): string {
  return COMMANDS.map(({ word, args, about }) =>
    `  endpoints-operator ${word} ${args}`.padEnd(LEFT).concat(about),
  ).join('\n')
}

/** --help of the program where the operator itself is no command: as a plugin of kubectl. */
export function pluginHelp(as: Program): string {
  const help = `Moves Services for hosts outside the cluster to ClusterEndpoints, and probes them.

Usage:
${commandHelp()}

Examples:
  endpoints-operator import -n prod mysql --probe tcp > mysql.yaml
  endpoints-operator check -f mysql.yaml

Flags of each: --help behind it.
`
  return asCalled(help, as)
}
