// The languages that leave the binary, and that nothing else does.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isForeign, trimIcu } from '../../scripts/image/icu.ts'
import { PLATFORMS } from '../../scripts/platforms.ts'
import { run } from '../../scripts/run.ts'
import { runtimeFor } from '../../scripts/runtime.ts'

describe('isForeign()', () => {
  const rows = [
    ['brkitr/cjdict.dict', true],
    ['brkitr/word.brk', false],
    ['coll/zh.res', true],
    ['coll/en_US.res', false],
    ['coll/root.res', false],
    ['coll/ucadata.icu', false],
    ['curr/de_AT.res', true],
    ['curr/supplementalData.res', false],
    ['de.res', true],
    ['en.res', false],
    ['en_001.res', false],
    ['enx.res', true],
    ['pool.res', false],
    ['res_index.res', false],
    ['root.res', false],
    ['sr_Latn_ME.res', true],
    ['zone/pool.res', false],
    ['zone/tzdbNames.res', false],
    ['zoneinfo64.res', false],
    ['uts46.nrm', false],
  ] as const
  test.each(rows)('of %s is %p', (name, expected) => {
    expect(isForeign(name)).toBe(expected)
  })
})

describe('trimIcu()', () => {
  test('takes 8 to 10 MB out of Bun, and leaves its size and everything outside of ICU as it was', async () => {
    const before = await hostRuntime()
    const after = Buffer.from(before)
    const { zeroedBytes, zeroedEntries, entries, version } = trimIcu(after)
    expect(zeroedBytes).toBeWithin(8_000_000, 10_000_000)
    expect(zeroedEntries).toBeLessThan(entries)
    expect(version).toMatch(/^icudt\d+l$/)
    expect(after.length).toBe(before.length)
    const begin = before.indexOf('icudt')
    expect(after.subarray(0, begin).equals(before.subarray(0, begin))).toBe(true)
    const end = before.lastIndexOf(`${version}/`) + 16_000_000
    expect(after.subarray(end).equals(before.subarray(end))).toBe(true)
  })

  test('refuses a binary that was trimmed in another way, and changes nothing in it', () => {
    const nothing = Buffer.from('\u007fELF and no languages')
    expect(() => trimIcu(nothing)).toThrow(
      'Cannot trim the ICU data as there are 0 packages of it, not 1; build with --no-trim-icu',
    )
  })

  const damages = [
    {
      name: 'two packages',
      damage: (bytes: Buffer) => Buffer.concat([bytes, headerOf(bytes)]),
      message: 'there are 2 packages of it, not 1',
    },
    {
      name: 'a number of entries that no known version has',
      damage: (bytes: Buffer) => patched(bytes, 0, 20_000),
      message: 'it has 20000 entries, which is not 3000 to 6000',
    },
    {
      name: 'entries that overlap',
      damage: (bytes: Buffer) => patched(bytes, 8 + 8 * 100, 0x7fffffff),
      message: 'is out of order',
    },
  ] as const
  test.each(damages)('refuses $name, before it has changed anything', async (row) => {
    const broken = row.damage(Buffer.from(await hostRuntime()))
    const before = Bun.hash(broken)
    expect(() => trimIcu(broken)).toThrow(row.message)
    expect(Bun.hash(broken)).toBe(before)
  })
})

describe('a trimmed Bun', () => {
  let folder: string
  let bun: string
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'icu-'))
    bun = join(folder, 'bun')
    const content = await hostRuntime()
    trimIcu(content)
    writeFileSync(bun, content, { mode: 0o755 })
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const rows = [
    {
      name: 'writes dates in English, in any time zone',
      code: `new Intl.DateTimeFormat('en-US', { timeZone: 'Asia/Shanghai', dateStyle: 'full', timeStyle: 'long' }).format(0)`,
      expected: 'Thursday, January 1, 1970 at 8:00:00 AM GMT+8',
    },
    {
      name: 'writes numbers',
      code: `new Intl.NumberFormat('en-US', { style: 'currency', currency: 'EUR' }).format(1234.5)`,
      expected: '\u20ac1,234.50',
    },
    {
      name: 'compares words',
      code: `['b', '\u00e4', 'a', 'B'].sort((x, y) => x.localeCompare(y)).join(' ')`,
      expected: 'a \u00e4 b B',
    },
    {
      name: 'reads domain names of other languages',
      code: `new URL('http://b\u00fccher.example').host`,
      expected: 'xn--bcher-kva.example',
    },
    {
      name: 'falls back without an error where its language is gone',
      code: `new Intl.DateTimeFormat('de-DE', { timeZone: 'UTC', dateStyle: 'short' }).format(0).length > 5`,
      expected: 'true',
    },
  ] as const
  test.each(rows)('$name', async ({ code, expected }) => {
    for (const LC_ALL of ['C', 'de_DE.UTF-8', 'zh_CN.UTF-8']) {
      const printed = await run([bun, '-e', `console.log(String(${code}))`], { env: { LC_ALL } })
      expect(printed.trimEnd()).toBe(expected)
    }
  })
})

async function hostRuntime(): Promise<Buffer> {
  const here = `bun-${process.platform}-${process.arch}`
  for (const name of ['linux-amd64', 'linux-arm64', 'darwin-amd64', 'darwin-arm64'] as const) {
    if (PLATFORMS[name].target === here) return readFileSync(await runtimeFor(name))
  }
  throw new Error(`Cannot test on ${here}`)
}

function headerAt(bytes: Buffer): number {
  return bytes.indexOf('CmnD\u0001') - 12
}

function headerOf(bytes: Buffer): Buffer {
  const begin = headerAt(bytes)
  return bytes.subarray(begin, begin + 144)
}

/** With another number at `offset` in the table of contents. */
function patched(bytes: Buffer, offset: number, value: number): Buffer {
  const header = headerAt(bytes)
  bytes.writeUInt32LE(value, header + bytes.readUInt16LE(header) + offset)
  return bytes
}
