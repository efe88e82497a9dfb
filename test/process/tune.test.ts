// The settings of the engine: the compiled operator starts itself anew with them, once, in place.

import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { SETTINGS } from '../../cli/tune.ts'
import { startApiProcess } from './api-process.ts'
import { spawnOperator } from './spawn.ts'

const isCompiled = Boolean(process.env.EO_BINARY)

test('the compiled operator runs with its settings of the engine, and a variable that is given wins', async () => {
  await using api = await startApiProcess()
  const given = { BUN_JSC_forceRAMSize: '100000000', MARK: 'kept' }
  const prefix = ['env', ...Object.entries(given).map(([name, value]) => `${name}=${value}`)]
  const args = ['--allow-loopback']
  await using operator = await spawnOperator({ kubeconfig: api.kubeconfig, args, prefix })
  expect(environmentOf(operator.pid)).toMatchObject({ ...(isCompiled ? SETTINGS : {}), ...given })
  expect(await operator.stop()).toMatchObject({ code: 0 })
})

/** What the process `pid` was started with, since its last exec. */
function environmentOf(pid: number): Readonly<Record<string, string>> {
  const entries = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
  return Object.fromEntries(
    entries.map((entry) => [entry.split('=')[0], entry.slice(entry.indexOf('=') + 1)]),
  )
}
