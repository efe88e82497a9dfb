import { test } from 'bun:test'
import { dualStackCases } from './cases/dual-stack.ts'
import { startInProcessWorld } from './in-process-world.ts'
import { describeCases } from './suite.ts'

const name = 'the operator against the in-process API server with two families'

if (process.platform === 'linux') {
  describeCases(name, () => startInProcessWorld(true), [dualStackCases])
} else {
  console.error(
    `SKIPPED: ${name}: only Linux has all of 127.0.0.0/8. Remedy: run it in a container`,
  )
  test.skip(name, () => {})
}
