// The table of probers and the way into it.

import { expect, test } from 'bun:test'
import { askOnce, probers } from '../../probes/probers.ts'
import { ok, type Target } from '../../probes/target.ts'

test('every kind of probe has its prober', () => {
  expect(Object.keys(probers).sort()).toEqual(['grpc', 'http', 'tcp', 'udp'])
})

test('a target without a probe is ok and is not asked', async () => {
  const target: Target = {
    ...{ key: 'k', host: '127.0.0.1', port: 1, probe: undefined },
    ...{ timeoutMs: 1, periodMs: 1, fastPeriodMs: 1, successThreshold: 1, failureThreshold: 1 },
  }
  expect(await askOnce(target, AbortSignal.abort())).toEqual(ok)
})
