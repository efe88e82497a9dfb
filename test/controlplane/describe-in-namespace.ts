// Tests that need a real control plane and addresses of their own, from a plain `bun test`.

import { describe, test } from 'bun:test'
import { inNetworkNamespace, isInNetworkNamespace, namespaceProblem } from './netns.ts'
import { findBinaries } from './provision.ts'

/** For a whole test file, which runs as one test here. */
const fileMaxMs = 10 * 60_000

/**
 * Describes the tests of `file` (`import.meta.path`) so that they run in a network namespace with
 * namespaceAddresses, beside binaries of a control plane: outside of one, the file becomes a single
 * test that runs it again inside. Where that is impossible it is skipped with a line that says why,
 * or fails if CI=true. One call per file, with all of its tests in it.
 */
export function describeInNamespace(name: string, file: string, tests: () => void): void {
  if (isInNetworkNamespace()) {
    describe(name, tests)
    return
  }
  const problem = problemHere()
  if (problem !== undefined && process.env.CI !== 'true') {
    console.error(`SKIPPED: ${name}: ${problem}`)
    test.skip(name, () => {})
    return
  }
  test(
    name,
    async () => {
      if (problem !== undefined) throw new Error(problem)
      await runAgainInside(file)
    },
    fileMaxMs,
  )
}

function problemHere(): string | undefined {
  const found = findBinaries()
  if (!found.ok) return `${found.why}. Remedy: ${found.remedy}`
  const problem = namespaceProblem()
  if (problem === undefined) return undefined
  return `${problem}. Remedy: run as root, with util-linux and iproute2, where namespaces are allowed`
}

async function runAgainInside(file: string): Promise<void> {
  const child = Bun.spawn(inNetworkNamespace([process.execPath, 'test', file]), {
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: fileMaxMs,
  })
  const code = await child.exited
  if (code !== 0) throw new Error(`The tests inside the network namespace ended with ${code}`)
}
