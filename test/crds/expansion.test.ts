// What a plan comes to when its names are resolved, and what a restart believes of them.

import { describe, expect, test } from 'bun:test'
import { readEndpoints } from '../../crds/endpoints.ts'
import { believedAddresses, expand, type Resolution, withinFamilies } from '../../crds/expansion.ts'
import { type HostRow, readStatus } from '../../crds/status.ts'
import { only, planFor, strict } from './fixtures.ts'

const A = '10.0.0.1'
const B = '10.0.0.2'
const DB = 'db.example.com'
const DR = 'dr.example.com'
const at = (n: number) => `10.1.${n >> 8}.${n & 255}`

function planWith(hosts: readonly string[], more: Readonly<Record<string, unknown>> = {}) {
  return planFor({ ports: [{ name: 'sql', port: 5432, hosts, tcpSocket: {}, ...more }] })
}

/** Names that lead to addresses; a text says why one does not. */
function expanded(
  hosts: readonly string[],
  names: Readonly<Record<string, readonly string[] | string>>,
) {
  const resolve = (name: string): Resolution => {
    const known = names[name] ?? []
    if (typeof known === 'string') return { addresses: [], absence: known }
    return { addresses: known, absence: '' }
  }
  const expansion = expand(planWith(hosts), resolve, strict)
  const targets = expansion.targets.map(({ host, name }) => (name ? `${host} ${name}` : host))
  return { ...expansion, targets }
}

describe('expand()', () => {
  type Row = readonly [
    what: string,
    hosts: readonly string[],
    names: Readonly<Record<string, readonly string[]>>,
    targets: readonly string[],
  ]
  const rows: readonly Row[] = [
    [
      'a name: each of its addresses, in order',
      [DB],
      { [DB]: [B, A] },
      [`${A} ${DB}`, `${B} ${DB}`],
    ],
    ['both families', [DB], { [DB]: ['fd00::1', A] }, [`${A} ${DB}`, `fd00::1 ${DB}`]],
    ['addresses beside names', [B, DB], { [DB]: [A] }, [B, `${A} ${DB}`]],
    ['an address that a name leads to as well: once', [A, DB], { [DB]: [A] }, [A]],
    ['that too where the name comes first', [DB, A], { [DB]: [A] }, [A]],
    [
      'two names that meet: the first',
      [DB, DR],
      { [DB]: [A], [DR]: [A, B] },
      [`${A} ${DB}`, `${B} ${DR}`],
    ],
    ['a name that is not heard of yet: nothing', [A, DB], {}, [A]],
  ]
  for (const [what, hosts, names, targets] of rows) {
    test(`makes targets of ${what}`, () => {
      const found = expanded(hosts, names)
      expect(found.targets).toEqual([...targets])
      expect(found.refused).toEqual([])
      expect(found.unresolved).toEqual([])
    })
  }

  test('gives an address the same identity with and without a name: its health goes on', () => {
    const [byName] = expand(planWith([DB]), () => ({ addresses: [A], absence: '' }), strict).targets
    expect(byName?.key).toBe(only(planWith([A]).targets).key)
  })

  const mixed = { addresses: ['fd00::1', A], absence: '' }
  for (const [what, families, addresses, absence] of [
    ['no family is known', [], ['fd00::1', A], ''],
    ['the Service has both', ['IPv4', 'IPv6'], ['fd00::1', A], ''],
    ['the Service has IPv4', ['IPv4'], [A], ''],
    ['the Service has IPv6', ['IPv6'], ['fd00::1'], ''],
  ] as const) {
    test(`withinFamilies() keeps ${addresses.length} of two addresses of a name when ${what}`, () => {
      expect(withinFamilies(mixed, families)).toEqual({ addresses: [...addresses], absence })
    })
  }

  test('withinFamilies() says why a name has no address of the Service', () => {
    const six = { addresses: ['fd00::1'], absence: '' }
    expect(withinFamilies(six, ['IPv4']).absence).toBe('dns no IPv4 address')
    const none = { addresses: [], absence: 'dns NXDOMAIN' }
    expect(withinFamilies(none, ['IPv4'])).toEqual(none)
  })

  test('tells of addresses that Endpoints refuse, and takes the others', () => {
    const { targets, refused } = expanded([A, DB], { [DB]: ['127.0.0.1', B, 'fe80::1'] })
    expect(targets).toEqual([A, `${B} ${DB}`])
    expect(refused.map(({ host, message }) => [host, message])).toEqual([
      [
        '127.0.0.1',
        `spec.ports[0].hosts[1]: ${DB}: Cannot use host "127.0.0.1" as it must not be a loopback address`,
      ],
      [
        'fe80::1',
        `spec.ports[0].hosts[1]: ${DB}: Cannot use host "fe80::1" as it must not be a link-local address`,
      ],
    ])
  })

  test('tells of a name without an address, and why', () => {
    const { unresolved } = expanded([DB, A], { [DB]: 'dns NXDOMAIN' })
    expect(unresolved).toMatchObject([{ name: DB, targetPort: 5432, reason: 'dns NXDOMAIN' }])
  })

  test('takes the first 64 addresses of a name, the same ones whatever their order, and counts the rest', () => {
    const all = Array.from({ length: 66 }, (_, n) => at(n))
    for (const order of [all, all.toReversed()]) {
      const { targets, leftOut } = expanded([DB], { [DB]: order })
      expect(targets).toEqual(
        all
          .toSorted()
          .slice(0, 64)
          .map((host) => `${host} ${DB}`),
      )
      expect([...leftOut]).toEqual([[DB, 2]])
    }
    expect(expanded([DB], { [DB]: all.slice(0, 64) }).leftOut.size).toBe(0)
  })

  test('makes no more targets than a resource may have hosts', () => {
    const names = Array.from({ length: 400 }, (_, n) => `n${n}.test`)
    const resolve = (name: string) => {
      const from = names.indexOf(name) * 64
      return { addresses: Array.from({ length: 64 }, (_, n) => at(from + n)), absence: '' }
    }
    const { targets, leftOut } = expand(planWith(names), resolve, strict)
    expect(targets).toHaveLength(20_000)
    expect(leftOut.size).toBe(400 - Math.floor(20_000 / 64))
  })
})

describe('believedAddresses()', () => {
  const row = (host: string, more: Partial<HostRow> = {}): HostRow => ({
    ...{
      port: 'sql',
      host,
      name: DB,
      targetPort: 5432,
      healthy: true,
      since: '2026-11-22T12:00:00Z',
    },
    ...more,
  })
  const status = (rows: readonly HostRow[], hostsOmitted?: number) =>
    readStatus({ phase: 'Healthy', hosts: rows, ...(hostsOmitted ? { hostsOmitted } : {}) })
  const live = (...ips: readonly string[]) =>
    readEndpoints({
      metadata: { name: 'db', namespace: 'ns', uid: 'e', resourceVersion: '1' },
      subsets: [
        {
          addresses: ips.map((ip) => ({ ip })),
          ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }],
        },
      ],
    })
  const found = (...args: Parameters<typeof believedAddresses>) =>
    Object.fromEntries(believedAddresses(...args))

  test('are those that the status names', () => {
    const rows = [row(B), row(A, { healthy: false }), row('10.0.0.9', { name: DR })]
    expect(found(planWith([DB]), status(rows), live(A, B))).toEqual({ [DB]: [B, A] })
  })

  test('are none of another port, none that is a name, none without a status', () => {
    const rows = [row(A, { port: 'web' }), { ...row(DB), host: DB }]
    expect(found(planWith([DB]), status(rows), live(A))).toEqual({ [DB]: [] })
    expect(found(planWith([DB]), undefined, live(A))).toEqual({})
  })

  test('are all that is published on the port of the name, where the status had no room', () => {
    const rows = [row(A)]
    expect(found(planWith([DB, B]), status(rows, 2), live(A, B, '10.0.0.3'))).toEqual({
      [DB]: [A, '10.0.0.3'],
    })
    expect(found(planWith([DB, B]), status(rows), live(A, B, '10.0.0.3'))).toEqual({ [DB]: [A] })
  })
})
