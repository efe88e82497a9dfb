// HPACK (RFC 7541): reads the header blocks of an HTTP/2 peer, writes our own. Pure.

import { unhuffman } from './huffman.ts'
import type { Octets } from './octets.ts'

/** Fields by name; of a name that is repeated, the last value. A list would let a few bytes expand. */
export type Fields = ReadonlyMap<string, string>

/** Bytes of the table that a peer may refer back to; the default, which we do not change. */
const TABLE_BYTES_MAX = 4_096
/** What an entry weighs beyond its name and value. */
const ENTRY_BYTES = 32

/** A field as literals, not indexed and not Huffman-coded: needs no state on either side. */
export function encodeField(name: Octets, value: Octets): Octets {
  return `\0${literal(name)}${literal(value)}`
}

/**
 * Reads the blocks of one connection, in their order; later ones may refer to earlier ones. Undefined
 * when a block is not HPACK: then the connection is of no more use.
 */
export function fieldsDecoder(): (block: Octets) => Fields | undefined {
  const table = new Table()
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

type Entry = { readonly name: string; readonly value: string }

/** RFC 7541, section 6: what the first bits of each field say. */
function decode(cursor: Cursor, table: Table): Fields {
  const fields = new Map<string, string>()
  while (!cursor.isAtEnd) {
    const first = cursor.peek()
    if (first >= 0x20 && first < 0x40) {
      table.resize(cursor.integer(5))
      continue
    }
    const { name, value } =
      first >= 0x80 ? table.at(cursor.integer(7)) : readLiteral(cursor, table, first >= 0x40)
    fields.set(name, value)
  }
  return fields
}

function readLiteral(cursor: Cursor, table: Table, isIndexed: boolean): Entry {
  const index = cursor.integer(isIndexed ? 6 : 4)
  const name = index === 0 ? cursor.text() : table.at(index).name
  const entry = { name, value: cursor.text() }
  if (isIndexed) table.add(entry)
  return entry
}

/** The static entries, then what the peer added, newest first. Source: RFC 7541, section 2.3. */
class Table {
  readonly #entries: Entry[] = []
  #bytes = 0
  #bytesMax = TABLE_BYTES_MAX

  at(index: number): Entry {
    const entry = STATIC_TABLE[index - 1] ?? this.#entries[index - 1 - STATIC_TABLE.length]
    if (entry === undefined) throw new Malformed()
    return entry
  }

  add(entry: Entry): void {
    this.#entries.unshift(entry)
    this.#bytes += weight(entry)
    this.#evict()
  }

  resize(bytesMax: number): void {
    if (bytesMax > TABLE_BYTES_MAX) throw new Malformed()
    this.#bytesMax = bytesMax
    this.#evict()
  }

  #evict(): void {
    while (this.#bytes > this.#bytesMax) {
      const oldest = this.#entries.pop()
      if (oldest !== undefined) this.#bytes -= weight(oldest)
    }
  }
}

function weight({ name, value }: Entry): number {
  return name.length + value.length + ENTRY_BYTES
}

class Cursor {
  readonly #block: Octets
  #at = 0

  constructor(block: Octets) {
    this.#block = block
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#block.length
  }

  peek(): number {
    if (this.#at >= this.#block.length) throw new Malformed()
    return this.#block.charCodeAt(this.#at)
  }

  /** Section 5.1. Five bytes at most: nothing here is larger than a frame. */
  integer(prefixBits: number): number {
    const prefix = (1 << prefixBits) - 1
    let value = this.#byte() & prefix
    if (value < prefix) return value
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#byte()
      value += (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    throw new Malformed()
  }

  /** Section 5.2: a length, then bytes, Huffman-coded or not. */
  text(): string {
    const isHuffman = this.peek() >= 0x80
    const length = this.integer(7)
    const octets = this.#block.slice(this.#at, this.#at + length)
    if (octets.length < length) throw new Malformed()
    this.#at += length
    const text = isHuffman ? unhuffman(octets) : octets
    if (text === undefined) throw new Malformed()
    return text
  }

  #byte(): number {
    const byte = this.peek()
    this.#at += 1
    return byte
  }
}

function literal(octets: Octets): Octets {
  let rest = octets.length - 127
  if (rest < 0) return String.fromCharCode(octets.length) + octets
  let length = '\x7f'
  for (; rest >= 0x80; rest >>= 7) length += String.fromCharCode((rest & 0x7f) | 0x80)
  return length + String.fromCharCode(rest) + octets
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
    return { name, value }
  })
