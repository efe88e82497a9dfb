// Reads the head of an HTTP/1.x answer as it arrives, and then notices when the body is over. Pure.

import type { Octets } from './octets.ts'

/** What of an answer decides: the status, and where a redirect leads. */
export type ResponseHead = {
  readonly status: number
  /** First Location header; undefined when absent or empty. */
  readonly location: string | undefined
}

/** What the bytes so far say. `head` stays the same object once known. */
export type Reading =
  | { readonly state: 'head' }
  | { readonly state: 'body'; readonly head: ResponseHead }
  | { readonly state: 'end'; readonly head: ResponseHead }
  | { readonly state: 'broken'; readonly reason: string }

/** Bytes of all heads of one answer (interim ones too) after which it is refused. nginx sends at most 8k. */
const HEAD_BYTES_MAX = 64 * 1024

/** Bytes of a body that are read before the connection is dropped. Source: Kubernetes pkg/probe/http. */
export const BODY_BYTES_MAX = 10 * 1024

/** A whole head, its status and its header lines. Go is no stricter about names that it receives. */
const HEAD =
  /^HTTP\/\d\.\d +(\d{3})(?: [^\n]*)?\r?\n((?:[^\s:][^:\n]*:[^\n]*\n(?:[ \t][^\n]*\n)*)*)\r?\n$/
/** The first header line of each name; `^` with the flag m would also take a lone carriage return. */
const LOCATION = /(?:^|\n)location[^\S\n]*:([^\n]*)/i
const CONTENT_LENGTH = /(?:^|\n)content-length[^\S\n]*:([^\n]*)/i
const TRANSFER_ENCODING = /(?:^|\n)transfer-encoding[^\S\n]*:([^\n]*)/i
const PREFIX = 'HTTP/'
const CHUNKED_END = '0\r\n\r\n'

const READING: Reading = { state: 'head' }
const BROKEN: Reading = { state: 'broken', reason: 'malformed HTTP response' }
const TOO_LARGE: Reading = { state: 'broken', reason: 'response header too large' }

/** Reads one answer: give it each part once, in order. Holds at most a head and 5 bytes more. */
export class ResponseReader {
  #text: Octets = ''
  #headBytes = 0
  #head: ResponseHead | undefined
  /** Bytes of the body that are still waited for. */
  #bodyLeft = 0
  #isChunked = false
  /** The last bytes of a body in chunks. */
  #tail: Octets = ''

  read(part: Octets): Reading {
    if (this.#head) return this.#readBody(part, 0, this.#head)
    const taken = Math.min(part.length, HEAD_BYTES_MAX - this.#headBytes)
    // The end of a head can lie across parts.
    let searched = Math.max(0, this.#text.length - 3)
    this.#text += part.slice(0, taken)
    this.#headBytes += taken
    for (;;) {
      const text = this.#text
      const end = headEnd(text, searched)
      if (end < 0) {
        if (!text.startsWith(PREFIX) && !PREFIX.startsWith(text)) return BROKEN
        return this.#headBytes === HEAD_BYTES_MAX ? TOO_LARGE : READING
      }
      const head = this.#parse(text.slice(0, end))
      if (!head) return BROKEN
      this.#text = text.slice(end)
      searched = 0
      if (isInterim(head.status)) continue
      const body = taken - this.#text.length
      this.#text = ''
      this.#head = head
      return this.#readBody(part, body, head)
    }
  }

  #parse(text: Octets): ResponseHead | undefined {
    const match = HEAD.exec(text)
    if (!match) return undefined
    const status = match[1] ?? ''
    const fields = match[2] ?? ''
    const location = LOCATION.exec(fields)?.[1]?.trim()
    const coding = TRANSFER_ENCODING.exec(fields)?.[1]
    const length = CONTENT_LENGTH.exec(fields)?.[1]
    this.#isChunked = coding !== undefined && /chunked/i.test(coding)
    this.#bodyLeft = this.#isChunked ? BODY_BYTES_MAX : bodyBytes(status, length)
    return { status: Number(status), location: location ? utf8(location) : undefined }
  }

  /** Says when there is no more to read of a body, or no more wanted. */
  #readBody(part: Octets, from: number, head: ResponseHead): Reading {
    this.#bodyLeft -= part.length - from
    if (this.#isChunked) {
      const last = part.slice(Math.max(from, part.length - CHUNKED_END.length))
      this.#tail = (this.#tail + last).slice(-CHUNKED_END.length)
    }
    const isOver = this.#bodyLeft <= 0 || this.#tail === CHUNKED_END
    return { state: isOver ? 'end' : 'body', head }
  }
}

/** 100 Continue, 102, 103: another head follows. 101 is final: nobody asked to switch protocols. */
function isInterim(status: number): boolean {
  return status >= 100 && status < 200 && status !== 101
}

/** The index behind the empty line that ends a head, or -1; bare line feeds are taken, as Go takes them. */
function headEnd(text: string, from: number): number {
  const blank = /\n\r?\n/g
  blank.lastIndex = from
  return blank.test(text) ? blank.lastIndex : -1
}

/** How much of a body that is not in chunks is read. */
function bodyBytes(status: string, length: string | undefined): number {
  if (status === '204' || status === '304') return 0
  const bytes = length === undefined ? Number.NaN : Number(length) // which trims
  return Number.isSafeInteger(bytes) ? Math.min(bytes, BODY_BYTES_MAX) : BODY_BYTES_MAX
}

function utf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8')
}
