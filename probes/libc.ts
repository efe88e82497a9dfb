// The system calls of a connection, straight from libc, on Linux: the only place with bun:ffi.
// node:net takes twice the CPU of these calls; Bun.connect takes the same, but cannot be cancelled while it
// connects; both call most errors ECONNREFUSED. What can go wrong here in their place is in
// test/FAULTS.md, "Pitfalls of FFI".

import { dlopen, type Pointer, read } from 'bun:ffi'
import { constants } from 'node:os'
import type { Address } from './target.ts'

/** What a call gives: a count, a descriptor or 0; below zero it is an errno, negated. */
export type Result = number

export type Libc = {
  /** A socket that never blocks and that no child inherits; a datagram's is told what the network says. */
  readonly socket: (type: 'stream' | 'datagram', to: Destination) => Result
  /** -EINPROGRESS for a connection that is on its way. */
  readonly connect: (fd: number, to: Destination) => Result
  /** Bytes that were taken; -EAGAIN when there is no room. */
  readonly send: (fd: number, bytes: Uint8Array) => Result
  /** Bytes of `into` that were filled; 0 at the end of a stream, -EAGAIN when there is nothing yet. */
  readonly receive: (fd: number, into: Uint8Array) => Result
  /** The error that a socket has pending, negated; 0 for none. */
  readonly pendingError: (fd: number) => Result
  readonly close: (fd: number) => Result
  readonly newEpoll: () => Result
  /**
   * Has `epoll` report `id`, below 2^32, when `fd` has one of `events`, until that is changed or `fd` is closed.
   */
  readonly arm: (
    epoll: number,
    change: 'add' | 'modify',
    fd: number,
    events: number,
    id: number,
  ) => Result
  /** Hands out what is ready now, without waiting; returns how many there were, at most EVENTS_MAX. */
  readonly ready: (epoll: number, tell: (id: number, events: number) => void) => Result
}

/** A host and port, and what they are to the kernel. */
export type Destination = Address & {
  readonly isIpv6: boolean
  /**
   * What has been read of `host` when somebody connected there: an IPv4 address as a number, which takes no
   * memory of its own that an attempt would have to wait for, or a sockaddr_in6.
   */
  known: number | Uint8Array | undefined
}

export function destinationOf({ host, port }: Address): Destination {
  return { host, port, isIpv6: host.includes(':'), known: undefined }
}

// Source: Linux UAPI; the same on x86-64 and arm64.
export const EVENT = { in: 0x1, out: 0x4, error: 0x8, hangUp: 0x10 } as const
/** Events that one call of `ready` hands out at most. */
export const EVENTS_MAX = 256

const AF_INET = 2
const AF_INET6 = 10
const SOCK = { stream: 1, datagram: 2 } as const
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const EPOLL_CLOEXEC = 0o2000000
const EPOLL_CTL = { add: 1, modify: 3 } as const
const SOL_SOCKET = 1
/** Level and name of IP_RECVERR and IPV6_RECVERR. */
const RECEIVE_ERRORS = { ipv4: [0, 11], ipv6: [41, 25] } as const
const SO_ERROR = 4
const MSG_NOSIGNAL = 0x4000
/** Bytes of a sockaddr_in and a sockaddr_in6. */
const INET_BYTES = 16
const INET6_BYTES = 28
/** Bytes of an epoll_event and where its data begins: packed on x86-64 alone. */
const [EVENT_BYTES, DATA_AT] = process.arch === 'x64' ? [12, 4] : [16, 8]
/** Longer than any address or name of an interface, with its NUL. */
const TEXT_BYTES = 128

/** Not now. */
export const AGAIN: Result = -constants.errno.EAGAIN
/** The peer has reset what had been opened: a connection that it refuses is ECONNREFUSED. */
export const RESETS: ReadonlySet<Result> = new Set([
  -constants.errno.ECONNRESET,
  -constants.errno.EPIPE,
])
/** On its way. */
export const IN_PROGRESS: Result = -constants.errno.EINPROGRESS

/** EWOULDBLOCK and its like are second names of the same number. */
const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno)
    .filter(([name]) => !['EWOULDBLOCK', 'EOPNOTSUPP', 'EDEADLOCK'].includes(name))
    .map(([name, errno]) => [errno, name]),
)

/** `ECONNREFUSED` for what a call gave. */
export function errnoName(result: Result): string {
  return NAMES.get(-result) ?? `errno ${-result}`
}

let opened: Libc | undefined | 'nowhere'
let isForgone = false

/** The libc of this process; undefined where there is none that is known, or it is not wanted. */
export function libc(): Libc | undefined {
  if (isForgone) return undefined
  opened ??= open() ?? 'nowhere'
  return opened === 'nowhere' ? undefined : opened
}

/** Has everything go by Bun's own sockets from now on, or by libc again. */
export function forgoLibc(isWanted: boolean): void {
  isForgone = isWanted
}

function open(): Libc | undefined {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) return undefined
  try {
    const found = wrap(load())
    return isSound(found) ? found : undefined
  } catch {
    return undefined // another libc than glibc: node:net does it all
  }
}

/**
 * Whether events come back as they were asked for, on a socket that has room to write by nature: where the
 * kernel's structures are not as we think, Bun's sockets do it.
 */
export function isSound(c: Libc): boolean {
  const [epoll, fd] = [
    c.newEpoll(),
    c.socket('datagram', destinationOf({ host: '127.0.0.1', port: 0 })),
  ]
  const [asked, id] = [EVENT.out, 0x9234_5678]
  const told: number[][] = []
  c.arm(epoll, 'add', fd, asked, id)
  c.ready(epoll, (...event) => told.push(event))
  for (const each of [epoll, fd]) if (each >= 0) c.close(each)
  // Without a descriptor left there is nothing to learn.
  return epoll < 0 || fd < 0 || Bun.deepEquals(told, [[id, asked]])
}

function load() {
  return dlopen('libc.so.6', {
    __errno_location: { args: [], returns: 'ptr' },
    socket: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
    connect: { args: ['i32', 'ptr', 'u32'], returns: 'i32' },
    // What they return is below 2^31, as is what they are given.
    send: { args: ['i32', 'ptr', 'usize', 'i32'], returns: 'i32' },
    recv: { args: ['i32', 'ptr', 'usize', 'i32'], returns: 'i32' },
    setsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'u32'], returns: 'i32' },
    getsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'ptr'], returns: 'i32' },
    close: { args: ['i32'], returns: 'i32' },
    epoll_create1: { args: ['i32'], returns: 'i32' },
    epoll_ctl: { args: ['i32', 'i32', 'i32', 'ptr'], returns: 'i32' },
    epoll_wait: { args: ['i32', 'ptr', 'i32', 'i32'], returns: 'i32' },
    inet_pton: { args: ['i32', 'ptr', 'ptr'], returns: 'i32' },
    if_nametoindex: { args: ['ptr'], returns: 'u32' },
  }).symbols
}

// The kernel never sees memory that can be collected: buffers live as long as the program, and a sockaddr for
// the call that it is given to.
function wrap(c: ReturnType<typeof load>): Libc {
  const errnoAt = c.__errno_location() as Pointer
  const ip = new Uint8Array(16)
  const ipAsNumber = new DataView(ip.buffer)
  const inet = new DataView(new ArrayBuffer(INET_BYTES))
  inet.setUint16(0, AF_INET, true)
  const inetBytes = new Uint8Array(inet.buffer)
  const text = new Uint8Array(TEXT_BYTES)
  const encoder = new TextEncoder()
  const option = new Int32Array(2)
  const optionBytes = new Uint32Array(1)
  const change = new DataView(new ArrayBuffer(EVENT_BYTES))
  const changeBytes = new Uint8Array(change.buffer)
  const told = new DataView(new ArrayBuffer(EVENT_BYTES * EVENTS_MAX))
  const toldBytes = new Uint8Array(told.buffer)

  /** Nothing may come between a call and this. */
  const checked = (result: number): Result => (result < 0 ? -read.i32(errnoAt, 0) : result)

  /** `text` as C reads it. */
  function nulTerminated(value: string): Uint8Array {
    const { written } = encoder.encodeInto(value, text.subarray(0, TEXT_BYTES - 1))
    text[written] = 0
    return text
  }

  /** The address as a sockaddr, good until the next one is asked for; undefined for what is none. */
  function sockaddr(to: Destination): Uint8Array | undefined {
    const known = to.known ?? (to.isIpv6 ? readIpv6(to) : readIpv4(to))
    if (typeof known !== 'number') return known
    inet.setUint16(2, to.port)
    inet.setInt32(4, known)
    return inetBytes
  }

  // What is no address is refused by inet_pton.

  function readIpv4(to: Destination): number | undefined {
    if (c.inet_pton(AF_INET, nulTerminated(to.host), ip) !== 1) return undefined
    to.known = ipAsNumber.getInt32(0)
    return to.known
  }

  /** Not by a DataView if it is kept: small arrays that have a buffer of their own take five times the memory. */
  function readIpv6(to: Destination): Uint8Array | undefined {
    const [literal = '', zone = ''] = to.host.split('%')
    if (c.inet_pton(AF_INET6, nulTerminated(literal), ip) !== 1) return undefined
    const bytes = new Uint8Array(INET6_BYTES)
    bytes.set([AF_INET6, 0, to.port >> 8, to.port & 0xff])
    bytes.set(ip, 8)
    // An interface can come back under another number.
    if (zone) new DataView(bytes.buffer).setUint32(24, scopeOf(zone), true)
    else to.known = bytes
    return bytes
  }

  function scopeOf(zone: string): number {
    return /^\d+$/.test(zone) ? Number(zone) : c.if_nametoindex(nulTerminated(zone))
  }

  return {
    socket: (type, { isIpv6 }) => {
      const family = isIpv6 ? AF_INET6 : AF_INET
      const fd = checked(c.socket(family, SOCK[type] | SOCK_NONBLOCK | SOCK_CLOEXEC, 0))
      if (type === 'datagram' && fd >= 0) {
        const [level, name] = RECEIVE_ERRORS[isIpv6 ? 'ipv6' : 'ipv4']
        option[0] = 1
        c.setsockopt(fd, level, name, option, option.BYTES_PER_ELEMENT)
      }
      return fd
    },
    connect: (fd, to) => {
      const address = sockaddr(to)
      if (!address) return -constants.errno.EINVAL
      return checked(c.connect(fd, address, address.length))
    },
    // An empty typed array has no address.
    send: (fd, bytes) =>
      checked(c.send(fd, bytes.length > 0 ? bytes : text, bytes.length, MSG_NOSIGNAL)),
    receive: (fd, into) => checked(c.recv(fd, into, into.length, 0)),
    pendingError: (fd) => {
      optionBytes[0] = 4
      const result = checked(c.getsockopt(fd, SOL_SOCKET, SO_ERROR, option, optionBytes))
      return result < 0 ? result : 0 - (option[0] ?? 0)
    },
    close: (fd) => checked(c.close(fd)),
    newEpoll: () => checked(c.epoll_create1(EPOLL_CLOEXEC)),
    arm: (epoll, how, fd, events, id) => {
      change.setUint32(0, events, true)
      change.setUint32(DATA_AT, id, true)
      return checked(c.epoll_ctl(epoll, EPOLL_CTL[how], fd, changeBytes))
    },
    ready: (epoll, tell) => {
      const count = checked(c.epoll_wait(epoll, toldBytes, EVENTS_MAX, 0))
      for (let at = 0; at < count * EVENT_BYTES; at += EVENT_BYTES) {
        tell(told.getUint32(at + DATA_AT, true), told.getUint32(at, true))
      }
      return count
    },
  }
}
