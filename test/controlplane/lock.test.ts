import { afterEach, beforeEach, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isAlive, withLock } from './lock.ts'

let folder: string
let path: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lock-'))
  path = join(folder, 'lock')
})

afterEach(() => rmSync(folder, { recursive: true }))

const unexpected = (holder: number) => {
  throw new Error(`Process ${holder} was not to be waited for`)
}

test('withLock() holds the lock while it works and frees it after a failure too', async () => {
  const { signal } = new AbortController()
  const work = withLock(path, { onWait: unexpected, signal }, async () => {
    expect(existsSync(path)).toBe(true)
    throw new Error('no luck')
  })
  await expect(work).rejects.toThrow('no luck')
  expect(existsSync(path)).toBe(false)
})

test('withLock() takes over the lock of a process that has died', async () => {
  const died = Bun.spawnSync(['true']).pid
  writeFileSync(path, String(died))
  const { signal } = new AbortController()
  expect(await withLock(path, { onWait: unexpected, signal }, async () => 'done')).toBe('done')
})

test('withLock() waits for a living holder and names it, until the signal aborts', async () => {
  const holder = Bun.spawn(['sleep', '60'])
  writeFileSync(path, String(holder.pid))
  const waiting = new AbortController()
  const told: number[] = []
  const onWait = (pid: number) => {
    told.push(pid)
    waiting.abort()
  }
  const work = withLock(path, { onWait, signal: waiting.signal }, async () => 'done')
  await expect(work).rejects.toThrow('abort')
  expect(told).toEqual([holder.pid])
  expect(existsSync(path)).toBe(true)
  holder.kill()
})

test('isAlive() tells a process that runs from one that has ended', () => {
  expect(isAlive(process.pid)).toBe(true)
  expect(isAlive(1)).toBe(true)
  expect(isAlive(Bun.spawnSync(['true']).pid)).toBe(false)
})
