// DNS messages: the bytes of one question, and what an answer to it says. Pure.

import { canonicalAddress } from '../crds/hosts.ts'

export type Family = 'ipv4' | 'ipv6'

export type Question = {
  /** 0 to 65535, not to be guessed: an answer must repeat it. */
  readonly id: number
  /** In lower case, without a dot at its end. */
  readonly name: string
  readonly family: Family
}

/** What one answer says. `none`: the name, or an address of this family, does not exist. */
export type Reply =
  | { readonly kind: 'addresses'; readonly addresses: readonly string[]; readonly ttlMs: number }
  | { readonly kind: 'none'; readonly reason: Absence; readonly ttlMs: number }
  /** It did not fit into a datagram. */
  | { readonly kind: 'truncated' }
  | { readonly kind: 'failed'; readonly reason: string }

export type Absence = 'NXDOMAIN' | 'no address'

/** Source: RFC 1035 sections 3.2 and 4.1, RFC 3596. */
const TYPES = { ipv4: 1, ipv6: 28 } as const
const TYPE_NS = 2
const TYPE_CNAME = 5
const TYPE_SOA = 6
const CLASS_IN = 1
const HEADER_BYTES = 12
const RESPONSE = 0x8000
const AUTHORITATIVE = 0x0400
const TRUNCATED = 0x0200
const RECURSION_DESIRED = 0x0100
const RECURSION_AVAILABLE = 0x0080
const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED']

/** Links of a chain of aliases that are followed; resolvers stop at 8 to 16. */
const ALIASES_MAX = 16
/** Records of one answer that are looked at: about what 64 KB hold. */
const RECORDS_MAX = 4_096
/** Addresses of one answer that are kept, the first in order: four times what is ever published. */
const ADDRESSES_MAX = 256
/** Pointers in one name; a name has at most 127 labels. */
const POINTERS_MAX = 127

/** The datagram that asks `question`, of a resolver that finds the answer itself. */
export function questionBytes({ id, name, family }: Question): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt16BE(id, 0)
  header.writeUInt16BE(RECURSION_DESIRED, 2)
  header.writeUInt16BE(1, 4)
  const labels = name
    .split('.')
    .flatMap((label) => [Buffer.from([label.length]), Buffer.from(label, 'latin1')])
  return Buffer.concat([header, ...labels, Buffer.from([0, 0, TYPES[family], 0, CLASS_IN])])
}

/**
 * What `bytes` say to `question`; undefined when they are no answer to it (another id, another
 * question), which a resolver passes over. Never throws.
 *
 * An answer without an address counts as "there is none" only from a server that may know: one that
 * resolves for others or is the name's own, and sends nobody elsewhere. All else is a lame answer, and
 * says nothing about the name. Source: RFC 2308 section 2.
 */
export function readReply(bytes: Buffer, question: Question): Reply | undefined {
  try {
    return replyOf(bytes, question)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return { kind: 'failed', reason: 'malformed answer' }
  }
}

/** As readReply; throws a RangeError where the bytes end too soon or a name does not. */
function replyOf(bytes: Buffer, { id, name, family }: Question): Reply | undefined {
  if (bytes.length < HEADER_BYTES || bytes.readUInt16BE(0) !== id) return undefined
  const flags = bytes.readUInt16BE(2)
  if ((flags & RESPONSE) === 0) return undefined
  const rcode = RCODES[flags & 0xf] ?? `RCODE ${flags & 0xf}`
  const questions = bytes.readUInt16BE(4)
  // Some servers leave the question out of an answer that only says no.
  if (questions !== 1) return rcode === 'NOERROR' ? undefined : { kind: 'failed', reason: rcode }
  const asked = readName(bytes, HEADER_BYTES)
  if (asked.name !== name || bytes.readUInt16BE(asked.end) !== TYPES[family]) return undefined
  if (rcode !== 'NOERROR' && rcode !== 'NXDOMAIN') return { kind: 'failed', reason: rcode }
  if ((flags & TRUNCATED) !== 0) return { kind: 'truncated' }

  const answers = readRecords(bytes, asked.end + 4, bytes.readUInt16BE(6))
  const authorities = readRecords(bytes, answers.end, bytes.readUInt16BE(8))
  const found = followed(bytes, name, TYPES[family], answers.records)
  const { addresses, ttlMs } = found
  if (rcode === 'NOERROR' && addresses.length > 0) return { kind: 'addresses', addresses, ttlMs }

  const soa = authorities.records.find(({ type }) => type === TYPE_SOA)
  const isReferral = !soa && authorities.records.some(({ type }) => type === TYPE_NS)
  const isBrokenOff = rcode === 'NOERROR' && found.isAliased && !soa
  const mayKnow = (flags & (AUTHORITATIVE | RECURSION_AVAILABLE)) !== 0
  if (!mayKnow || isReferral || isBrokenOff) return { kind: 'failed', reason: 'lame answer' }
  const reason = rcode === 'NXDOMAIN' ? 'NXDOMAIN' : 'no address'
  return { kind: 'none', reason, ttlMs: soa ? negativeTtlMs(bytes, soa) : 0 }
}

/** The addresses at the end of the chain of aliases that begins at `name`, good for as long as all of it is. */
function followed(bytes: Buffer, name: string, type: number, records: readonly ResourceRecord[]) {
  let ttlMs = Number.POSITIVE_INFINITY
  let owner = name
  for (let links = 0; links < ALIASES_MAX; links++) {
    const own = records.filter((record) => record.owner === owner)
    const alias = own.find((record) => record.type === TYPE_CNAME)
    const found = own.filter((record) => record.type === type)
    if (found.length > 0 || !alias) {
      const addresses = found.map((record) => addressOf(bytes, record))
      ttlMs = Math.min(ttlMs, ...found.map((record) => record.ttlMs))
      return {
        addresses: [...new Set(addresses)].sort().slice(0, ADDRESSES_MAX),
        ttlMs,
        isAliased: owner !== name,
      }
    }
    ttlMs = Math.min(ttlMs, alias.ttlMs)
    owner = readName(bytes, alias.start).name
  }
  return { addresses: [], ttlMs, isAliased: true }
}

type ResourceRecord = {
  readonly owner: string
  readonly type: number
  readonly ttlMs: number
  /** Where its data begin and end. */
  readonly start: number
  readonly end: number
}

function readRecords(bytes: Buffer, from: number, count: number) {
  const records: ResourceRecord[] = []
  let offset = from
  for (let index = 0; index < Math.min(count, RECORDS_MAX); index++) {
    const { name: owner, end: fields } = readName(bytes, offset)
    const start = fields + 10
    offset = start + bytes.readUInt16BE(fields + 8)
    if (offset > bytes.length) throw new RangeError('record beyond the end')
    if (bytes.readUInt16BE(fields + 2) !== CLASS_IN) continue
    const ttlMs = ttlMsAt(bytes, fields + 4)
    records.push({ owner, type: bytes.readUInt16BE(fields), ttlMs, start, end: offset })
  }
  return { records, end: offset }
}

/** Source: RFC 2181 section 8: what has the highest bit set counts as 0. */
function ttlMsAt(bytes: Buffer, offset: number): number {
  const seconds = bytes.readUInt32BE(offset)
  return seconds >= 2 ** 31 ? 0 : seconds * 1000
}

/** Source: RFC 2308 section 5: the smaller of the record's own TTL and its last field. */
function negativeTtlMs(bytes: Buffer, { ttlMs, end }: ResourceRecord): number {
  return Math.min(ttlMs, ttlMsAt(bytes, end - 4))
}

function addressOf(bytes: Buffer, { type, start, end }: ResourceRecord): string {
  const data = bytes.subarray(start, end)
  if (data.length !== (type === TYPES.ipv4 ? 4 : 16)) throw new RangeError('no address')
  if (type === TYPES.ipv4) return data.join('.')
  return canonicalAddress(data.toString('hex').replace(/(.{4})(?!$)/g, '$1:'))
}

/** The name at `offset` in lower case, and where what follows it begins. */
function readName(bytes: Buffer, offset: number): { readonly name: string; readonly end: number } {
  const labels: string[] = []
  let end: number | undefined
  let at = offset
  for (let pointers = 0; pointers <= POINTERS_MAX && labels.length <= POINTERS_MAX; ) {
    const length = bytes.readUInt8(at)
    if (length === 0) {
      return { name: labels.join('.').toLowerCase(), end: end ?? at + 1 }
    }
    if (length >= 0xc0) {
      end ??= at + 2
      at = bytes.readUInt16BE(at) & 0x3fff
      pointers++
      continue
    }
    if (length > 63 || at + length >= bytes.length) throw new RangeError('no label')
    labels.push(bytes.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  throw new RangeError('name without an end')
}
