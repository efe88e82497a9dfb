// What answers make of what is remembered, row by row: a story is a list of answers in their order.

import { describe, expect, test } from 'bun:test'
import type { Answer } from '../../dns/lookup.ts'
import { answered, NOTHING, remember } from '../../dns/memory.ts'
import { addresses, failing, families, nothing, told } from './answers.ts'

const A = '10.0.0.1'
const B = '10.0.0.2'
const V6 = 'fd00::1'
const failed = (reason: string) => ({ ok: false, reason }) as const

/** What is remembered after a story: addresses that count, then trouble, then absence. */
function outcome(believed: readonly string[], story: readonly Answer[]) {
  const memory = story.reduce(answered, believed.length > 0 ? remember(believed) : NOTHING)
  const counting = [...memory.addresses.keys()].sort().join(' ')
  return [counting, memory.trouble, memory.absence]
}

describe('answered() after', () => {
  type Row = readonly [
    name: string,
    story: readonly Answer[],
    counting: string,
    trouble?: string,
    absence?: string,
  ]
  const rows: readonly Row[] = [
    ['a first answer', [addresses(A, B)], `${A} ${B}`],
    ['both families', [addresses(A, V6)], `${A} ${V6}`],
    ['a new address', [addresses(A), addresses(A, B)], `${A} ${B}`],
    ['an address missing once', [addresses(A, B), addresses(A)], `${A} ${B}`],
    ['an address missing twice', [addresses(A, B), addresses(A), addresses(A)], A],
    [
      'an address missing every other time',
      [addresses(A, B), addresses(A), addresses(A, B), addresses(A)],
      `${A} ${B}`,
    ],
    ['an address replaced, once', [addresses(A), addresses(B)], `${A} ${B}`],
    ['an address replaced, twice', [addresses(A), addresses(B), addresses(B)], B],
    [
      'a failure between two that miss it',
      [addresses(A, B), addresses(A), failing(), addresses(A)],
      A,
    ],
    ['one failure', [addresses(A), failing()], A],
    ['two failures', [addresses(A), failing(), failing()], A, 'dns timeout'],
    ['many failures', [addresses(A), ...new Array(50).fill(failing())], A, 'dns timeout'],
    [
      'failures of several kinds: the first reason stands',
      [addresses(A), failing('SERVFAIL'), failing('timeout'), failing('REFUSED')],
      A,
      'dns timeout',
    ],
    ['failures and then an answer', [addresses(A), failing(), failing(), addresses(A)], A],
    ['NXDOMAIN once', [addresses(A), nothing()], A],
    ['NXDOMAIN twice', [addresses(A), nothing(), nothing()], '', '', 'dns NXDOMAIN'],
    [
      'no address twice',
      [addresses(A), nothing('no address'), nothing('no address')],
      '',
      '',
      'dns no address',
    ],
    ['NXDOMAIN and a failure', [addresses(A), nothing(), failing()], A],
    ['NXDOMAIN at first', [nothing()], '', '', 'dns NXDOMAIN'],
    ['a failure at first', [failing('SERVFAIL')], '', 'dns SERVFAIL', 'dns SERVFAIL'],
    [
      'another failure then: the first reason stands',
      [failing('SERVFAIL'), failing()],
      '',
      'dns SERVFAIL',
      'dns SERVFAIL',
    ],
    [
      'a failure after NXDOMAIN: what was told stands',
      [nothing(), failing()],
      '',
      '',
      'dns NXDOMAIN',
    ],
    ['a failure of the family without addresses', [families(told([A]), failed('SERVFAIL'))], A],
    ['that failure for ever', new Array(9).fill(families(told([A]), failed('SERVFAIL'))), A],
    [
      'a failure of one family of two: nothing of it is taken away',
      [
        addresses(A, V6),
        families(told([B]), failed('timeout')),
        families(told([B]), failed('timeout')),
      ],
      `${B} ${V6}`,
      'dns timeout',
    ],
    [
      'no such name for one family',
      [families(told([A]), { ok: true, addresses: [], absence: 'NXDOMAIN' })],
      A,
    ],
  ]
  for (const [name, story, counting, trouble = '', absence = ''] of rows) {
    test(`${name}: ${[counting, trouble, absence].filter((text) => text !== '').join(', ')}`, () => {
      expect(outcome([], story)).toEqual([counting, trouble, absence])
    })
  }
})

describe('answered() of what is only believed', () => {
  test('keeps it while no name server tells, and says so at once', () => {
    expect(outcome([A, B], [failing('SERVFAIL')])).toEqual([`${A} ${B}`, 'dns SERVFAIL', ''])
  })

  test('takes away only what two answers miss', () => {
    expect(outcome([A, B], [addresses(A)])).toEqual([`${A} ${B}`, '', ''])
    expect(outcome([A, B], [addresses(A), addresses(A)])).toEqual([A, '', ''])
  })
})

test('answered() returns the same memory when nothing moved', () => {
  const once = answered(NOTHING, addresses(A, V6))
  expect(answered(once, addresses(V6, A))).toBe(once)
  const silent = [failing(), failing(), failing()].reduce(answered, once)
  expect(answered(silent, failing('SERVFAIL'))).toBe(silent)
})
