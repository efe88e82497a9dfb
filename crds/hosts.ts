// Which hosts can be published: addresses that Endpoints accept, and names that may lead to such, each
// in one canonical form. Pure.

import { isIP, isIPv4, isIPv6 } from 'node:net'
import { printable } from './printable.ts'

/** Characters of a host that are told: as many as any address has, and its zone. */
const SHOWN_LENGTH_MAX = 64

export type HostPolicy = {
  /** Accept 127.0.0.0/8 and ::1, which a real API server refuses: for the demo and the benchmark. */
  readonly allowLoopback: boolean
}

export type JudgedHost =
  | { readonly ok: true; readonly host: string }
  | { readonly ok: false; readonly message: string }

/** Source: RFC 1035 section 2.3.4, less the dot at the end. */
const NAME_LENGTH_MAX = 253
/** RFC 1123 label. */
const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/

/**
 * The canonical address that `value` names, or why it cannot be published.
 *
 * Source: kubernetes pkg/apis/core/validation (ValidateEndpointIP): unspecified, loopback, link-local
 * and link-local multicast addresses are refused there, and one of them refuses the whole object.
 */
export function parseHost(value: unknown, policy: HostPolicy): JudgedHost {
  if (typeof value !== 'string') return refused(value, 'must be text')
  const text = value.trim()
  if (isIPv4(text)) return judgeIPv4(text, policy)
  if (isIPv6(text)) return judgeIPv6(text, policy)
  return refused(value, 'must be an IP address')
}

/** Whether `value` is an address in any form, fit to be published or not; a host that is none is a name. */
export function isAddress(value: unknown): boolean {
  return typeof value === 'string' && isIP(value.trim()) !== 0
}

/**
 * The canonical name that `value` is: lower case, without a dot at the end. Every name is absolute, no
 * search domain is tried; so one without a dot is refused, unless it ends with the dot that says so.
 * What ends in a number is an address, even a wrong one. Source: RFC 1123, WHATWG URL (ends in a number).
 */
export function parseName(value: unknown): JudgedHost {
  if (typeof value !== 'string') return refused(value, 'must be text')
  const text = value.trim().toLowerCase()
  const name = text.endsWith('.') ? text.slice(0, -1) : text
  const labels = name.split('.')
  if (/^(\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '') || !/^[^:/%,\s]+$/.test(text)) {
    return refused(value, 'must be an IP address or a DNS name')
  }
  if (text.includes('_')) return refused(value, 'must not hold an underscore')
  if (!labels.every((label) => LABEL.test(label))) {
    return refused(value, 'must hold only letters, digits, dashes and dots (RFC 1123)')
  }
  if (name.length > NAME_LENGTH_MAX) {
    return refused(value, `must not be longer than ${NAME_LENGTH_MAX} characters`)
  }
  if (labels.length === 1 && name === text) {
    return refused(value, 'must be a full DNS name: search domains are not tried')
  }
  return { ok: true, host: name }
}

/** The one form in which we compare addresses: IPv6 in lower case and shortest (RFC 5952), all else as it is. */
export function canonicalAddress(address: string): string {
  if (!address.includes(':') || address.includes('%') || !isIPv6(address)) return address
  // The URL parser is the canonicaliser that is always there.
  return new URL(`http://[${address}]`).hostname.slice(1, -1)
}

/**
 * A host as it stands in the spec, fit for status and logs. What is not text is only named: writing
 * out an object can throw (`{ toString: 1 }`, deep nesting) or take for ever (YAML aliases).
 */
export function shownHost(value: unknown): string {
  if (typeof value === 'string') return printable(value, SHOWN_LENGTH_MAX)
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}

/** A target as people are told of it: `10.0.0.1:80`, or `10.0.0.1:80 of db.example.com`. */
export function targetText(target: {
  readonly host: string
  readonly port: number
  readonly name?: string | undefined
}): string {
  const text = hostPort(target.host, target.port)
  return target.name === undefined ? text : `${text} of ${target.name}`
}

/** `host:port` as people write it: IPv6 in brackets. */
export function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function judgeIPv4(host: string, { allowLoopback }: HostPolicy): JudgedHost {
  if (host === '0.0.0.0') return refused(host, 'must not be the unspecified address')
  if (host.startsWith('127.') && !allowLoopback)
    return refused(host, 'must not be a loopback address')
  if (host.startsWith('169.254.')) return refused(host, 'must not be a link-local address')
  if (host.startsWith('224.0.0.'))
    return refused(host, 'must not be a link-local multicast address')
  return { ok: true, host }
}

/** ::ffff:0:0/96 in canonical form; `::ffff:5` and `::ffff:0:1:2` are not in it. */
const IPV4_MAPPED = /^::ffff:[^:]+:[^:]+$/

function judgeIPv6(text: string, { allowLoopback }: HostPolicy): JudgedHost {
  if (text.includes('%')) return refused(text, 'must not carry a zone')
  const host = canonicalAddress(text)
  if (host === '::') return refused(text, 'must not be the unspecified address')
  if (host === '::1' && !allowLoopback) return refused(text, 'must not be a loopback address')
  if (IPV4_MAPPED.test(host)) return refused(text, 'must be written as the IPv4 address it maps')
  if (/^fe[89ab][0-9a-f]:/.test(host)) return refused(text, 'must not be a link-local address')
  if (/^ff[0-9a-f]2:/.test(host)) return refused(text, 'must not be a link-local multicast address')
  return { ok: true, host }
}

function refused(value: unknown, rule: string): JudgedHost {
  const host = typeof value === 'string' ? `"${shownHost(value)}"` : shownHost(value)
  return { ok: false, message: `Cannot use host ${host} as it ${rule}` }
}
