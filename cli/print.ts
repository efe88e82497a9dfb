// What commands say: results on standard output, for people and for pipes, and notes on standard error.

import { printable } from '../crds/printable.ts'

/** Characters of a note. */
const NOTE_MAX = 1_000

/** The reader of standard output has gone, as `head` does: no mistake of anybody's. */
export class ClosedPipe extends Error {
  override readonly name = 'ClosedPipe'
}

/**
 * Writes `text` to standard output; resolves when all of it is out, because an exit before that cuts it
 * off (Bun 1.4.5: after 64 KB, if the reader is slow). Throws ClosedPipe.
 */
export async function print(text: string): Promise<void> {
  // What goes wrong is told to the callback; without a listener Bun prints it as well.
  if (process.stdout.listenerCount('error') === 0) process.stdout.on('error', () => {})
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  process.stdout.write(text, (error) => (error ? reject(error) : resolve()))
  try {
    await promise
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EPIPE') {
      throw new ClosedPipe('standard output was closed', { cause })
    }
    throw cause
  }
}

/** Writes a line for people to standard error. */
export function note(text: string): void {
  process.stderr.write(`${printable(text, NOTE_MAX)}\n`)
}
