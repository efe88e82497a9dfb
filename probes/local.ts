// Whose fault is it that a connection failed: the host's, or this machine's? Sockets of our own have the
// kernel's word for it. Bun says ECONNREFUSED for most failures of node:net, local ones included, so
// a refusal is checked there.

import { readdirSync, readFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import { type Address, failed, type Outcome, unknown } from './target.ts'

/**
 * Error codes that only this machine can be the cause of; never held against the host.
 *
 * EHOSTUNREACH is not here on purpose. From the network (no answer to ARP, an ICMP from the last
 * router) it is the plainest sign of a dead host, and calling it unknown would keep that host
 * published for ever. From our own routing table (`ip route add unreachable`) it is local, and
 * `localFailure` tells the two apart: it sends nothing, so what it hits can only be local.
 */
const LOCAL_CODES: ReadonlySet<string> = new Set([
  'EACCES',
  'EADDRINUSE',
  'EADDRNOTAVAIL',
  'EAFNOSUPPORT',
  'EMFILE',
  'ENETDOWN',
  'ENETUNREACH',
  'ENFILE',
  'ENOBUFS',
  'ENOMEM',
  'EPERM',
])

/**
 * Of those, what routers say as well (ICMP "no route", "prohibited"). Where it came from the network, calling
 * it unknown would keep hosts behind a dead link published for ever.
 */
const ROUTER_CODES: ReadonlySet<string> = new Set(['EACCES', 'ENETUNREACH'])

/** Texts for the codes that people meet; the code itself is always added. */
const LOCAL_TEXTS: Readonly<Record<string, string>> = {
  EADDRNOTAVAIL: 'no local address or port left',
  EAGAIN: 'no local address or port left',
  EAFNOSUPPORT: 'address family not available here',
  EHOSTUNREACH: 'no route to host',
  EMFILE: 'too many open files',
  ENETDOWN: 'no route to host',
  ENETUNREACH: 'no route to host',
  ENFILE: 'too many open files',
}

/** How BoringSSL's errors begin: `ERR_SSL_WRONG_VERSION_NUMBER` for plain text behind an https port. */
const TLS_CODE = 'ERR_SSL_'

/** Part of the descriptor limit from which a refusal is not believed; frees fast, so well below 1. */
const DESCRIPTORS_SUSPICIOUS = 0.8

/** Nothing is sent to it. */
const DISCARD_PORT = 9

/** How long one count of the open descriptors serves: a storm of refusals must not list /proc for each. */
const DESCRIPTORS_FRESH_MS = 20

/**
 * What a failed connect of Bun's sockets or its error means: `unknown` when this machine is the cause,
 * otherwise `failed` with `<action> <code>`, such as `connect ECONNREFUSED`.
 */
export async function connectFailure(error: unknown, address: Address): Promise<Outcome> {
  const code = errorCode(error)
  const local = LOCAL_CODES.has(code) ? code : await localFailure(address)
  return local === undefined ? failed(`connect ${code}`) : unknownLocally(local)
}

/** As `connectFailure`, for an error on a socket that was connected: no second look is needed. */
export function transferFailure(action: 'read' | 'send', error: unknown): Outcome {
  const code = errorCode(error)
  if (code.startsWith(TLS_CODE)) return failed(`TLS ${code.slice(TLS_CODE.length)}`)
  return kernelFailure(action, code, false)
}

/**
 * What an error means that the kernel itself gave. `isOwn`: in answer to a call, before anything came back
 * from the network. Then it is ours whatever it is, but for a refusal by this very machine.
 */
export function kernelFailure(
  action: 'connect' | 'read' | 'send',
  code: string,
  isOwn: boolean,
): Outcome {
  // What is sent has met no router yet.
  const isSaidByRouters = action !== 'send' && ROUTER_CODES.has(code)
  const isLocal = isOwn ? code !== 'ECONNREFUSED' : LOCAL_CODES.has(code) && !isSaidByRouters
  return isLocal ? unknownLocally(code) : failed(`${action} ${code}`)
}

/** The errno name of a system error (`ECONNRESET`), or `error` for anything that has none. */
export function errorCode(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : 'error'
}

/** The wildcard of the address's family: Bun binds UDP to 0.0.0.0 even for an IPv6 peer. */
export function wildcard(host: string): string {
  return isIPv6(host) ? '::' : '0.0.0.0'
}

/**
 * The errno name of what keeps this machine from sending to the address, or undefined. Connecting a
 * UDP socket looks up the route and takes a descriptor and a local port, and sends nothing.
 */
async function localFailure(address: Address): Promise<string | undefined> {
  if (descriptorsScarce(performance.now())) return 'EMFILE'
  try {
    const socket = await Bun.udpSocket({
      hostname: wildcard(address.host),
      // Any port does, and a redirect may have asked for 0.
      connect: { hostname: address.host, port: DISCARD_PORT },
      socket: { error() {} },
    })
    socket.close()
    return undefined
  } catch (error) {
    return errorCode(error)
  }
}

let descriptors = { atMs: Number.NEGATIVE_INFINITY, scarce: false }

function descriptorsScarce(nowMs: number): boolean {
  if (nowMs - descriptors.atMs >= DESCRIPTORS_FRESH_MS) {
    descriptors = { atMs: nowMs, scarce: countDescriptors() >= descriptorLimit() }
  }
  return descriptors.scarce
}

/** Open descriptors; infinitely many when even listing them fails, which EMFILE makes it do. */
function countDescriptors(): number {
  try {
    return readdirSync('/proc/self/fd').length
  } catch (error) {
    return errorCode(error) === 'ENOENT' ? 0 : Number.POSITIVE_INFINITY
  }
}

let limit: number | undefined

/** The count from which descriptors are scarce. Read once: nothing in this program changes the limit. */
function descriptorLimit(): number {
  if (limit === undefined) {
    const soft = Number(/^Max open files\s+(\d+)/m.exec(readLimits())?.[1] ?? Number.NaN)
    limit = soft > 0 ? soft * DESCRIPTORS_SUSPICIOUS : Number.POSITIVE_INFINITY
  }
  return limit
}

function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8')
  } catch {
    return '' // not Linux, or no descriptor left: then the UDP socket says so
  }
}

function unknownLocally(code: string): Outcome {
  return unknown(`${LOCAL_TEXTS[code] ?? 'local failure'} (${code})`)
}
