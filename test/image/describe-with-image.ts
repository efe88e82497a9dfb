// Tests that need the built image and may make containers.

import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { layoutFolder } from '../../scripts/image/build.ts'
import { COMPRESSIONS } from '../../scripts/image/compress.ts'
import { readImage } from '../../scripts/image/layout.ts'
import { hostArch } from '../../scripts/platforms.ts'

/**
 * Describes `tests` with the folder of an OCI layout of the image for this machine. Where there is none
 * they are skipped with a line that says why, or fail if CI=true.
 */
export function describeWithImage(name: string, tests: (layout: string) => void): void {
  const found = findLayout()
  if ('layout' in found) tests(found.layout)
  else if (process.env.CI === 'true') test(name, () => expect.unreachable(found.problem))
  else {
    console.error(`SKIPPED: ${name}: ${found.problem}`)
    test.skip(name, () => {})
  }
}

function findLayout(): { readonly layout: string } | { readonly problem: string } {
  // A user who is root in a namespace of their own alone cannot become anybody else there.
  const isRoot = / 4294967295$/m.test(readFileSync('/proc/self/uid_map', 'utf8').trimEnd())
  if (process.getuid?.() !== 0 || !isRoot) {
    return { problem: 'only root can be another user in a container. Remedy: run as root' }
  }
  let problem = ''
  for (const compression of COMPRESSIONS) {
    const layout = layoutFolder(compression)
    try {
      readImage(layout, hostArch())
      return { layout }
    } catch (error) {
      problem ||= error instanceof Error ? error.message : String(error)
    }
  }
  return { problem }
}
