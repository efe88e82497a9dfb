import { describe, expect, test } from 'bun:test'
import {
  canonicalAddress,
  hostPort,
  isAddress,
  parseHost,
  parseName,
  shownHost,
  targetText,
} from '../../crds/hosts.ts'
import { strict } from './fixtures.ts'

const lenient = { allowLoopback: true }

describe('parseHost() accepts', () => {
  const rows: readonly [value: string, host?: string][] = [
    ['10.33.40.151'],
    ['1.2.3.4'],
    ['0.0.0.1'],
    ['8.8.8.8'],
    ['126.255.255.255'],
    ['128.0.0.0'],
    ['169.253.255.255'],
    ['169.255.0.0'],
    ['223.255.255.255'],
    ['224.0.1.0'],
    ['239.255.255.255'],
    ['255.255.255.255'],
    // Spaces around, as they are left by hand-edited lists.
    [' 10.0.0.1', '10.0.0.1'],
    ['10.0.0.1\n', '10.0.0.1'],
    ['\t10.0.0.1 \r\n', '10.0.0.1'],
    // IPv6 in whatever form, told in the one of RFC 5952.
    ['fd00::1'],
    ['FD00::1', 'fd00::1'],
    ['fd00:0:0:0:0:0:0:1', 'fd00::1'],
    ['fd00:0000:0000:0000:0000:0000:0000:0001', 'fd00::1'],
    ['2001:DB8::00A0', '2001:db8::a0'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1'],
    ['::2'],
    ['0:0:0:0:0:0:0:2', '::2'],
    ['1::'],
    ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
    ['::1.2.3.4', '::102:304'],
    // Neighbours of what is refused.
    ['fe7f::1'],
    ['fec0::1'],
    ['fe8::1'],
    ['fe8:1::1'],
    ['ff01::1'],
    ['ff03::1'],
    ['ff05::2'],
    ['ff:2::1'],
    ['ff2::1'],
    ['::ffff'],
    ['::ffff:5'],
    ['::ffff:0:1:2'],
    ['::fffe:1.2.3.4', '::fffe:102:304'],
    ['1::ffff:1:2'],
  ]
  for (const [value, host = value] of rows) {
    test(`${JSON.stringify(value)} as ${host}`, () => {
      expect(parseHost(value, strict)).toEqual({ ok: true, host })
    })
  }

  test('again what it returned, unchanged', () => {
    for (const [, host] of rows)
      if (host) expect(parseHost(host, strict)).toEqual({ ok: true, host })
  })
})

describe('parseHost() refuses', () => {
  const notAddress = 'must be an IP address'
  const loopback = 'must not be a loopback address'
  const unspecified = 'must not be the unspecified address'
  const linkLocal = 'must not be a link-local address'
  const multicast = 'must not be a link-local multicast address'
  const mapped = 'must be written as the IPv4 address it maps'
  const rows: readonly [value: string, rule: string, shown?: string][] = [
    ['127.0.0.1', loopback],
    ['127.0.0.0', loopback],
    ['127.255.255.255', loopback],
    ['::1', loopback],
    ['0:0:0:0:0:0:0:1', loopback],
    ['0000::0001', loopback],
    ['0.0.0.0', unspecified],
    ['::', unspecified],
    ['0:0:0:0:0:0:0:0', unspecified],
    ['::0.0.0.0', unspecified],
    ['169.254.0.0', linkLocal],
    ['169.254.169.254', linkLocal],
    ['169.254.255.255', linkLocal],
    ['fe80::1', linkLocal],
    ['FE80::1', linkLocal],
    ['fe8f::1', linkLocal],
    ['fe9a::1', linkLocal],
    ['febf:ffff::1', linkLocal],
    ['224.0.0.1', multicast],
    ['224.0.0.255', multicast],
    ['ff02::1', multicast],
    ['FF12::1', multicast],
    ['fff2::1', multicast],
    ['::ffff:1.2.3.4', mapped],
    ['::ffff:127.0.0.1', mapped],
    ['::FFFF:0102:0304', mapped],
    ['::ffff:0.0.0.0', mapped],
    ['fe80::1%eth0', 'must not carry a zone'],
    ['fd00::1%0', 'must not carry a zone'],
    ['', notAddress],
    [' ', notAddress],
    ['db.internal', notAddress],
    ['localhost', notAddress],
    ['10.0.0', notAddress],
    ['10.0.0.1.2', notAddress],
    ['10.0.0.256', notAddress],
    ['10.0.0.-1', notAddress],
    ['010.0.0.1', notAddress],
    ['10.0.0.01', notAddress],
    ['10.0.0.1 10.0.0.2', notAddress],
    ['10.0.0.1,10.0.0.2', notAddress],
    ['10. 0.0.1', notAddress],
    ['10.0.0.1:80', notAddress],
    ['10.0.0.0/8', notAddress],
    ['0x0a000001', notAddress],
    ['167772161', notAddress],
    ['1.2.3.4%eth0', notAddress],
    ['[fd00::1]', notAddress],
    ['[fd00::1]:80', notAddress],
    ['fd00::1::2', notAddress],
    ['fd00:1', notAddress],
    ['fd00::g', notAddress],
    ['1:2:3:4:5:6:7:8:9', notAddress],
    ['00001::', notAddress],
    ['::ffff:010.2.3.4', notAddress],
    ['fd00::/8', notAddress],
    ['http://10.0.0.1/', notAddress],
    ['10.0.0.1\u0000', notAddress, '10.0.0.1?'],
    ['10.0.0.1\n10.0.0.2', notAddress, '10.0.0.1?10.0.0.2'],
    ['\u202e1.0.0.01', notAddress, '?1.0.0.01'],
    ['10.0.0.1\u2028x', notAddress, '10.0.0.1?x'],
    ['\ud800', notAddress, '?'],
    ['١٠.٠.٠.١', notAddress],
    ['１０.0.0.1', notAddress],
    ['10。0。0。1', notAddress],
    ['__proto__', notAddress],
    ['x'.repeat(64), notAddress, 'x'.repeat(64)],
    ['x'.repeat(65), notAddress, `${'x'.repeat(63)}…`],
    ['x'.repeat(1_000_000), notAddress, `${'x'.repeat(63)}…`],
    [`${'x'.repeat(62)}😀😀`, notAddress, `${'x'.repeat(62)}?…`],
    [`fe80::1%${'a'.repeat(1_000_000)}`, 'must not carry a zone', `fe80::1%${'a'.repeat(55)}…`],
  ]
  for (const [value, rule, shown = value] of rows) {
    test(`${JSON.stringify(value.slice(0, 40))}, as it ${rule}`, () => {
      const message = `Cannot use host "${shown}" as it ${rule}`
      expect(parseHost(value, strict)).toEqual({ ok: false, message })
    })
  }

  const deep = Array.from({ length: 100_000 }).reduce<unknown>((inner) => [inner], 'x')
  const circular: Record<string, unknown> = {}
  circular.self = circular
  const others: readonly [name: string, value: unknown, shown: string][] = [
    ['null', null, 'null'],
    ['nothing', undefined, 'undefined'],
    ['a number', 42, '42'],
    ['a number that could be an address', 167772161, '167772161'],
    ['NaN', Number.NaN, 'NaN'],
    ['true', true, 'true'],
    ['a list', ['10.0.0.1'], 'a list'],
    ['an object', { ip: '10.0.0.1' }, 'an object'],
    ['an object without a prototype', Object.create(null), 'an object'],
    ['an object whose toString is no function', { toString: 1, valueOf: 1 }, 'an object'],
    ['an object whose toJSON throws', { toJSON: () => Number('x').toFixed(101) }, 'an object'],
    ['an object that holds itself', circular, 'an object'],
    ['a list within a list within 100,000 others', deep, 'a list'],
    ['an object that was made for String', new String('10.0.0.1'), 'an object'],
  ]
  for (const [name, value, shown] of others) {
    test(`${name}, as it must be text`, () => {
      const message = `Cannot use host ${shown} as it must be text`
      expect(parseHost(value, strict)).toEqual({ ok: false, message })
    })
  }
})

describe('parseHost() for the demo', () => {
  for (const [value, host] of [
    ['127.0.0.1', '127.0.0.1'],
    ['127.9.9.9', '127.9.9.9'],
    ['::1', '::1'],
    ['0:0::1', '::1'],
  ] as const) {
    test(`accepts ${value}`, () => {
      expect(parseHost(value, lenient)).toEqual({ ok: true, host })
    })
  }
  for (const value of [
    '0.0.0.0',
    '::',
    '169.254.1.1',
    'fe80::1',
    '::ffff:127.0.0.1',
    'localhost',
  ]) {
    test(`refuses ${value} even so`, () => {
      expect(parseHost(value, lenient).ok).toBe(false)
    })
  }
})

describe('parseName() accepts', () => {
  const long = `${'a.'.repeat(126)}a`
  const rows: readonly [value: string, name?: string][] = [
    ['db.example.com'],
    ['DB.Example.COM', 'db.example.com'],
    ['db.example.com.', 'db.example.com'],
    [' db.example.com\n', 'db.example.com'],
    // One label is a whole name only if it says so.
    ['nas.', 'nas'],
    ['3com.example'],
    ['10.0.0.1.example'],
    ['1e100.net'],
    ['xn--bcher-kva.example'],
    ['a-b--c.d'],
    ['x.0xyz'],
    [`${'x'.repeat(63)}.example`],
    [long],
    [`${long}.`, long],
  ]
  for (const [value, name = value] of rows) {
    test(`${JSON.stringify(value.slice(0, 40))} as ${name.slice(0, 40)}`, () => {
      expect(isAddress(value)).toBe(false)
      expect(parseName(value)).toEqual({ ok: true, host: name })
    })
  }
})

describe('parseName() refuses', () => {
  const neither = 'must be an IP address or a DNS name'
  const letters = 'must hold only letters, digits, dashes and dots (RFC 1123)'
  const rows: readonly [value: string, rule: string][] = [
    ['10.0.0.300', neither],
    ['10.0.0.300.', neither],
    ['010.0.0.1', neither],
    ['1.2.3', neither],
    ['167772161', neither],
    ['0x0a000001', neither],
    ['db.example.0x1', neither],
    ['db.example.com:5432', neither],
    ['http://db.example.com', neither],
    ['db.example.com/path', neither],
    ['db.example.com,dr.example.com', neither],
    ['db.example.com dr.example.com', neither],
    ['[fd00::1]', neither],
    ['1.2.3.4%eth0', neither],
    ['', neither],
    ['db', 'must be a full DNS name: search domains are not tried'],
    ['localhost', 'must be a full DNS name: search domains are not tried'],
    ['my_db.example.com', 'must not hold an underscore'],
    ['.', letters],
    ['.db.example.com', letters],
    ['db..example.com', letters],
    ['db.example.com..', letters],
    ['*.example.com', letters],
    ['-db.example.com', letters],
    ['db-.example.com', letters],
    ['bücher.example', letters],
    ['$(reboot).example', letters],
    ['db.example.com\u0000', letters],
    [`${'x'.repeat(64)}.example`, letters],
    [`${'a.'.repeat(126)}ab`, 'must not be longer than 253 characters'],
  ]
  for (const [value, rule] of rows) {
    test(`${JSON.stringify(value.slice(0, 40))}, as it ${rule}`, () => {
      const message = `Cannot use host "${shownHost(value)}" as it ${rule}`
      expect(parseName(value)).toEqual({ ok: false, message })
    })
  }
})

test('targetText() tells the name that led to an address', () => {
  expect(targetText({ host: 'fd00::1', port: 80 })).toBe('[fd00::1]:80')
  expect(targetText({ host: '10.0.0.1', port: 80, name: 'db.test' })).toBe('10.0.0.1:80 of db.test')
})

describe('canonicalAddress()', () => {
  const rows = [
    ['FD00:0:0::1', 'fd00::1'],
    ['::ffff:1.2.3.4', '::ffff:102:304'],
    ['10.0.0.1', '10.0.0.1'],
    ['fe80::1%eth0', 'fe80::1%eth0'],
    ['db.internal', 'db.internal'],
    ['', ''],
    ['not an address', 'not an address'],
  ] as const
  for (const [address, canonical] of rows) {
    test(`of ${JSON.stringify(address)} is ${JSON.stringify(canonical)}`, () => {
      expect(canonicalAddress(address)).toBe(canonical)
    })
  }
})

describe('hostPort()', () => {
  test('puts IPv6 in brackets, and nothing else', () => {
    expect(hostPort('10.0.0.1', 80)).toBe('10.0.0.1:80')
    expect(hostPort('fd00::1', 80)).toBe('[fd00::1]:80')
  })
})

describe('shownHost()', () => {
  test('is never longer than 64 characters and holds nothing that forges a line or a look', () => {
    for (const value of [
      '\n'.repeat(100),
      '\u202e'.repeat(10),
      'a\u0007b\u001b[31m',
      '😀'.repeat(99),
    ]) {
      const shown = shownHost(value)
      expect(shown.length).toBeLessThanOrEqual(64)
      expect(shown).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u)
    }
  })
})
