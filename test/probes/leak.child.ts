// Run by leak.test.ts with nothing else in the process: asks one address many times and prints what
// is left. Arguments: host, port, kind, attempts, and for how long each may last (ms).

import { heapStats } from 'bun:jsc'
import { ask, descriptors, grpc, http, tcp, udp } from './asking.ts'

const [host = '', port = '', kind = '', attempts = '', timeoutMs = ''] = process.argv.slice(2)
const probe = { tcp, udp, http: http(), https: http('/', [], 'https'), grpc }[kind]
if (probe === undefined) throw new Error(`Unknown kind ${kind}`)
const address = { host, port: Number(port) }
const AT_ONCE = 64

let rejections = 0
process.on('unhandledRejection', () => {
  rejections += 1
})
process.on('uncaughtException', () => {
  rejections += 1
})

const outcomes: Record<string, number> = {}
await round(Number(attempts) / 2) // warms up: what is loaded or pooled once is no leak
const before = await left()
await round(Number(attempts))
const after = await left()
process.stdout.write(JSON.stringify({ before, after, outcomes, rejections }), () => process.exit())

async function round(count: number): Promise<void> {
  let started = 0
  const lane = async () => {
    while (started < count) {
      started += 1
      const { result, ...rest } = await ask(address, probe ?? tcp, Number(timeoutMs))
      const said = 'reason' in rest ? `${result} ${rest.reason}` : result
      outcomes[said] = (outcomes[said] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
}

/** Descriptors and heap once both have come to rest. */
async function left(): Promise<{ descriptors: number; heapBytes: number }> {
  for (let rounds = 0; rounds < 5; rounds += 1) {
    await Bun.sleep(50)
    Bun.gc(true)
  }
  return { descriptors: descriptors(), heapBytes: heapStats().heapSize }
}
