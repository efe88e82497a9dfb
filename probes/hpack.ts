// HPACK (RFC 7541): reads the header blocks of an HTTP/2 peer, writes our own. Pure.

import { unhuffman } from './huffman.ts'

/** Fields by name; of a name that is repeated, the last value. A list would let a few bytes expand. */
export type Fields = ReadonlyMap<string, string>

/** Bytes of the table that a peer may refer back to; the default, which we do not change. */
const TABLE_BYTES_MAX = 4_096
/** What an entry weighs beyond its name and value. */
const ENTRY_BYTES = 32

/** A block of literals, none indexed and none Huffman-coded: needs no state on either side. */
export function encodeFields(fields: Readonly<Record<string, string>>): Uint8Array {
  return Buffer.concat(
    Object.entries(fields).flatMap(([name, value]) => [
      Uint8Array.of(0),
      ...literal(name),
      ...literal(value),
    ]),
  )
}

/**
 * Reads the blocks of one connection, in their order; later ones may refer to earlier ones. Undefined
 * when a block is not HPACK: then the connection is of no more use.
 */
export function fieldsDecoder(): (block: Uint8Array) => Fields | undefined {
  const table = dynamicTable()
  return (block) => {
    try {
      return decode(new Cursor(block), table)
    } catch (error) {
      if (error instanceof Malformed) return undefined
      throw error
    }
  }
}

class Malformed extends Error {}

type Entry = readonly [name: string, value: string]
type Table = {
  at(index: number): Entry
  add(entry: Entry): void
  resize(bytesMax: number): void
}

/** RFC 7541, section 6: what the first bits of each field say. */
function decode(cursor: Cursor, table: Table): Fields {
  const fields = new Map<string, string>()
  while (!cursor.isAtEnd) {
    const first = cursor.peek()
    if (first >= 0x80) fields.set(...table.at(cursor.integer(7)))
    else if (first >= 0x40) {
      const entry = readLiteral(cursor, table, 6)
      table.add(entry)
      fields.set(...entry)
    } else if (first >= 0x20) table.resize(cursor.integer(5))
    else fields.set(...readLiteral(cursor, table, 4))
  }
  return fields
}

function readLiteral(cursor: Cursor, table: Table, prefixBits: number): Entry {
  const index = cursor.integer(prefixBits)
  const name = index === 0 ? cursor.text() : table.at(index)[0]
  return [name, cursor.text()]
}

/** The static entries, then what the peer added, newest first. Source: RFC 7541, section 2.3. */
function dynamicTable(): Table {
  const entries: Entry[] = []
  let bytes = 0
  let bytesMax = TABLE_BYTES_MAX
  const evict = () => {
    while (bytes > bytesMax) {
      const [name, value] = entries.pop() ?? ['', '']
      bytes -= name.length + value.length + ENTRY_BYTES
    }
  }
  return {
    at(index) {
      const entry = STATIC_TABLE[index - 1] ?? entries[index - 1 - STATIC_TABLE.length]
      if (entry === undefined) throw new Malformed()
      return entry
    },
    add([name, value]) {
      entries.unshift([name, value])
      bytes += name.length + value.length + ENTRY_BYTES
      evict()
    },
    resize(size) {
      if (size > TABLE_BYTES_MAX) throw new Malformed()
      bytesMax = size
      evict()
    },
  }
}

class Cursor {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  peek(): number {
    const byte = this.#bytes[this.#at]
    if (byte === undefined) throw new Malformed()
    return byte
  }

  /** Section 5.1. Five bytes at most: nothing here is larger than a frame. */
  integer(prefixBits: number): number {
    const prefix = 2 ** prefixBits - 1
    let value = this.#byte() & prefix
    if (value < prefix) return value
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#byte()
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw new Malformed()
  }

  /** Section 5.2: a length, then bytes, Huffman-coded or not. */
  text(): string {
    const isHuffman = this.peek() >= 0x80
    const length = this.integer(7)
    const bytes = this.#bytes.subarray(this.#at, this.#at + length)
    if (bytes.length < length) throw new Malformed()
    this.#at += length
    const text = isHuffman ? unhuffman(bytes) : String.fromCharCode(...bytes)
    if (text === undefined) throw new Malformed()
    return text
  }

  #byte(): number {
    const byte = this.peek()
    this.#at += 1
    return byte
  }
}

function literal(text: string): [Uint8Array, Uint8Array] {
  const bytes = Buffer.from(text, 'utf8')
  const length: number[] = []
  let rest = bytes.length - 127
  if (rest < 0) return [Uint8Array.of(bytes.length), bytes]
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) length.push((rest & 0x7f) | 0x80)
  return [Uint8Array.of(127, ...length, rest), bytes]
}

/** `name=value;` in their order, which is their number. Source: RFC 7541, appendix A. */
const STATIC_TABLE: readonly Entry[] = (
  ':authority;:method=GET;:method=POST;:path=/;:path=/index.html;:scheme=http;:scheme=https;' +
  ':status=200;:status=204;:status=206;:status=304;:status=400;:status=404;:status=500;' +
  'accept-charset;accept-encoding=gzip, deflate;accept-language;accept-ranges;accept;' +
  'access-control-allow-origin;age;allow;authorization;cache-control;content-disposition;' +
  'content-encoding;content-language;content-length;content-location;content-range;content-type;' +
  'cookie;date;etag;expect;expires;from;host;if-match;if-modified-since;if-none-match;if-range;' +
  'if-unmodified-since;last-modified;link;location;max-forwards;proxy-authenticate;' +
  'proxy-authorization;range;referer;refresh;retry-after;server;set-cookie;' +
  'strict-transport-security;transfer-encoding;user-agent;vary;via;www-authenticate'
)
  .split(';')
  .map((entry): Entry => {
    const [name = '', value = ''] = entry.split('=')
    return [name, value]
  })
