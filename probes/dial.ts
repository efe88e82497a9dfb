// The life of one attempt's connection: whatever ends it, the socket is freed and one value comes out.

import { type Dialer, dialFreely, dialQuickly, mayDialQuickly, type Write } from './dialers.ts'
import { connectFailure, transferFailure } from './local.ts'
import { type Address, type AttemptSignal, failed, type Outcome, unknown } from './target.ts'

/** Where to connect, and how. */
export type Way = Address & {
  readonly isTls?: boolean
  /** The host has just been well: see `Prober`. */
  readonly isSettled?: boolean
}

/** What an attempt does on its connection, until it ends it by the `done` that `converse` gave. */
export type Talk = {
  /** The connection stands, TLS included. */
  readonly onOpen: (write: Write) => void
  readonly onData?: (chunk: Uint8Array, write: Write) => void
  /** It was closed or has broken. That is what the attempt ends with, unless this calls `done`. */
  readonly onBreak?: () => void
}

/**
 * Runs `talk` on a connection of the attempt's own. The first call of `done` settles the attempt; an
 * abort, an error or a close of the socket does so in its place. The socket is freed before the promise
 * resolves: with FIN when all that came was read, and at once when it is still connecting, but for
 * a few to hosts that had been well (`dialQuickly`). Never rejects.
 */
export function converse<T>(
  way: Way,
  signal: AttemptSignal,
  talk: (done: (value: T | Outcome) => void) => Talk,
): Promise<T | Outcome> {
  if (signal.aborted) return Promise.resolve(unknown('aborted'))
  return new Promise((resolve) => {
    let isOver = false
    let free = () => {}
    const done = (value: T | Outcome | Promise<Outcome>) => {
      if (isOver) return
      isOver = true
      signal.removeEventListener('abort', abort)
      free()
      resolve(value)
    }
    const abort = () => done(unknown('aborted'))
    const { onOpen, onData, onBreak } = talk(done)
    free = dialerOf(way)(way, {
      onOpen: (write) => {
        if (!isOver) onOpen(write)
      },
      onData: (chunk, write) => {
        if (!isOver) onData?.(chunk, write)
      },
      onError: (error, isConnected) => {
        if (isOver) return
        onBreak?.()
        done(isConnected ? transferFailure('read', error) : connectFailure(error, way))
      },
      onClose: () => {
        if (isOver) return
        onBreak?.()
        done(CLOSED)
      },
    })
    signal.addEventListener('abort', abort)
  })
}

const CLOSED = failed('connection closed before the response')

function dialerOf({ isTls = false, isSettled = false }: Way): Dialer {
  return !isTls && isSettled && mayDialQuickly() ? dialQuickly : dialFreely
}

/**
 * `host:port` as it stands in a URL or a Host header: the name if the host has one, IPv6 in brackets,
 * without its zone (RFC 6874).
 */
export function authority({ host, port, name }: Address): string {
  if (name !== undefined) return `${name}:${port}`
  return host.includes(':') ? `[${host.replace(/%.*/, '')}]:${port}` : `${host}:${port}`
}
