// The demo as a newcomer without a terminal sees it: from its sources, into a pipe.

import { expect, test } from 'bun:test'
import { PORTS } from './plan.ts'
import { runToEnd } from './run-to-end.ts'

const TEST_MAX_MS = 90_000
/** Milliseconds: half a minute is the aim, a minute the promise. */
const DEMO_MAX_MS = 60_000

test(
  'the demo shows a host of every kind leave and come back, and ends by itself',
  async () => {
    const { code, output, tookMs } = await runToEnd([])
    if (code !== 0) console.error(output)
    expect(code).toBe(0)
    expect(tookMs).toBeLessThan(DEMO_MAX_MS)
    for (const { label } of PORTS) {
      expect(output).toMatch(new RegExp(`${label} .* killed$`, 'm'))
      expect(output).toMatch(new RegExp(`${label} .* out after \\d\\.\\d s: .+$`, 'm'))
      expect(output).toMatch(new RegExp(`${label} .* back after \\d\\.\\d s$`, 'm'))
    }
    expect(output).toContain('shop   UnHealthy   8/12')
    expect(output).toContain('0 writes to the API server in 6 s')
    expect(output).toContain('with 20 ClusterEndpoints')
    const pid = Number(/operator: process (\d+)/.exec(output)?.[1])
    expect(pid).toBeGreaterThan(0)
    expect(() => process.kill(pid, 0)).toThrow()
  },
  TEST_MAX_MS,
)

test('the demo says in one line why it cannot run', async () => {
  const { code, output } = await runToEnd(['--binary', '/nowhere/endpoints-operator'])
  expect(code).toBe(1)
  expect(output).toContain('demo: Cannot find "/nowhere/endpoints-operator"')
  expect(await runToEnd(['--resources', '0'])).toMatchObject({
    code: 2,
    output: 'demo: --resources must be a whole number from 1 to 1000, not "0"\n',
  })
})
