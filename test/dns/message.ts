// DNS messages as a name server writes them: for tests, which also write them wrong.

/** What a test's zone says of one name. */
export type Entry = {
  readonly a?: readonly string[]
  readonly aaaa?: readonly string[]
  /** The name that this one is an alias of. */
  readonly cname?: string
  /** Seconds; 1 unless given. */
  readonly ttl?: number
}

/** How a name server errs, if so. */
export type Fault =
  | 'silent'
  | 'SERVFAIL'
  | 'REFUSED'
  | 'FORMERR'
  /** Sends elsewhere, as a server that does not resolve for others. */
  | 'referral'
  /** Nothing, from one that neither resolves for others nor is the name's own. */
  | 'empty'
  | 'garbage'
  /** The right answer under a wrong id, which somebody else might send. */
  | 'forged'
  /** The right answer to another question. */
  | 'astray'
  | 'cut short'

export type Asked = { readonly name: string; readonly type: number }

export type Zone = (name: string) => Entry | undefined

export const TYPE = { a: 1, ns: 2, cname: 5, soa: 6, aaaa: 28 } as const
const RCODE = { FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 } as const
const HEADER_BYTES = 12
const RESPONSE = 0x8000
const RECURSION_AVAILABLE = 0x0080
const TRUNCATED = 0x0200
/** Bytes of an answer over UDP. Source: RFC 1035 section 2.3.4. */
const DATAGRAM_MAX = 512
/** Links of a chain of aliases that are answered at once. */
const ALIASES_MAX = 20

/** What a query asks. */
export function readQuery(query: Buffer): Asked {
  const labels: string[] = []
  let at = HEADER_BYTES
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1) }
}

/** The answer to `query` by `zone`; undefined for none. `isDatagram`: what is too long is cut. */
export function answerTo(
  query: Buffer,
  zone: Zone,
  fault: Fault | undefined,
  isDatagram: boolean,
): Buffer | undefined {
  if (fault === 'silent') return undefined
  if (fault === 'garbage') return Buffer.from('no answer')
  if (fault === 'SERVFAIL' || fault === 'REFUSED' || fault === 'FORMERR') {
    return message(query, { flags: RECURSION_AVAILABLE | RCODE[fault] })
  }
  if (fault === 'empty') return message(query, { flags: 0 })
  if (fault === 'referral') {
    return message(query, {
      flags: 0,
      authorities: [record('test', TYPE.ns, 60, nameBytes('ns.test'))],
    })
  }
  const { name, type } = readQuery(query)
  const { answers, entry } = answersOf(zone, name, type)
  const authorities = answers.length > 0 ? [] : [soa()]
  const flags = RECURSION_AVAILABLE | (entry ? 0 : RCODE.NXDOMAIN)
  const whole = message(query, { flags, answers, authorities })
  if (fault === 'forged') return Buffer.concat([flipped(whole.subarray(0, 2)), whole.subarray(2)])
  if (fault === 'astray') return astray(whole)
  if (fault === 'cut short') return whole.subarray(0, whole.length - 3)
  if (!isDatagram || whole.length <= DATAGRAM_MAX) return whole
  return message(query, { flags: flags | TRUNCATED })
}

function answersOf(zone: Zone, name: string, type: number) {
  const answers: Buffer[] = []
  let owner = name
  for (let links = 0; ; links++) {
    const entry = zone(owner)
    if (!entry) return { answers, entry }
    const { cname, ttl = 1 } = entry
    if (cname === undefined || links === ALIASES_MAX) {
      const addresses = type === TYPE.aaaa ? entry.aaaa : entry.a
      for (const address of addresses ?? []) {
        answers.push(record(owner, type, ttl, addressBytes(address)))
      }
      return { answers, entry }
    }
    answers.push(record(owner, TYPE.cname, ttl, nameBytes(cname)))
    owner = cname
  }
}

type Parts = {
  readonly flags: number
  readonly answers?: readonly Buffer[]
  readonly authorities?: readonly Buffer[]
}

/** A response to `query`, of whatever parts. */
export function message(query: Buffer, { flags, answers = [], authorities = [] }: Parts): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt16BE(query.readUInt16BE(0), 0)
  header.writeUInt16BE(RESPONSE | flags, 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(answers.length, 6)
  header.writeUInt16BE(authorities.length, 8)
  const question = query.subarray(HEADER_BYTES, query.indexOf(0, HEADER_BYTES) + 5)
  return Buffer.concat([header, question, ...answers, ...authorities])
}

export function record(owner: string, type: number, ttl: number, data: Buffer): Buffer {
  const fields = Buffer.alloc(10)
  fields.writeUInt16BE(type, 0)
  fields.writeUInt16BE(1, 2)
  fields.writeUInt32BE(ttl, 4)
  fields.writeUInt16BE(data.length, 8)
  return Buffer.concat([nameBytes(owner), fields, data])
}

/** Of a zone whose absences are good for a second. */
export function soa(ttl = 1): Buffer {
  const numbers = Buffer.alloc(20)
  numbers.writeUInt32BE(ttl, 16)
  return record('test', TYPE.soa, 60, Buffer.concat([nameBytes('ns'), nameBytes('me'), numbers]))
}

export function nameBytes(name: string): Buffer {
  const labels = name
    .split('.')
    .map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, 'latin1'))
  return Buffer.concat([...labels, Buffer.alloc(1)])
}

export function addressBytes(address: string): Buffer {
  if (!address.includes(':')) return Buffer.from(address.split('.').map(Number))
  const [left = '', right] = address.split('::')
  const words = (part: string) => (part === '' ? [] : part.split(':'))
  const tail = words(right ?? '')
  const gap = right === undefined ? 0 : 8 - words(left).length - tail.length
  const all = [...words(left), ...Array.from({ length: gap }, () => '0'), ...tail]
  return Buffer.from(all.map((word) => word.padStart(4, '0')).join(''), 'hex')
}

function flipped(id: Buffer): Buffer {
  return Buffer.from(id.map((byte) => byte ^ 0xff))
}

/** Asks for another name of the same length. */
function astray(whole: Buffer): Buffer {
  const copy = Buffer.from(whole)
  copy.write('~', HEADER_BYTES + 1, 'latin1')
  return copy
}
