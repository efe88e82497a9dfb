// UDP: a host is well when it answers. One connected socket per attempt, so only that host is heard: one
// of our own as for the other kinds, or Bun's where that cannot be had (node:net has none).

import { converse } from './dial.ts'
import { canDialUdp, type Way } from './dialers.ts'
import { connectFailure, transferFailure, wildcard } from './local.ts'
import { type Address, type Outcome, ok, type Probe, type Prober, unknown } from './target.ts'

type UdpProbe = Extract<Probe, { kind: 'udp' }>

/**
 * Sends `data` (may be empty: an empty datagram) once; any answer is `ok`, an ICMP port unreachable is
 * an immediate `failed('read ECONNREFUSED')`. Only the first answer is looked at: a flood costs nothing.
 */
export const probeUdp: Prober<UdpProbe> = (address, probe, signal) => {
  if (!canDialUdp()) return probeByBun(address, probe, signal)
  return converse(wayTo(address), signal, (done) => ({
    onOpen: (wire) => wire.write(probe.data),
    onData: () => done(ok),
  }))
}

const ways = new WeakMap<Address, Way>()

/** The same each time: what it is to the kernel is then known. */
function wayTo(address: Address): Way {
  return ways.getOrInsertComputed(address, ({ host, port }) => ({ host, port, via: 'udp' }))
}

/** The same where sockets of our own cannot be had. */
const probeByBun: Prober<UdpProbe> = async (address, probe, signal) => {
  if (signal.aborted) return unknown('aborted')
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  const abort = () => resolve(unknown('aborted'))
  signal.addEventListener('abort', abort)
  try {
    const socket = await open(address, resolve)
    try {
      send(socket, probe.data, resolve)
      return await promise
    } finally {
      socket.close()
    }
  } catch (error) {
    return await connectFailure(error, address)
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** Opens no connection (there is none in UDP): it picks the route, a local port and the one peer. */
async function open(
  address: Address,
  resolve: (outcome: Outcome) => void,
): Promise<Bun.udp.ConnectedSocket<'buffer'>> {
  return await Bun.udpSocket({
    hostname: wildcard(address.host),
    connect: { hostname: address.host, port: address.port },
    socket: {
      data: () => resolve(ok),
      // Bun 1.4.5 passes the error alone; its types say (socket, error). The error is last in both.
      error: (...args: unknown[]) => resolve(transferFailure('read', args.at(-1))),
    },
  })
}

function send(
  socket: Bun.udp.ConnectedSocket<'buffer'>,
  data: Uint8Array,
  resolve: (outcome: Outcome) => void,
): void {
  try {
    if (!socket.send(data)) resolve(unknown('local failure (EAGAIN)'))
  } catch (error) {
    resolve(transferFailure('send', error))
  }
}
