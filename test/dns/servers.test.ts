import { describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseServers, serversOf, systemServers } from '../../dns/servers.ts'

describe('parseServers()', () => {
  const rows: readonly [text: string, expected: readonly string[] | undefined][] = [
    ['10.96.0.10', ['10.96.0.10 53']],
    ['10.96.0.10:5300', ['10.96.0.10 5300']],
    ['fd00::a', ['fd00::a 53']],
    ['[fd00::a]', ['fd00::a 53']],
    ['[fd00::a]:5353', ['fd00::a 5353']],
    ['10.0.0.1, 10.0.0.2:54', ['10.0.0.1 53', '10.0.0.2 54']],
    ['', undefined],
    ['10.0.0.1,', undefined],
    ['ns.example.com', undefined],
    ['10.0.0.1:0', undefined],
    ['10.0.0.1:65536', undefined],
    ['10.0.0.1:dns', undefined],
    ['10.0.0.256', undefined],
    ['[10.0.0.1', undefined],
  ]
  for (const [text, expected] of rows) {
    test(`of "${text}" is ${expected?.join(', ') ?? 'refused'}`, () => {
      const servers = parseServers(text)?.map(({ host, port }) => `${host} ${port}`)
      expect(servers).toEqual(expected === undefined ? undefined : [...expected])
    })
  }
})

describe('serversOf()', () => {
  const rows: readonly [name: string, text: string, hosts: readonly string[]][] = [
    [
      'a pod',
      'search ns.svc.cluster.local svc.cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n',
      ['10.96.0.10'],
    ],
    ['both families', 'nameserver fd00::a\nnameserver\t10.0.0.1\n', ['fd00::a', '10.0.0.1']],
    ['comments', '# nameserver 1.1.1.1\n; nameserver 2.2.2.2\nnameserver 10.0.0.1', ['10.0.0.1']],
    [
      'more than three',
      [1, 2, 3, 4].map((n) => `nameserver 10.0.0.${n}`).join('\n'),
      ['10.0.0.1', '10.0.0.2', '10.0.0.3'],
    ],
    ['what is no address', 'nameserver ns.example.com\nnameserver 10.0.0.1', ['10.0.0.1']],
    ['none', 'search example.com\n', ['127.0.0.1']],
  ]
  for (const [name, text, hosts] of rows) {
    test(`of ${name}: ${hosts.join(', ')}`, () => {
      expect(serversOf(text).map(({ host }) => host)).toEqual([...hosts])
    })
  }
})

describe('systemServers()', () => {
  test('sees a change after ten seconds, and reads no sooner', () => {
    const folder = mkdtempSync(join(tmpdir(), 'resolv-'))
    const file = join(folder, 'resolv.conf')
    let nowMs = 0
    const servers = systemServers(file, () => nowMs)
    const hosts = () => servers().map(({ host }) => host)
    writeFileSync(file, 'nameserver 10.0.0.1\n')
    expect(hosts()).toEqual(['10.0.0.1'])
    writeFileSync(file, 'nameserver 10.0.0.2\n')
    nowMs = 9_999
    expect(hosts()).toEqual(['10.0.0.1'])
    nowMs = 10_000
    expect(hosts()).toEqual(['10.0.0.2'])
    rmSync(folder, { recursive: true })
    nowMs = 20_000
    expect(hosts()).toEqual(['127.0.0.1'])
  })
})
