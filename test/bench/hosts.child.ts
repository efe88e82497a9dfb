// Run by hosts.ts: the hosts of the benchmark in a process of their own, told what to do by messages.

import type { Address } from '../../probes/target.ts'
import { type Backend, backend } from '../backends/backend.ts'
import { startGrpc } from '../backends/grpc.ts'
import { startHttp } from '../backends/http.ts'
import { startUdp } from '../backends/udp.ts'
import type { HostsCommand, HostsReport } from './hosts.ts'

const backends = new Map<number, Backend>()
/** When each address was asked last, and how much more or less than a multiple of a second went by since. */
const lastMs = new Map<string, number>()
let deviationsMs: number[] = []

process.on('message', (command: HostsCommand) => {
  void answer(command).then((report) => process.send?.(report))
})
process.on('disconnect', () => process.exit())

async function answer(command: HostsCommand): Promise<HostsReport> {
  const { id } = command
  if (command.do === 'start') {
    const started = await starters[command.kind](command)
    backends.set(id, started)
    return { id, port: started.port, atMs: now() }
  }
  const target = backends.get(command.of)
  if (!target) throw new Error(`Cannot find the backend ${command.of}`)
  if (command.do === 'kill') await target.kill()
  if (command.do === 'restart') await target.restart()
  const report = { id, atMs: now(), hits: target.hits(), deviationsMs }
  deviationsMs = []
  return report
}

const starters: Readonly<
  Record<'tcp' | 'rhythm' | 'http' | 'udp' | 'grpc', (address: Address) => Promise<Backend>>
> = {
  tcp: (address) => startLightTcp(address, () => {}),
  rhythm: (address) => startLightTcp(address, ({ localAddress }) => note(localAddress)),
  http: (address) => startHttp(address),
  udp: (address) => startUdp(address),
  grpc: (address) => startGrpc(address),
}

/** The cheapest there is: it must keep up with everything that the operator can ask. */
function startLightTcp(
  address: Address,
  onConnection: (socket: Bun.Socket<undefined>) => void,
): Promise<Backend> {
  return backend(address, async ({ host, port }, hit) => {
    const server = Bun.listen<undefined>({
      hostname: host,
      port,
      socket: {
        open: (socket) => {
          hit()
          onConnection(socket)
        },
        data() {},
        error() {},
      },
    })
    return { port: server.port, stop: async () => server.stop(true) }
  })
}

function note(address: string): void {
  const nowMs = performance.now()
  const beforeMs = lastMs.get(address)
  lastMs.set(address, nowMs)
  if (beforeMs === undefined) return
  const gapMs = nowMs - beforeMs
  deviationsMs.push(Math.abs(gapMs - Math.round(gapMs / 1000) * 1000))
}

/** A clock that all processes of this machine share. */
function now(): number {
  return performance.timeOrigin + performance.now()
}
