import { describe, expect, test } from 'bun:test'
import { type Question, questionBytes, type Reply, readReply } from '../../dns/message.ts'
import { createRandom, SEED } from '../random.ts'
import {
  addressBytes,
  answerTo,
  type Entry,
  type Fault,
  message,
  nameBytes,
  readQuery,
  record,
  soa,
  TYPE,
} from './message.ts'

const NAME = 'db.example.com'
const ask = (family: Question['family'] = 'ipv4', name = NAME): Question => ({
  id: 4711,
  name,
  family,
})

/** What is read of the answer that a zone gives. */
function read(zone: Readonly<Record<string, Entry>>, family?: Question['family'], fault?: Fault) {
  const question = ask(family)
  const bytes = answerTo(questionBytes(question), (name) => zone[name], fault, false)
  return bytes && readReply(bytes, question)
}

describe('questionBytes()', () => {
  test('asks for a name as RFC 1035 has it', () => {
    const bytes = questionBytes(ask('ipv6'))
    expect(bytes.subarray(0, 12).toString('hex')).toBe('126701000001000000000000')
    expect(bytes.subarray(12).toString('latin1')).toBe(
      '\u0002db\u0007example\u0003com\u0000\u0000\u001c\u0000\u0001',
    )
    expect(readQuery(bytes)).toEqual({ name: NAME, type: TYPE.aaaa })
  })
})

describe('readReply() reads', () => {
  test('addresses, sorted and each once, with the smallest TTL', () => {
    const question = ask()
    const answers = [
      record(NAME, TYPE.a, 60, addressBytes('10.0.0.2')),
      record(NAME, TYPE.a, 7, addressBytes('10.0.0.1')),
      record(NAME, TYPE.a, 60, addressBytes('10.0.0.2')),
    ]
    const bytes = message(questionBytes(question), { flags: 0x80, answers })
    const addresses = ['10.0.0.1', '10.0.0.2']
    expect(readReply(bytes, question)).toEqual({ kind: 'addresses', addresses, ttlMs: 7_000 })
  })

  test('IPv6 addresses in their one form', () => {
    const zone = { [NAME]: { aaaa: ['2001:db8:0:0:0:0:0:1'] } }
    expect(read(zone, 'ipv6')).toMatchObject({ addresses: ['2001:db8::1'] })
  })

  test('names in whatever case', () => {
    const question = ask()
    const answers = [record('DB.Example.COM', TYPE.a, 5, addressBytes('10.0.0.1'))]
    const bytes = message(questionBytes(question), { flags: 0x80, answers })
    expect(readReply(bytes, question)).toMatchObject({ addresses: ['10.0.0.1'] })
  })

  test('names that are pointers', () => {
    const question = ask()
    const whole = record(NAME, TYPE.a, 5, addressBytes('10.0.0.1'))
    const pointed = Buffer.concat([Buffer.from([0xc0, 12]), whole.subarray(nameBytes(NAME).length)])
    const bytes = message(questionBytes(question), { flags: 0x80, answers: [pointed] })
    expect(readReply(bytes, question)).toMatchObject({ addresses: ['10.0.0.1'] })
  })

  test('a chain of aliases, good for as long as its shortest link', () => {
    const zone = {
      [NAME]: { cname: 'a.test', ttl: 9 },
      'a.test': { cname: 'b.test', ttl: 3 },
      'b.test': { a: ['10.0.0.1'], ttl: 60 },
    }
    expect(read(zone)).toEqual({ kind: 'addresses', addresses: ['10.0.0.1'], ttlMs: 3_000 })
  })

  test('nothing of records that belong to other names', () => {
    const question = ask()
    const answers = [record('evil.test', TYPE.a, 5, addressBytes('10.6.6.6'))]
    const bytes = message(questionBytes(question), { flags: 0x80, answers })
    expect(readReply(bytes, question)).toMatchObject({ kind: 'none' })
  })

  test('no more than 256 addresses, the same ones in whatever order they come', () => {
    const all = Array.from({ length: 300 }, (_, n) => `10.0.${n >> 8}.${n & 255}`)
    const kept = [...all].sort().slice(0, 256)
    for (const a of [all, all.toReversed()]) {
      expect(read({ [NAME]: { a } })).toMatchObject({ addresses: kept })
    }
  })

  test('a TTL with the highest bit as none at all', () => {
    expect(read({ [NAME]: { a: ['10.0.0.1'], ttl: 2 ** 31 } })).toMatchObject({ ttlMs: 0 })
  })
})

describe('readReply() of an answer without an address', () => {
  const lame: Reply = { kind: 'failed', reason: 'lame answer' }
  const bytesOf = (
    flags: number,
    authorities: readonly Buffer[] = [],
    answers: readonly Buffer[] = [],
  ) => readReply(message(questionBytes(ask()), { flags, authorities, answers }), ask())
  const ns = record('com', TYPE.ns, 60, nameBytes('ns.com'))
  const alias = record(NAME, TYPE.cname, 60, nameBytes('a.test'))
  const RA = 0x0080
  const AA = 0x0400
  const NXDOMAIN = 3
  const none = (reason: string, ttlMs = 0) => ({ kind: 'none', reason, ttlMs })
  const rows: readonly [name: string, read: unknown, expected: unknown][] = [
    ['NXDOMAIN, with its TTL', bytesOf(RA | NXDOMAIN, [soa(30)]), none('NXDOMAIN', 30_000)],
    [
      'the TTL of the SOA itself, if smaller',
      bytesOf(RA | NXDOMAIN, [soa(90)]),
      none('NXDOMAIN', 60_000),
    ],
    [
      'NXDOMAIN at the end of an alias',
      bytesOf(RA | NXDOMAIN, [soa()], [alias]),
      none('NXDOMAIN', 1_000),
    ],
    ['no address of this family', bytesOf(RA, [soa()]), none('no address', 1_000)],
    ['no address, and no SOA, of a resolver', bytesOf(RA), none('no address')],
    ['no address, and no SOA, of its own server', bytesOf(AA), none('no address')],
    ['no address of the alias', bytesOf(RA, [soa()], [alias]), none('no address', 1_000)],
    ['a server that knows nothing', bytesOf(0), lame],
    ['NXDOMAIN of a server that knows nothing', bytesOf(NXDOMAIN), lame],
    ['a referral', bytesOf(0, [ns]), lame],
    ['a referral of a resolver', bytesOf(RA, [ns]), lame],
    ['an alias that leads on', bytesOf(RA, [], [alias]), lame],
  ]
  for (const [name, reply, expected] of rows) {
    test(`is told: ${name}`, () => expect(reply).toEqual(expected))
  }

  test('is a failure where aliases go round in circles', () => {
    expect(read({ [NAME]: { cname: NAME } })).toEqual(lame)
  })
})

describe('readReply() of a faulty answer', () => {
  const zone = { [NAME]: { a: ['10.0.0.1'] } }
  const rows: readonly [fault: Fault, reply: Reply | undefined][] = [
    ['SERVFAIL', { kind: 'failed', reason: 'SERVFAIL' }],
    ['REFUSED', { kind: 'failed', reason: 'REFUSED' }],
    ['FORMERR', { kind: 'failed', reason: 'FORMERR' }],
    ['referral', { kind: 'failed', reason: 'lame answer' }],
    ['empty', { kind: 'failed', reason: 'lame answer' }],
    ['cut short', { kind: 'failed', reason: 'malformed answer' }],
    // Passed over: it may be somebody else's.
    ['garbage', undefined],
    ['forged', undefined],
    ['astray', undefined],
  ]
  for (const [fault, reply] of rows) {
    test(`(${fault}) says ${reply?.kind ?? 'nothing'}`, () => {
      expect(read(zone, 'ipv4', fault)).toEqual(reply)
    })
  }

  test('never throws, and ends soon, whatever bytes come', () => {
    const random = createRandom(SEED)
    const zone: Readonly<Record<string, Entry>> = {
      [NAME]: { cname: 'a.test' },
      'a.test': { a: ['10.0.0.1', '10.0.0.2'] },
    }
    const question = ask()
    const good = answerTo(questionBytes(question), (name) => zone[name], undefined, false)
    if (!good) throw new Error('no answer to spoil')
    for (let turn = 0; turn < 20_000; turn++) {
      const bytes = Buffer.from(good.subarray(0, 12 + random.below(good.length)))
      for (let flips = random.below(8); flips > 0; flips--) {
        // The id stays: what has another is passed over at once.
        bytes[2 + random.below(bytes.length - 2)] = random.below(256)
      }
      readReply(bytes, question)
    }
    // A name that points to itself, and many records of no length.
    const circle = Buffer.concat([good.subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1])])
    expect(readReply(circle, question)).toMatchObject({ kind: 'failed' })
  })
})
