// The Huffman code of HPACK (RFC 7541), decoding only. Pure.

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
export function unhuffman(bytes: Uint8Array): string | undefined {
  let text = ''
  let code = 0
  let length = 0
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    code = code * 2 + (((bytes[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1)
    length += 1
    const row = CODES[length]
    if (row === undefined) return undefined
    const byte = row.bytes[code - row.first]
    if (byte === undefined) continue
    text += String.fromCharCode(byte)
    code = 0
    length = 0
  }
  return length <= 7 && code === 2 ** length - 1 ? text : undefined
}
