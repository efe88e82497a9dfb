// Two ways to a connection. Bun.connect costs half of node:net (30 us of CPU instead of 55 at 1,000
// attempts a second), but cannot be cancelled while it connects: a host that drops packets holds the
// descriptor until the kernel gives up, after two minutes (RELIABILITY 3.6). So it is for hosts that
// have just been well: one that stops to answer holds one descriptor, once, and only so many may.

import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { descriptorLimit } from './local.ts'
import type { Address } from './target.ts'

export type Write = (bytes: Uint8Array) => void

/** What a dialer tells of its socket: nothing any more, or not all of it, once that is freed. */
export type Line = {
  /** It is connected, TLS included. */
  readonly onOpen: (write: Write) => void
  readonly onData: (chunk: Uint8Array, write: Write) => void
  /** Of the connect, or of what stands when `isConnected`: that may be TCP alone. */
  readonly onError: (error: unknown, isConnected: boolean) => void
  readonly onClose: () => void
}

/** Begins to connect; what it returns frees the socket. */
export type Dialer = (way: Address & { readonly isTls?: boolean }, line: Line) => () => void

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
  let socket: Bun.Socket | undefined
  let isFreed = false
  let unsent: Uint8Array | undefined
  const write = (bytes: Uint8Array) => {
    const all = unsent ? Buffer.concat([unsent, bytes]) : bytes
    const sent = socket?.write(all) ?? 0
    unsent = sent < all.length ? all.subarray(sent) : undefined
  }
  connecting++
  Bun.connect({
    hostname: host,
    port,
    socket: {
      open: (opened) => {
        if (isFreed) return void opened.close()
        socket = opened
        line.onOpen(write)
      },
      data: (_, chunk) => line.onData(chunk, write),
      drain: () => {
        if (unsent) write(new Uint8Array())
      },
      error: (_, error) => line.onError(error, true),
      // A reset has no event of its own: it is the reason of the close.
      close: (_, error) => (error ? line.onError(error, true) : line.onClose()),
    },
  }).then(
    () => {
      connecting--
    },
    (error: unknown) => {
      connecting--
      line.onError(error, false)
    },
  )
  return () => {
    isFreed = true
    socket?.close()
  }
}

/** By node:net and node:tls, which can be cancelled at any time. */
export const dialFreely: Dialer = ({ host, port, name = '', isTls = false }, line) => {
  // An empty servername: no SNI, for an IP literal has none and the Host header is not asked (kubelet).
  const socket = isTls
    ? connectTls({ host, port, servername: name, rejectUnauthorized: false })
    : connectTcp({ host, port })
  const write = (bytes: Uint8Array) => void socket.write(bytes)
  let isConnected = false
  socket.on('connect', () => {
    isConnected = true
  })
  socket.on(isTls ? 'secureConnect' : 'connect', () => line.onOpen(write))
  socket.on('data', (chunk: Uint8Array) => line.onData(chunk, write))
  // Stays for the life of the socket: an error that comes after the end is nobody's news.
  socket.on('error', (error) => line.onError(error, isConnected))
  socket.on('close', line.onClose)
  return () => socket.destroy()
}
