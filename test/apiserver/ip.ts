// IP addresses as Kubernetes judges them.

/** The family and numeric value of an address, undefined if it is none. */
export interface Ip {
  readonly family: 'IPv4' | 'IPv6'
  readonly value: bigint
}

/** Reads an address in text. IPv4 with leading zeros, and a zone, are refused, as Go refuses them. */
export function parseIp(text: string): Ip | undefined {
  if (/^\d+\.\d+\.\d+\.\d+$/.test(text)) {
    const value = parseV4(text)
    return value === undefined ? undefined : { family: 'IPv4', value: BigInt(value) }
  }
  return parseV6(text)
}

/** Why an address may not be an endpoint, undefined if it may. Source: ValidateNonSpecialIP. */
export function specialIp(text: string, allowLoopback: boolean): string | undefined {
  const ip = parseIp(text)
  if (ip === undefined) return 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'
  if (ip.value === 0n) return `may not be unspecified (${text})`
  const v4 = ip.family === 'IPv4' ? Number(ip.value) : mapped(ip.value)
  if (v4 !== undefined ? v4 >>> 24 === 127 : ip.value === 1n) {
    return allowLoopback ? undefined : 'may not be in the loopback range (127.0.0.0/8, ::1/128)'
  }
  if (v4 !== undefined ? v4 >>> 16 === 0xa9fe : ip.value >> 118n === 0xfe80n >> 6n) {
    return 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'
  }
  const multicast = v4 !== undefined ? v4 >>> 8 === 0xe00000 : isLinkLocalMulticast(ip.value)
  return multicast
    ? 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'
    : undefined
}

/** Go takes an IPv4 address inside IPv6 for the IPv4 address. */
function mapped(value: bigint): number | undefined {
  return value >> 32n === 0xffffn ? Number(value & 0xffffffffn) : undefined
}

function isLinkLocalMulticast(value: bigint): boolean {
  return value >> 120n === 0xffn && ((value >> 112n) & 0xfn) === 2n
}

function parseV4(text: string): number | undefined {
  let value = 0
  for (const part of text.split('.')) {
    if (Number(part) > 255 || (part.length > 1 && part.startsWith('0'))) return undefined
    value = value * 256 + Number(part)
  }
  return value
}

function parseV6(text: string): Ip | undefined {
  const halves = text.split('::')
  if (halves.length > 2 || !text.includes(':')) return undefined
  const head = groups(halves[0] ?? '', halves.length === 1)
  const tail = groups(halves[1] ?? '', true)
  if (head === undefined || tail === undefined) return undefined
  const missing = 8 - head.length - tail.length
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined
  const all = [...head, ...Array<number>(missing).fill(0), ...tail]
  return { family: 'IPv6', value: all.reduce((sum, group) => (sum << 16n) | BigInt(group), 0n) }
}

function groups(text: string, isLast: boolean): number[] | undefined {
  if (text === '') return []
  const out: number[] = []
  const parts = text.split(':')
  for (const [index, part] of parts.entries()) {
    if (part.includes('.')) {
      const v4 = isLast && index === parts.length - 1 ? parseV4(part) : undefined
      if (v4 === undefined || !/^\d+\.\d+\.\d+\.\d+$/.test(part)) return undefined
      out.push(v4 >>> 16, v4 & 0xffff)
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) out.push(Number.parseInt(part, 16))
    else return undefined
  }
  return out
}
