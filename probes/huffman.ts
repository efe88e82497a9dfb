// The Huffman code of HPACK (RFC 7541), decoding only. Pure.

import type { Octets } from './octets.ts'
import { Recent } from './recent.ts'

/**
 * Length in bits of each byte's Huffman code, in base 36. The codes follow from the lengths: within one
 * length they count up in the order of the bytes. Source: RFC 7541, appendix B.
 */
const CODE_LENGTHS =
  'dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6cad677777777777777777777' +
  '77878djde6f56565666577666567655677777fbedskmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmo' +
  'lmnnllmlnmnnkmmmnmmnqqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq'

/** The longest code. */
const CODE_BITS_MAX = 30

/** For each length in bits: the first code of that length, and the bytes that its codes stand for. */
const CODES: readonly { readonly first: number; readonly bytes: readonly number[] }[] = codes()

function codes(): { first: number; bytes: number[] }[] {
  const rows: { first: number; bytes: number[] }[] = []
  let next = 0
  for (let length = 0; length <= CODE_BITS_MAX; length += 1) {
    const digit = length.toString(36)
    const bytes = [...CODE_LENGTHS].flatMap((code, byte) => (code === digit ? [byte] : []))
    next *= 2
    rows.push({ first: next, bytes })
    next += bytes.length
  }
  return rows
}

/**
 * The text of Huffman-coded bytes, one character for each byte that they stand for; undefined when they
 * are none. What is left of the last byte is padding: fewer than eight bits, all ones (section 5.2).
 */
export function unhuffman(octets: Octets): string | undefined {
  const known = texts.get(octets)
  if (known !== undefined) return known
  const text = decoded(octets)
  if (text !== undefined) texts.keep(octets, text)
  return text
}

const texts = new Recent<string>()

function decoded(octets: Octets): string | undefined {
  const bytes: number[] = []
  let code = 0
  let length = 0
  for (let at = 0; at < octets.length; at += 1) {
    const bits = octets.charCodeAt(at)
    for (let shift = 7; shift >= 0; shift -= 1) {
      code = (code << 1) | ((bits >> shift) & 1)
      length += 1
      const row = CODES[length]
      if (row === undefined) return undefined
      const byte = row.bytes[code - row.first]
      if (byte === undefined) continue
      bytes.push(byte)
      code = 0
      length = 0
    }
  }
  const isPadding = length <= 7 && code === (1 << length) - 1
  return isPadding ? Buffer.from(bytes).toString('latin1') : undefined
}
