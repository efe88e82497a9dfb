// Two ways to a connection. Bun.connect costs half of node:net (30 us of CPU instead of 55 at 1,000
// attempts a second), but cannot be cancelled while it connects: a host that drops packets holds the
// descriptor until the kernel gives up, after two minutes (RELIABILITY 3.6). So it is for hosts that
// have just been well: one that stops to answer holds one descriptor, once, and only so many may.

import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { descriptorLimit } from './local.ts'
import type { Address } from './target.ts'

/** A connection, from the moment that it is dialled. */
export type Wire = {
  /** Not before it is open. */
  write(bytes: Uint8Array): void
  /** Frees the socket; nothing of it is told any more, or not all of it. */
  free(): void
}

/** What is told of a wire. */
export type Line = {
  /** It is connected, TLS included. */
  onOpen(wire: Wire): void
  onData(chunk: Uint8Array, wire: Wire): void
  /** Of the connect, or of what stands when `isConnected`: that may be TCP alone. */
  onError(error: unknown, isConnected: boolean): void
  onClose(): void
}

/** Begins to connect; tells `line` of it, never before it has returned. */
export type Dialer = (way: Address & { readonly isTls?: boolean }, line: Line) => Wire

/** Connections that cannot be cancelled, at most: those of one tick, and those to hosts that fell silent. */
const QUICK_MAX = 1_024
/**
 * The same where descriptors are few, as a share of those that may be in use: a tenth of the limit on open
 * files. Attempts take half of them, and all others need some.
 */
const QUICK_SHARE = 1 / 8

let connecting = 0

/** Whether there may be one more connection that cannot be cancelled. */
export function mayDialQuickly(): boolean {
  return connecting < Math.min(QUICK_MAX, descriptorLimit() * QUICK_SHARE)
}

/** By Bun.connect. Freed while it connects, it is closed as soon as it stands, or ends by the kernel's timeout. */
export const dialQuickly: Dialer = ({ host, port }, line) => {
  const data = new QuickWire(line)
  // What it rejects with has come to connectError before.
  Bun.connect({ hostname: host, port, data, socket: QUICK_HANDLERS }).catch(() => {})
  connecting++
  return data
}

/** The same for all: an object of closures for each attempt is garbage that costs as much as the attempt. */
const QUICK_HANDLERS: Bun.SocketHandler<QuickWire> = {
  open: (socket) => {
    connecting--
    socket.data.take(socket)
  },
  connectError: ({ data }, error) => {
    connecting--
    data.line.onError(error, false)
  },
  data: ({ data }, chunk) => data.line.onData(chunk, data),
  drain: ({ data }) => data.drain(),
  error: ({ data }, error) => data.line.onError(error, true),
  // A reset has no event of its own: it is the reason of the close.
  close: ({ data }, error) => (error ? data.line.onError(error, true) : data.line.onClose()),
}

class QuickWire implements Wire {
  readonly line: Line
  #socket: Bun.Socket<QuickWire> | undefined
  #isFreed = false
  #unsent: Uint8Array | undefined

  constructor(line: Line) {
    this.line = line
  }

  take(socket: Bun.Socket<QuickWire>): void {
    if (this.#isFreed) return void socket.close()
    this.#socket = socket
    this.line.onOpen(this)
  }

  write(bytes: Uint8Array): void {
    const all = this.#unsent ? Buffer.concat([this.#unsent, bytes]) : bytes
    const sent = this.#socket?.write(all) ?? 0
    this.#unsent = sent < all.length ? all.subarray(sent) : undefined
  }

  drain(): void {
    if (this.#unsent) this.write(new Uint8Array())
  }

  free(): void {
    this.#isFreed = true
    this.#socket?.close()
  }
}

/** By node:net and node:tls, which can be cancelled at any time. */
export const dialFreely: Dialer = ({ host, port, name = '', isTls = false }, line) => {
  // An empty servername: no SNI, for an IP literal has none and the Host header is not asked (kubelet).
  const socket = isTls
    ? connectTls({ host, port, servername: name, rejectUnauthorized: false })
    : connectTcp({ host, port })
  const wire = new FreeWire(socket)
  let isConnected = false
  socket.on('connect', () => {
    isConnected = true
  })
  socket.on(isTls ? 'secureConnect' : 'connect', () => line.onOpen(wire))
  socket.on('data', (chunk: Uint8Array) => line.onData(chunk, wire))
  // Stays for the life of the socket: an error that comes after the end is nobody's news.
  socket.on('error', (error) => line.onError(error, isConnected))
  socket.on('close', () => line.onClose())
  return wire
}

class FreeWire implements Wire {
  readonly #socket: Socket

  constructor(socket: Socket) {
    this.#socket = socket
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes)
  }

  free(): void {
    this.#socket.destroy()
  }
}
