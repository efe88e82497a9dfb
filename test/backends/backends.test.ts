// The backends are tools of other tests, so they have to be right themselves.

import { describe, expect, test } from 'bun:test'
import { askOnce } from '../../probes/probers.ts'
import type { Address, Outcome, Probe } from '../../probes/target.ts'
import { until } from '../probes/asking.ts'
import type { Backend } from './backend.ts'
import { startGrpc } from './grpc.ts'
import { startHttp } from './http.ts'
import { startTcp } from './tcp.ts'
import { startUdp } from './udp.ts'

const rows: [string, (options: Address) => Promise<Backend>, Probe][] = [
  ['startTcp', (options) => startTcp(options), { kind: 'tcp' }],
  ['startHttp', startHttp, { kind: 'http', scheme: 'http', path: '/', headers: [] }],
  [
    'startHttp with tls',
    (options) => startHttp({ ...options, tls: true }),
    { kind: 'http', scheme: 'https', path: '/', headers: [] },
  ],
  ['startUdp', (options) => startUdp(options), { kind: 'udp', data: new Uint8Array([1]) }],
  ['startGrpc', startGrpc, { kind: 'grpc', service: '' }],
]

describe.each(rows)('%s', (_name, start, probe) => {
  test.each(['127.0.0.1', '::1'])('on %s counts, dies and comes back on its port', async (host) => {
    const backend = await start({ host, port: 0 })
    try {
      expect(backend.port).toBeGreaterThan(0)
      expect(await ask(backend, probe)).toEqual({ result: 'ok' })
      await until(() => backend.hits() === 1, 'the host has taken one')
      await backend.kill()
      await backend.kill()
      expect((await ask(backend, probe)).result).toBe('failed')
      await backend.restart()
      await backend.restart()
      expect(await ask(backend, probe)).toEqual({ result: 'ok' })
      await until(() => backend.hits() === 2, 'the host has taken two')
    } finally {
      await backend.kill()
    }
  })
})

test('startTcp rejects when its port is taken', async () => {
  const backend = await startTcp({ host: '127.0.0.1', port: 0 })
  await expect(startTcp(backend)).rejects.toThrow('EADDRINUSE')
  await backend.kill()
})

function ask(backend: Backend, probe: Probe): Promise<Outcome> {
  const target = {
    ...{ key: 'backend', host: backend.host, port: backend.port, probe },
    ...{ timeoutMs: 5_000, periodMs: 1_000, fastPeriodMs: 1_000 },
    ...{ successThreshold: 1, failureThreshold: 1 },
  }
  return askOnce(target, AbortSignal.timeout(5_000))
}
