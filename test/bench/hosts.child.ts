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
/**
 * Sockets that listen at one port. Each has room for 512 connections, two ticks at 5,000 attempts a second:
 * when this process had no turn for longer, all 50,000 hosts seemed to be silent.
 */
const LISTENERS = 8
/** What makes that possible; Bun 1.4.5 knows it, its types do not. */
const SHARED = { reusePort: true }

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
    const first = listenAt(host, port, hit, onConnection)
    const others = Array.from({ length: LISTENERS - 1 }, () =>
      listenAt(host, first.port, hit, onConnection),
    )
    const stop = async () => {
      for (const server of [first, ...others]) server.stop(true)
    }
    return { port: first.port, stop }
  })
}

function listenAt(
  hostname: string,
  port: number,
  hit: () => void,
  onConnection: (socket: Bun.Socket<undefined>) => void,
) {
  return Bun.listen<undefined>({
    hostname,
    port,
    ...SHARED,
    socket: {
      open: (socket) => {
        hit()
        onConnection(socket)
      },
      data() {},
      error() {},
    },
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
