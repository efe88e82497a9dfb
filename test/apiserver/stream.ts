// One open watch on its way to the client: batches lines, notices a stalled reader, suffers faults.

import type { ServerResponse } from 'node:http'
import type { Afflictable, WatchFault } from './faults.ts'
import type { RequestInfo } from './request-info.ts'
import { expiredLine, type LineSink } from './watch.ts'

/** Bytes that may wait for a reader; past that it is cut off, as real servers cut slow watchers off. */
const QUEUED_BYTES_MAX = 16 * 1024 * 1024
/** An event waits so long for a neighbour to swap places with. */
const REORDER_WAIT_MS = 50

/** The lines of one watch. */
export class WatchStream implements LineSink, Afflictable {
  readonly info: RequestInfo
  readonly #response: ServerResponse
  readonly #faults = new Set<WatchFault>()
  #lines: string[] = []
  #queuedBytes = 0
  #flushing = false
  #ending = false
  #pieces: Uint8Array[] = []
  #held: string | undefined
  #bytesLeft = Infinity

  constructor(info: RequestInfo, response: ServerResponse) {
    this.info = info
    this.#response = response
  }

  push(line: string): void {
    if (this.#ending || this.#response.destroyed) return
    if (this.#has('duplicate')) this.#queue(line)
    if (!this.#has('reorder')) this.#queue(line)
    else if (this.#held !== undefined) {
      const first = this.#held
      this.#held = undefined
      this.#queue(line)
      this.#queue(first)
    } else {
      this.#held = line
      setTimeout(() => this.#release(), REORDER_WAIT_MS).unref()
    }
  }

  end(): void {
    this.#release()
    this.#ending = true
    this.#flushSoon()
  }

  /** Cuts the connection without a word. */
  cut(): void {
    this.#ending = true
    this.#response.socket?.destroy()
    this.#response.destroy()
  }

  afflict(fault: WatchFault): void {
    this.#faults.add(fault)
    if (fault.kind === 'expire') {
      this.push(expiredLine('The resourceVersion for the provided watch is too old.'))
      this.end()
    } else if (fault.kind === 'cutWatch') {
      if (fault.how === 'end') this.end()
      else if (fault.how === 'midLine') this.#cutMidLine()
      else this.#bytesLeft = fault.how.afterBytes
    }
  }

  relieve(fault: WatchFault): void {
    this.#faults.delete(fault)
    if (fault.kind === 'cutWatch') this.#bytesLeft = Infinity
    this.#flushSoon()
  }

  #queue(line: string): void {
    this.#lines.push(line)
    this.#queuedBytes += line.length
    if (this.#queuedBytes + this.#response.writableLength > QUEUED_BYTES_MAX) this.cut()
    else this.#flushSoon()
  }

  #release(): void {
    if (this.#held === undefined) return
    const line = this.#held
    this.#held = undefined
    this.#queue(line)
  }

  /** Once a turn of the loop, so that a burst of writes is one packet. */
  #flushSoon(): void {
    if (this.#flushing) return
    this.#flushing = true
    setImmediate(() => {
      this.#flushing = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#response.destroyed || this.#has('silenceWatch')) return
    const text = this.#lines.join('')
    this.#lines = []
    this.#queuedBytes = 0
    const chunking = [...this.#faults].find((fault) => fault.kind === 'chunking')
    if (chunking !== undefined || this.#pieces.length > 0) {
      this.#pieces.push(...split(Buffer.from(text), chunking?.bytes ?? Infinity))
      this.#writePiece()
    } else if (text !== '') this.#write(text)
    if (this.#ending && this.#pieces.length === 0) this.#response.end()
  }

  /** One piece a turn, so that the client really gets them apart. */
  #writePiece(): void {
    const piece = this.#pieces.shift()
    if (piece === undefined) return
    this.#write(piece)
    if (this.#pieces.length > 0 || this.#ending) this.#flushSoon()
  }

  #write(data: string | Uint8Array): void {
    if (this.#bytesLeft === Infinity) {
      this.#response.write(data)
      return
    }
    const bytes = Buffer.from(data)
    this.#response.write(bytes.subarray(0, this.#bytesLeft))
    this.#bytesLeft -= bytes.length
    // The bytes before the cut have to leave first.
    if (this.#bytesLeft <= 0) setImmediate(() => this.cut())
  }

  #cutMidLine(): void {
    this.#lines.push('{"type":"MODIFIED","object":{"kind":"')
    this.#flush()
    setImmediate(() => this.cut())
  }

  #has(kind: WatchFault['kind']): boolean {
    for (const fault of this.#faults) if (fault.kind === kind) return true
    return false
  }
}

function split(bytes: Uint8Array, size: number): readonly Uint8Array[] {
  const pieces: Uint8Array[] = []
  for (let start = 0; start < bytes.length; start += size) {
    pieces.push(bytes.subarray(start, Math.min(bytes.length, start + size)))
  }
  return pieces
}
