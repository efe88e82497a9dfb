// Two ways to a connection: directly, by sockets of our own, and over node:net and node:tls, which is
// for TLS and for platforms whose libc we do not know. Both can be cancelled at any time.

import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import {
  AGAIN,
  type Destination,
  destinationOf,
  EVENT,
  errnoName,
  IN_PROGRESS,
  type Libc,
  libc,
  RESETS,
  type Result,
} from './libc.ts'
import { connectFailure, kernelFailure, transferFailure } from './local.ts'
import { type Octets, octets } from './octets.ts'
import { Poller } from './poller.ts'
import type { Address, Outcome } from './target.ts'

/**
 * Where to connect, and how. Made once for all connections that go there: what is found out about it is kept with
 * it. What a host is asked extends it, rather than to lead to it: one piece of memory less to wait for.
 */
export class Way implements Destination {
  readonly host: string
  readonly port: number
  readonly isIpv6: boolean
  known: Destination['known']
  readonly via: 'tcp' | 'tls' | 'udp'
  readonly name: string | undefined

  constructor(address: Address, via: Way['via']) {
    const { host, port, isIpv6, known } = destinationOf(address)
    this.host = host
    this.port = port
    this.isIpv6 = isIpv6
    this.known = known
    this.via = via
    this.name = address.name
  }

  prefetch(): number {
    return this.port
  }
}

/** A connection, from the moment that it is dialled. */
export type Wire = {
  /** Not before it is open. */
  write(bytes: Uint8Array): void
  /** Frees the socket; nothing of it is told any more, or not all of it. */
  free(): void
}

/** What is told of a wire. */
export type Line = {
  /** It is connected, TLS included; not told of one by UDP, which is open at once. */
  onOpen(): void
  onData(part: Octets): void
  /** It could not be connected, or has broken; `why` is what that says of the host. */
  onFail(why: () => Outcome | Promise<Outcome>): void
  onClose(): void
}

/** Begins to connect; tells `line` of it, never before it has returned. */
type Dialer = (way: Way, line: Line) => Wire

let poller: Poller | undefined

/** The cheapest way that can be gone. */
export const dial: Dialer = (way, line) => {
  const own = way.via === 'tls' ? undefined : libc()
  if (!own) return dialOverNode(way, line)
  poller ??= new Poller(own)
  return new OwnWire(own, poller, line).dial(way)
}

/** Tells wires of what has arrived by now, instead of a moment later. */
export function takeIn(): void {
  poller?.look()
}

/** Whether UDP can be dialled. */
export function canDialUdp(): boolean {
  return libc() !== undefined
}

/** Most of an answer that is read at a time. Bytes. */
const READ_MAX = 64 * 1024
const read = Buffer.alloc(READ_MAX)
const NOTHING = new Uint8Array()

class OwnWire implements Wire {
  readonly #libc: Libc
  readonly #poller: Poller
  readonly #line: Line
  #fd = -1
  #isDatagram = false
  #isOpen = false
  /** It was reset before anybody had seen that it was open. */
  #isReset = false
  #unsent: Uint8Array | undefined

  constructor(own: Libc, looker: Poller, line: Line) {
    this.#libc = own
    this.#poller = looker
    this.#line = line
  }

  dial(way: Way): Wire {
    const result = this.#begin(way)
    if (result < 0) {
      this.free()
      queueMicrotask(() =>
        this.#line.onFail(() => kernelFailure('connect', errnoName(result), true)),
      )
    }
    return this
  }

  #begin(way: Way): Result {
    this.#isDatagram = way.via === 'udp'
    const fd = this.#libc.socket(this.#isDatagram ? 'datagram' : 'stream', way)
    if (fd < 0) return fd
    this.#fd = fd
    const result = this.#libc.connect(fd, way)
    if (result < 0 && result !== IN_PROGRESS) return result
    this.#isOpen = this.#isDatagram
    return this.#poller.add(fd, this.#isDatagram ? EVENT.in : EVENT.out, this)
  }

  onReady(events: number): void {
    if (!this.#isOpen) this.#connected(events)
    else if (events & ~EVENT.out) this.#read()
    else this.write(NOTHING)
  }

  #connected(events: number): void {
    const isBroken = (events & (EVENT.error | EVENT.hangUp)) !== 0
    const error = isBroken ? this.#libc.pendingError(this.#fd) : 0
    if (error < 0 && !RESETS.has(error)) {
      this.#fail('connect', error)
      return
    }
    this.#isReset = error < 0
    this.#isOpen = true
    this.#line.onOpen()
    if (this.#fd < 0) return
    if (error < 0) this.#fail('read', error)
    else this.#watch()
  }

  #read(): void {
    const result = this.#libc.receive(this.#fd, read)
    if (result > 0 || (result === 0 && this.#isDatagram)) {
      this.#line.onData(read.toString('latin1', 0, result))
    } else if (result === 0) {
      this.#line.onClose()
    } else if (result !== AGAIN) {
      this.#fail('read', result)
    }
  }

  write(bytes: Uint8Array): void {
    if (this.#fd < 0 || this.#isReset) return
    const before = this.#unsent
    const all = before ? Buffer.concat([before, bytes]) : bytes
    const result = this.#libc.send(this.#fd, all)
    if (result < 0 && result !== AGAIN) {
      // Not before whoever writes has gone on.
      queueMicrotask(() => this.#fail(this.#isDatagram ? 'send' : 'read', result))
      return
    }
    const sent = Math.max(0, result)
    this.#unsent = sent < all.length ? all.slice(sent) : undefined
    if (before || this.#unsent) this.#watch()
  }

  /** Room to write is news only while something waits for it. */
  #watch(): void {
    const events = this.#unsent ? EVENT.in | EVENT.out : EVENT.in
    this.#poller.change(this.#fd, events)
  }

  #fail(action: 'connect' | 'read' | 'send', error: Result): void {
    if (this.#fd < 0) return
    this.free()
    this.#line.onFail(() => kernelFailure(action, errnoName(error), false))
  }

  free(): void {
    if (this.#fd < 0) return
    this.#poller.remove(this.#fd)
    this.#libc.close(this.#fd)
    this.#fd = -1
  }
}

const dialOverNode: Dialer = (way, line) => {
  const { host, port, name = '' } = way
  // An empty servername: no SNI, for an IP literal has none and the Host header is not asked (kubelet).
  const socket =
    way.via === 'tls'
      ? connectTls({ host, port, servername: name, rejectUnauthorized: false })
      : connectTcp({ host, port })
  const wire = wireOf(socket)
  let isConnected = false
  socket.on('connect', () => {
    isConnected = true
  })
  socket.on(way.via === 'tls' ? 'secureConnect' : 'connect', () => line.onOpen())
  socket.on('data', (chunk: Buffer) => line.onData(octets(chunk)))
  // Stays for the life of the socket: an error that comes after the end is nobody's news.
  socket.on('error', (error) =>
    line.onFail(() => (isConnected ? transferFailure('read', error) : connectFailure(error, way))),
  )
  socket.on('close', () => line.onClose())
  return wire
}

function wireOf(socket: Socket): Wire {
  return {
    write: (bytes) => void socket.write(bytes),
    free: () => void socket.destroy(),
  }
}
