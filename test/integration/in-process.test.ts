import { test } from 'bun:test'
import { startInProcessWorld } from './in-process-world.ts'
import { describeOperator } from './suite.ts'

const name = 'the operator against the in-process API server'

if (process.platform === 'linux') {
  describeOperator(name, () => startInProcessWorld())
} else {
  console.error(
    `SKIPPED: ${name}: only Linux has all of 127.0.0.0/8. Remedy: run it in a container`,
  )
  test.skip(name, () => {})
}
