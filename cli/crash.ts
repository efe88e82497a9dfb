// A bug ends the process at once: with its stack on standard error and code 1.
//
// Bun 1.4.5 does so by itself, but waits for as long as its print takes: behind a reader that has stalled
// that is for ever, in a process that neither probes nor ends. And while a top-level await is pending it
// prints and goes on.

import { writeSync } from 'node:fs'

const STANDARD_ERROR = 2
/** Milliseconds that a reader which is slow is waited for, and between two tries. */
const PATIENCE_MS = 1_000
const PAUSE_MS = 20

/** From now on what nobody caught ends the process. */
export function endOnBugs(): void {
  process.on('uncaughtException', end)
  process.on('unhandledRejection', end)
}

function end(bug: unknown): never {
  try {
    print(`${Bun.inspect(bug)}\n`)
  } finally {
    process.exit(1)
  }
}

/** Past the log and its queue, which needs an event loop to empty. */
function print(text: string): void {
  let rest = Buffer.from(text)
  for (let waitedMs = 0; rest.length > 0 && waitedMs < PATIENCE_MS; ) {
    try {
      rest = rest.subarray(writeSync(STANDARD_ERROR, rest))
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error
      Bun.sleepSync(PAUSE_MS)
      waitedMs += PAUSE_MS
    }
  }
}
