// Reads the head of an HTTP/1.x answer as it arrives, and then notices when the body is over. Pure.

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

const STATUS_LINE = /^HTTP\/\d\.\d +(\d{3})(?: |$)/
const HEADER_LINE = /^[^\s:][^:]*:/ // Go is no stricter about names that it receives
const PREFIX = 'HTTP/'
const CHUNKED_END = '0\r\n\r\n'

/** A reader for one answer: give it each chunk once, in order. Holds at most a head and 5 bytes more. */
export function responseReader(): (chunk: Uint8Array) => Reading {
  let text = ''
  let headBytes = 0
  let head: ResponseHead | undefined
  let bodyOver: ((bytes: Uint8Array) => boolean) | undefined

  return (chunk) => {
    if (head !== undefined && bodyOver !== undefined)
      return { state: bodyOver(chunk) ? 'end' : 'body', head }
    const taken = chunk.subarray(0, HEAD_BYTES_MAX - headBytes)
    const before = text.length
    text += Buffer.from(taken.buffer, taken.byteOffset, taken.length).toString('latin1')
    headBytes += taken.length
    let searched = Math.max(0, before - 3)
    for (;;) {
      if (!PREFIX.startsWith(text.slice(0, PREFIX.length)) && !text.startsWith(PREFIX))
        return BROKEN
      const end = headEnd(text, searched)
      if (end === undefined) return headBytes === HEAD_BYTES_MAX ? TOO_LARGE : READING
      const parsed = parseHead(text.slice(0, end))
      if (parsed === undefined) return BROKEN
      text = text.slice(end)
      searched = 0
      if (isInterim(parsed.head.status)) continue
      head = parsed.head
      bodyOver = bodyEnd(head.status, parsed.fields)
      const body = chunk.subarray(taken.length - text.length)
      text = ''
      return { state: bodyOver(body) ? 'end' : 'body', head }
    }
  }
}

const READING: Reading = { state: 'head' }
const BROKEN: Reading = { state: 'broken', reason: 'malformed HTTP response' }
const TOO_LARGE: Reading = { state: 'broken', reason: 'response header too large' }

/** 100 Continue, 102, 103: another head follows. 101 is final: nobody asked to switch protocols. */
function isInterim(status: number): boolean {
  return status >= 100 && status < 200 && status !== 101
}

/** The index behind the empty line that ends a head; bare line feeds are taken, as Go takes them. */
function headEnd(text: string, from: number): number | undefined {
  const blank = /\n\r?\n/g
  blank.lastIndex = from
  return blank.test(text) ? blank.lastIndex : undefined
}

type Fields = { readonly length: number | undefined; readonly chunked: boolean }

/** The first header of each name counts. */
function parseHead(text: string): { head: ResponseHead; fields: Fields } | undefined {
  const [statusLine = '', ...lines] = text.trimEnd().split(/\r?\n/)
  const status = STATUS_LINE.exec(statusLine)?.[1]
  if (status === undefined) return undefined
  let location: string | undefined
  let length: string | undefined
  let coding: string | undefined
  for (const [index, line] of lines.entries()) {
    if (!HEADER_LINE.test(line)) {
      if (index > 0 && /^[ \t]/.test(line)) continue
      return undefined
    }
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).trimEnd().toLowerCase()
    if (name === 'location') location ??= line.slice(colon + 1).trim()
    else if (name === 'content-length') length ??= line.slice(colon + 1).trim()
    else if (name === 'transfer-encoding') coding ??= line.slice(colon + 1).trim()
  }
  const bytes = Number(length ?? Number.NaN)
  return {
    head: { status: Number(status), location: location ? utf8(location) : undefined },
    fields: {
      length: Number.isSafeInteger(bytes) ? bytes : undefined,
      chunked: /chunked/i.test(coding ?? ''),
    },
  }
}

function utf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8')
}

/** A function that takes the body's bytes and says when there is no more to read, or no more wanted. */
function bodyEnd(status: number, fields: Fields): (bytes: Uint8Array) => boolean {
  const length = status === 204 || status === 304 ? 0 : (fields.length ?? Number.POSITIVE_INFINITY)
  let seen = 0
  let tail = ''
  return (bytes) => {
    seen += bytes.length
    if (fields.chunked) {
      const last = bytes.subarray(-CHUNKED_END.length)
      tail = (tail + String.fromCharCode(...last)).slice(-CHUNKED_END.length)
      if (tail === CHUNKED_END) return true
    }
    return seen >= (fields.chunked ? BODY_BYTES_MAX : Math.min(length, BODY_BYTES_MAX))
  }
}
