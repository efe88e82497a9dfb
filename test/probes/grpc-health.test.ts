// The two messages of the health service, byte by byte.

import { describe, expect, test } from 'bun:test'
import { checkRequest, codeName, servingStatus } from '../../probes/grpc-health.ts'

const octets = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex').toString('latin1')

test.each<[sentence: string, service: string, hex: string]>([
  ['no service', '', '00 00000000'],
  ['a name', 'db', '00 00000004 0a 02 6462'],
  ['a name that is not ASCII', 'ü', '00 00000004 0a 02 c3bc'],
  ['a name of 127 bytes', 'x'.repeat(127), `00 00000081 0a 7f ${'78'.repeat(127)}`],
  ['a name of 128 bytes', 'x'.repeat(128), `00 00000083 0a 8001 ${'78'.repeat(128)}`],
  ['a name of 300 bytes', 'x'.repeat(300), `00 0000012f 0a ac02 ${'78'.repeat(300)}`],
])('a request carries %s', (_sentence, service, hex) => {
  expect(checkRequest(service)).toBe(octets(hex))
})

describe('a response', () => {
  test.each<[sentence: string, hex: string, status: ReturnType<typeof servingStatus>]>([
    ['that is empty is UNKNOWN', '00 00000000', 'UNKNOWN'],
    ['of 0 is UNKNOWN', '00 00000002 08 00', 'UNKNOWN'],
    ['of 1 is SERVING', '00 00000002 08 01', 'SERVING'],
    ['of 2 is NOT_SERVING', '00 00000002 08 02', 'NOT_SERVING'],
    ['of 3 is SERVICE_UNKNOWN', '00 00000002 08 03', 'SERVICE_UNKNOWN'],
    ['of 4 is UNKNOWN', '00 00000002 08 04', 'UNKNOWN'],
    ['of a huge number is UNKNOWN', '00 0000000b 08 ffffffffffffffffff01', 'UNKNOWN'],
    ['of 1 in two bytes is SERVING', '00 00000003 08 8100', 'SERVING'],
    ['that says it twice means the last', '00 00000004 08 02 08 01', 'SERVING'],
    ['with a string that is new is read', '00 00000007 12 03 616263 08 01', 'SERVING'],
    ['with a fixed32 that is new is read', '00 00000007 1d 00000001 08 01', 'SERVING'],
    ['with a fixed64 that is new is read', '00 0000000b 19 0000000000000001 08 01', 'SERVING'],
    ['with a varint that is new is read', '00 00000004 10 02 08 01', 'SERVING'],
    ['that is no bytes is none', '', undefined],
    ['without its length is none', '00 0000', undefined],
    ['that is shorter than it says is none', '00 00000003 08 01', undefined],
    ['that is longer than it says is none', '00 00000001 08 01', undefined],
    ['that is two is none', '00 00000002 08 01 00 00000002 08 01', undefined],
    ['that is compressed is none', '01 00000002 08 01', undefined],
    ['that ends in a tag is none', '00 00000001 08', undefined],
    ['that ends in a number is none', '00 00000002 08 81', undefined],
    ['with a string that is too long is none', '00 00000003 12 03 61', undefined],
    [
      'with a string that is far too long is none',
      '00 0000000b 12 ffffffffffffffffff01',
      undefined,
    ],
    ['with a number of eleven bytes is none', '00 0000000c 08 8080808080808080808001', undefined],
    ['with a group is none', '00 00000002 0b 0c', undefined],
  ])('%s', (_sentence, hex, status) => {
    expect(servingStatus(octets(hex))).toBe(status)
  })
})

test.each([
  ['0', 'OK'],
  ['2', 'UNKNOWN'],
  ['12', 'UNIMPLEMENTED'],
  ['16', 'UNAUTHENTICATED'],
  ['17', 'UNKNOWN'],
  ['-1', 'UNKNOWN'],
  ['', 'UNKNOWN'],
  ['x', 'UNKNOWN'],
  ['1e0', 'UNKNOWN'],
])('the status %p is called %s', (number, name) => {
  expect(codeName(number)).toBe(name)
})
