// The name by which this program was called: it decides what runs, and people read it in help and errors.

import { basename } from 'node:path'

export type Program = 'endpoints-operator' | 'kubectl cep' | 'cepctl'

/** How this process was called. Of a link to the binary it is the name of the link. */
export const program: Program = programOf(process.argv0)

/** As kubectl finds a plugin, as the Go version's tool was called, or by our own name whatever the file is called. */
export function programOf(argv0: string): Program {
  const name = basename(argv0)
  if (name === 'kubectl-cep') return 'kubectl cep'
  return name === 'cepctl' ? 'cepctl' : 'endpoints-operator'
}

/** `help` with its command lines as one types them under the name `as`; cepctl is `import` alone. */
export function asCalled(help: string, as: Program = program): string {
  if (as === 'cepctl') return help.replace(/^ {2}endpoints-operator import\b/gm, '  cepctl')
  return help.replace(/^ {2}endpoints-operator\b/gm, `  ${as}`)
}
