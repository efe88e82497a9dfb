// Two thousand attempts of every kind and every bad end leave nothing behind: descriptors and heap are
// as they were, and no promise was ever rejected without a handler.

import { expect, test } from 'bun:test'
import type { Address } from '../../probes/target.ts'
import type { Backend } from '../backends/backend.ts'
import { startGrpc } from '../backends/grpc.ts'
import { startHttp } from '../backends/http.ts'
import {
  startClosing,
  startEndlessBody,
  startGarbage,
  startGoaway,
  startResetting,
  startSilentHttp2,
  startSilentTcp,
  startSilentUdp,
} from '../backends/misbehaving.ts'
import { startTcp } from '../backends/tcp.ts'
import { startUdp } from '../backends/udp.ts'

type Start = (options: Address) => Promise<Backend>
type Left = { descriptors: number; heapBytes: number }
type Report = {
  before: Left
  after: Left
  outcomes: Readonly<Record<string, number>>
  rejections: number
}

const CHILD = new URL('leak.child.ts', import.meta.url).pathname
const ATTEMPTS = 2_000
/** An attempt on a silent host lasts this long. */
const SHORT_MS = 20
/** Bytes. The heap of 2,000 attempts that leaked 1 KiB each would be twice this. */
const HEAP_GROWTH_MAX = 1024 * 1024

const tls: Start = (options) => startHttp({ ...options, tls: true })
/** Nothing listens on port 1, and no other test is ever given it, as could happen with one just freed. */
const dead: Start = async (options) => {
  const backend = await startTcp(options)
  await backend.kill()
  return { ...backend, port: 1 }
}

test.each<[sentence: string, kind: string, start: Start, said: RegExp, timeoutMs?: number]>([
  ['TCP, answered', 'tcp', (options) => startTcp(options), /^ok$/],
  ['TCP, refused', 'tcp', dead, /^failed connect ECONNREFUSED$/],
  ['HTTP, answered', 'http', startHttp, /^ok$/],
  ['HTTP, refused', 'http', dead, /^failed connect ECONNREFUSED$/],
  ['HTTP, silent', 'http', startSilentTcp, /^unknown aborted$/, SHORT_MS],
  ['HTTP, reset', 'http', (options) => startResetting(options, 'request'), /ECONNRESET|closed/],
  ['HTTP, garbage', 'http', startGarbage, /malformed|ECONNRESET/],
  ['HTTP, endless', 'http', startEndlessBody, /^ok$/],
  ['HTTPS, answered', 'https', tls, /^ok$/],
  ['HTTPS, silent', 'https', startSilentTcp, /^unknown aborted$/, SHORT_MS],
  ['UDP, answered', 'udp', (options) => startUdp(options), /^ok$/],
  ['UDP, refused', 'udp', dead, /^failed read ECONNREFUSED$/],
  ['UDP, silent', 'udp', startSilentUdp, /^unknown aborted$/, SHORT_MS],
  ['gRPC, answered', 'grpc', startGrpc, /^ok$/],
  ['gRPC, refused', 'grpc', dead, /^failed connect ECONNREFUSED$/],
  ['gRPC, silent', 'grpc', startSilentTcp, /^unknown aborted$/, SHORT_MS],
  ['gRPC, a silent call', 'grpc', startSilentHttp2, /^unknown aborted$/, SHORT_MS],
  ['gRPC, GOAWAY', 'grpc', startGoaway, /^failed HTTP\/2 GOAWAY$/],
  ['gRPC, closed', 'grpc', startClosing, /closed|ECONNRESET/],
  ['gRPC, garbage', 'grpc', startGarbage, /malformed|ECONNRESET/],
])(
  '%s: nothing is left behind',
  async (_sentence, kind, start, said, timeoutMs = 10_000) => {
    const backend = await start({ host: '127.0.0.1', port: 0 })
    const child = Bun.spawn(
      [
        ...[process.execPath, CHILD, backend.host, String(backend.port)],
        ...[kind, String(ATTEMPTS), String(timeoutMs)],
      ],
      { stdout: 'pipe', stderr: 'pipe' },
    )
    const [text, errors] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ])
    expect(errors).toBe('')
    const report = JSON.parse(text) as Report // printed by leak.child.ts
    expect(report.rejections).toBe(0)
    expect(Object.keys(report.outcomes).filter((outcome) => !said.test(outcome))).toEqual([])
    expect(report.after.descriptors).toBeLessThanOrEqual(report.before.descriptors)
    expect(report.after.heapBytes - report.before.heapBytes).toBeLessThan(HEAP_GROWTH_MAX)
    await backend.kill()
  },
  60_000,
)
