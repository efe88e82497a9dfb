// Tests that need a network of their own to break: they run in a namespace, without a control plane.

import { describe, test } from 'bun:test'
import {
  inNetworkNamespace,
  isInNetworkNamespace,
  namespaceProblem,
} from '../controlplane/netns.ts'

const FILE_MAX_MS = 3 * 60_000

/**
 * Describes the tests of `file` (`import.meta.path`), to run in a network namespace: outside of one, the
 * file becomes a single test that runs it again inside. Skipped with the reason where that cannot be.
 */
export function describeInside(name: string, file: string, tests: () => void): void {
  if (isInNetworkNamespace()) {
    describe(name, tests)
    return
  }
  const problem = process.platform === 'linux' ? namespaceProblem() : 'only Linux has namespaces'
  if (problem !== undefined) {
    console.error(`SKIPPED: ${name}: ${problem}. Remedy: run as root, with util-linux and iproute2`)
    test.skip(name, () => {})
    return
  }
  test(
    name,
    async () => {
      const child = Bun.spawn(inNetworkNamespace([process.execPath, 'test', file]), {
        stdio: ['ignore', 'inherit', 'inherit'],
        timeout: FILE_MAX_MS,
      })
      const code = await child.exited
      if (code !== 0) throw new Error(`The tests inside the network namespace ended with ${code}`)
    },
    FILE_MAX_MS,
  )
}
