import { describe, expect, test } from 'bun:test'
import {
  type Family,
  type FamilyWish,
  familiesDrift,
  familiesOf,
  isOtherPrimary,
  primaryFamily,
  type ServiceFamilies,
  wishedFamilies,
} from '../../crds/families.ts'

const service = (clusterIP: string, ipFamilyPolicy = '', ...ipFamilies: Family[]) => {
  return { clusterIP, ipFamilyPolicy, ipFamilies } satisfies ServiceFamilies
}
const hosts = (...all: string[]) => all.map((host) => ({ host }))
const single = service('10.96.0.1', 'SingleStack', 'IPv4')
const prefer = service('10.96.0.1', 'PreferDualStack', 'IPv4')
const dual = service('10.96.0.1', 'PreferDualStack', 'IPv4', 'IPv6')

test('familiesOf() puts the family in front that is named first', () => {
  expect(familiesOf(hosts())).toEqual([])
  expect(familiesOf(hosts('fd00::1', '10.0.0.1', 'fd00::2'))).toEqual(['IPv6', 'IPv4'])
})

describe('primaryFamily()', () => {
  const rows: readonly [name: string, live: ServiceFamilies | undefined, is: Family | undefined][] =
    [
      ['the first of the Service', service('fd00::1', '', 'IPv6', 'IPv4'), 'IPv6'],
      ['that of its clusterIP where families are not told', service('fd00::1'), 'IPv6'],
      ['that of the first host where a headless one does not tell', service('None'), 'IPv4'],
      ['that of the first host without a Service', undefined, 'IPv4'],
    ]
  for (const [name, live, is] of rows) {
    test(`is ${name}`, () => expect(primaryFamily(live, ['IPv4', 'IPv6'])).toBe(is))
  }
})

describe('wishedFamilies()', () => {
  const asked: FamilyWish = { ipFamilyPolicy: 'SingleStack' }
  const rows: readonly [
    name: string,
    wish: FamilyWish,
    hosts: Family[],
    live: ServiceFamilies | undefined,
    is: FamilyWish,
  ][] = [
    ['nothing of hosts of one family', {}, ['IPv6'], single, {}],
    ['both of hosts of both', {}, ['IPv4', 'IPv6'], single, { ipFamilyPolicy: 'PreferDualStack' }],
    [
      'both of a new Service',
      {},
      ['IPv6', 'IPv4'],
      undefined,
      { ipFamilyPolicy: 'PreferDualStack' },
    ],
    [
      'both as long as they were asked for',
      {},
      ['IPv4'],
      dual,
      { ipFamilyPolicy: 'PreferDualStack' },
    ],
    ['what the spec says, whatever its hosts', asked, ['IPv4', 'IPv6'], dual, asked],
    [
      'families of the spec beside that',
      { ipFamilies: ['IPv6'] },
      ['IPv4', 'IPv6'],
      undefined,
      { ipFamilies: ['IPv6'], ipFamilyPolicy: 'PreferDualStack' },
    ],
  ]
  for (const [name, wish, families, live, is] of rows) {
    test(`asks for ${name}`, () => expect(wishedFamilies(wish, families, live)).toEqual(is))
  }
})

describe('familiesDrift()', () => {
  const both: FamilyWish = { ipFamilyPolicy: 'PreferDualStack' }
  const rows: readonly [name: string, wish: FamilyWish, live: ServiceFamilies, drift: string[]][] =
    [
      ['nothing asked for', {}, dual, []],
      ['one family where both are wanted', both, single, ['ipFamilyPolicy']],
      ['a cluster that has one only', both, prefer, []],
      [
        'a cluster that drops the fields',
        { ...both, ipFamilies: ['IPv6'] },
        service('10.96.0.1'),
        [],
      ],
      ['a second family that was added', { ipFamilies: ['IPv4'] }, dual, []],
      ['a second family that is missing', { ipFamilies: ['IPv4', 'IPv6'] }, single, ['ipFamilies']],
      ['the other order', { ipFamilies: ['IPv6', 'IPv4'] }, dual, ['ipFamilies']],
    ]
  for (const [name, wish, live, drift] of rows) {
    test(`of ${name} is ${drift.join() || 'none'}`, () =>
      expect(familiesDrift(wish, live)).toEqual(drift))
  }
})

test('isOtherPrimary() is so only when both are known and differ', () => {
  expect(isOtherPrimary({}, dual)).toBe(false)
  expect(isOtherPrimary({ ipFamilies: ['IPv4'] }, dual)).toBe(false)
  expect(isOtherPrimary({ ipFamilies: ['IPv6'] }, service('10.96.0.1'))).toBe(false)
  expect(isOtherPrimary({ ipFamilies: ['IPv6', 'IPv4'] }, dual)).toBe(true)
})
