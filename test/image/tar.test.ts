import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../../scripts/run.ts'
import { type Entry, tar } from '../../scripts/tar.ts'

const ENTRIES: readonly Entry[] = [
  { kind: 'file', path: 'usr/bin/run', mode: 0o755, content: Buffer.from('#!') },
  { kind: 'link', path: 'lib64/ld.so', target: '../lib/ld.so' },
  { kind: 'folder', path: 'proc', mode: 0o555 },
  { kind: 'file', path: 'etc/passwd', mode: 0o644, content: Buffer.alloc(512, 'x') },
]

test('tar() writes what the tar of the system reads: owner, mode, links and folders', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tar-'))
  try {
    const path = join(folder, 'a.tar')
    await Bun.write(path, tar(ENTRIES, 86_400))
    const list = await run(['tar', '--numeric-owner', '-tvf', path], { env: { TZ: 'UTC' } })
    expect(
      list
        .trimEnd()
        .split('\n')
        .map((line) => line.replace(/\s+/g, ' ')),
    ).toEqual([
      'drwxr-xr-x 0/0 0 1970-01-02 00:00 etc/',
      '-rw-r--r-- 0/0 512 1970-01-02 00:00 etc/passwd',
      'drwxr-xr-x 0/0 0 1970-01-02 00:00 lib64/',
      'lrwxrwxrwx 0/0 0 1970-01-02 00:00 lib64/ld.so -> ../lib/ld.so',
      'dr-xr-xr-x 0/0 0 1970-01-02 00:00 proc/',
      'drwxr-xr-x 0/0 0 1970-01-02 00:00 usr/',
      'drwxr-xr-x 0/0 0 1970-01-02 00:00 usr/bin/',
      '-rwxr-xr-x 0/0 2 1970-01-02 00:00 usr/bin/run',
    ])
    await run(['tar', '-xf', path, '--no-same-owner', '-C', folder, 'etc'])
    expect(await Bun.file(join(folder, 'etc/passwd')).text()).toBe('x'.repeat(512))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('tar() gives the same bytes for the same entries in any order', () => {
  expect(tar(ENTRIES.toReversed(), 0)).toEqual(tar(ENTRIES, 0))
})

test('tar() refuses a path that its format cannot hold', () => {
  const path = 'a'.repeat(101)
  const entries: Entry[] = [{ kind: 'file', path, mode: 0o644, content: Buffer.from('') }]
  expect(() => tar(entries, 0)).toThrow('as its path is longer than 100 bytes')
})
