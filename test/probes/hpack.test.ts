// HPACK by the examples of RFC 7541, and by blocks that are none.

import { describe, expect, test } from 'bun:test'
import { encodeField, fieldsDecoder } from '../../probes/hpack.ts'
import { octets } from '../../probes/octets.ts'

const bytes = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex')

/** What one decoder makes of blocks that come one after the other. */
function decode(...blocks: readonly string[]): (Record<string, string> | undefined)[] {
  const decoder = fieldsDecoder()
  return blocks.map((block) => {
    const fields = decoder(octets(bytes(block)))
    return fields && Object.fromEntries(fields)
  })
}

const request = {
  ':method': 'GET',
  ':scheme': 'http',
  ':path': '/',
  ':authority': 'www.example.com',
}
const https = {
  ...request,
  ':scheme': 'https',
  ':path': '/index.html',
  'custom-key': 'custom-value',
}
const moved = {
  ':status': '302',
  'cache-control': 'private',
  date: 'Mon, 21 Oct 2013 20:13:21 GMT',
  location: 'https://www.example.com',
}

describe('the examples of RFC 7541', () => {
  test('C.2: one field', () => {
    expect(decode('400a637573746f6d2d6b65790d637573746f6d2d686561646572')).toEqual([
      { 'custom-key': 'custom-header' },
    ])
    expect(decode('040c2f73616d706c652f70617468')).toEqual([{ ':path': '/sample/path' }])
    expect(decode('100870617373776f726406736563726574')).toEqual([{ password: 'secret' }])
    expect(decode('82')).toEqual([{ ':method': 'GET' }])
  })

  test('C.3: requests that refer to earlier ones', () => {
    expect(
      decode(
        '828684410f7777772e6578616d706c652e636f6d',
        '828684be58086e6f2d6361636865',
        '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565',
      ),
    ).toEqual([request, { ...request, 'cache-control': 'no-cache' }, https])
  })

  test('C.4: the same with Huffman codes', () => {
    expect(
      decode(
        '828684418cf1e3c2e5f23a6ba0ab90f4ff',
        '828684be5886a8eb10649cbf',
        '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
      ),
    ).toEqual([request, { ...request, 'cache-control': 'no-cache' }, https])
  })

  test('C.6: responses in a table of 256 bytes, from which entries fall out', () => {
    expect(
      decode(
        `3fe101
         488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c7
         8f0b97c8e9ae82ae43d3`.replaceAll('\n', ''),
        '4883640effc1c0bf',
        `88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335
         dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007`.replaceAll(
          '\n',
          '',
        ),
      ),
    ).toEqual([
      moved,
      { ...moved, ':status': '307' },
      {
        ...moved,
        ':status': '200',
        date: 'Mon, 21 Oct 2013 20:13:22 GMT',
        'content-encoding': 'gzip',
        'set-cookie': 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
      },
    ])
  })
})

test('every byte has its Huffman code', () => {
  // The bytes 0 to 255 in their order, encoded by golang.org/x/net/http2/hpack.
  const encoded = Buffer.from(
    '/8f//Y///+L///4////k///+X///5v///n///+j//+r////z///6f///q////9///+v///7P///t///+7///7////w' +
      '////H///8v////v///z////T///9f///2////f///+P///5////r///+1P4/n/r/yr8f6/r+/n/f0suwAImWm3HXn7' +
      'n3//IP+/8/9Q3b1/BhxY8mXNn0adWvZt3b+HHl+c/3/3//w/+f/kX/9HGSQss05unWimo9faxCbe/jz69//7/n/7/9' +
      '////z//m//9L//n//6P//T//9T//1f//s//+t//9r//7f//3P//u///e///r//+////Z///b//6///4P//7v//w///' +
      'i///H//+T//uf/+x//+X//2f//zf//n///v//9r//u//9P//t//+5//+j//9P//e///V//7v//vf//4f/9///3///1' +
      '///s//8H//h//+D//xf//t//+H//93//7//+r//4v//j//+T//+H//y///N///H///g///4f/+v//j//8///8v//o/' +
      '//2f//8X///H///yf//97///v///8v//+P//+3//l//4///+b///wf//+H///n///8X//+X//k//8v///R///0////' +
      '7///4////J///5f/+z///P//t//83//0//+f//0f//z//+r//6///93//+////T///X///q///p///1///+b///s//' +
      '/7f///P///6P///T///6v///X////3///s///9v///u///9////w///7vw==',
    'base64',
  )
  const length = 127 + 0x80 // of `encoded`: its integer has the prefix and two bytes more
  const head = [
    0x00,
    0x01,
    0x61,
    0xff,
    ((encoded.length - 127) & 0x7f) | 0x80,
    (encoded.length - 127) >> 7,
  ]
  expect(encoded.length).toBeGreaterThan(length)
  const fields = fieldsDecoder()(octets(Buffer.concat([Uint8Array.from(head), encoded])))
  expect(fields?.get('a')).toBe(
    String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte)),
  )
})

test('of a name that is repeated, the last value counts', () => {
  expect(decode('0001610131 0001610132')).toEqual([{ a: '2' }])
})

test('an entry that does not fit empties the table', () => {
  const long = `40 01 61 7f 81 1f ${'78'.repeat(127 + 3_969)}` // 4,096 + 1 + 32 bytes
  expect(decode('4001620131', long, 'be')).toEqual([
    { b: '1' },
    { a: 'x'.repeat(4_096) },
    undefined,
  ])
})

describe('no HPACK is', () => {
  test.each([
    ['the index 0', '80'],
    ['an index without an entry', 'be'],
    ['an index without an entry, for a name', '7f0001 61'],
    ['half an integer', 'ff'],
    ['an integer without end', 'ffffffffffffffff'],
    ['a name that is cut off', '00 03 61'],
    ['a field without a value', '00 01 61'],
    ['a value that is cut off', '00 01 61 02 62'],
    ['a table larger than agreed', '3fe21f'], // 4,097
    ['padding of eight bits', '00 01 61 82 1f ff'], // a, eleven ones
    ['padding with a zero', '00 01 61 81 1e'],
    ['the end-of-string code', '00 01 61 84 ffffffff'],
  ])('%s', (_sentence, block) => {
    expect(decode(block)).toEqual([undefined])
  })
})

test('a table as large as agreed is HPACK', () => {
  expect(decode('3fe11f 82')).toEqual([{ ':method': 'GET' }])
})

describe('what is encoded is decoded', () => {
  test.each([
    ['short', 'v'],
    ['empty', ''],
    ['126 bytes long', 'v'.repeat(126)],
    ['127 bytes long', 'v'.repeat(127)],
    ['128 bytes long', 'v'.repeat(128)],
    ['254 bytes long', 'v'.repeat(254)],
    ['255 bytes long', 'v'.repeat(255)],
    ['5,000 bytes long', 'v'.repeat(5_000)],
  ])('a value that is %s', (_sentence, value) => {
    const block = encodeField(':path', '/') + encodeField('x', value)
    expect(Object.fromEntries(fieldsDecoder()(block) ?? [])).toEqual({ ':path': '/', x: value })
  })
})
