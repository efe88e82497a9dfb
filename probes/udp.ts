// UDP: a host is well when it answers. One connected socket per attempt, so only that host is heard: one
// of our own as for the other kinds, or Bun's where that cannot be had (node:net has none).

import { type Call, converse, type Talk } from './dial.ts'
import { canDialUdp, Way } from './dialers.ts'
import { connectFailure, transferFailure, wildcard } from './local.ts'
import type { Octets } from './octets.ts'
import {
  type Address,
  type Asker,
  type Outcome,
  ok,
  type Probe,
  type Prober,
  type Question,
  type Underway,
  unknown,
} from './target.ts'

type UdpProbe = Extract<Probe, { kind: 'udp' }>

/**
 * Sends `data` (may be empty: an empty datagram) once; any answer is `ok`, an ICMP port unreachable is
 * an immediate `failed('read ECONNREFUSED')`. Only the first answer is looked at: a flood costs nothing.
 */
export const probeUdp: Prober<UdpProbe> = (address, { data }) =>
  canDialUdp() ? new UdpQuestion(address, data) : { ask: (asker) => askByBun(address, data, asker) }

class UdpQuestion extends Way implements Question, Talk<Outcome> {
  readonly #data: Uint8Array

  constructor(address: Address, data: Uint8Array) {
    super(address, 'udp')
    this.#data = data
  }

  ask(asker: Asker): Underway {
    return converse(this, this, asker)
  }

  onOpen(call: Call<Outcome>): void {
    call.say(this.#data)
  }

  onData(_: Octets, call: Call<Outcome>): void {
    call.end(ok)
  }
}

/** The same where sockets of our own cannot be had. */
function askByBun(address: Address, data: Uint8Array, asker: Asker): Underway {
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  const said = answerByBun(address, data, promise, resolve)
  const over = () => asker.hear(said)
  said.then(over, over)
  return { cancel: () => resolve(unknown('aborted')) }
}

async function answerByBun(
  address: Address,
  data: Uint8Array,
  answer: Promise<Outcome>,
  resolve: (outcome: Outcome) => void,
): Promise<Outcome> {
  try {
    const socket = await open(address, resolve)
    try {
      send(socket, data, resolve)
      return await answer
    } finally {
      socket.close()
    }
  } catch (error) {
    return await connectFailure(error, address)
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
