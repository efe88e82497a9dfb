// A pipe whose other end a test holds, for the standard error of a process.

import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type Pipe = Disposable & {
  /** For the operator. */
  readonly writer: number
  /** What is in the pipe at the moment; empties it. */
  readonly read: () => string
  /** Leaves no room in it. */
  readonly fill: () => void
}

/** A named pipe, because what Bun.spawn makes is read ahead by Bun. */
export function openPipe(): Pipe {
  const folder = mkdtempSync(join(tmpdir(), 'stalled-'))
  const path = join(folder, 'pipe')
  const made = Bun.spawnSync(['mkfifo', path])
  if (made.exitCode !== 0) throw new Error(`Cannot make a named pipe: ${made.stderr}`)
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const writer = openSync(path, constants.O_WRONLY)
  const filler = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
  const buffer = Buffer.alloc(64 * 1024)
  return {
    writer,
    read: () => {
      let text = ''
      untilItWouldWait(() => {
        const bytes = readSync(reader, buffer)
        text += buffer.toString('utf8', 0, bytes)
        return bytes
      })
      return text
    },
    fill: () => {
      // By pieces, then by single bytes: a piece that does not fit is not taken at all.
      for (const bytes of [4096, 1]) untilItWouldWait(() => writeSync(filler, ' '.repeat(bytes)))
    },
    [Symbol.dispose]: () => {
      closeSync(reader)
      closeSync(writer)
      closeSync(filler)
      rmSync(folder, { recursive: true })
    },
  }
}

function untilItWouldWait(step: () => number): void {
  try {
    while (step() > 0);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error
  }
}
