// Bun carries the languages of the world (ICU, 12 MB that hardly compress); the operator speaks English.
// What it never reads is overwritten with zeros, which compress to nothing. Sizes and offsets stay.
// Source: ICU's udata.h (UDataInfo) and ucmndata.h (the table of contents of a package of the type CmnD).

export type Trim = {
  readonly version: string
  readonly entries: number
  readonly zeroedEntries: number
  readonly zeroedBytes: number
}

/** What ICU 70 to 90 may have; outside of it, somebody should look at what has changed. */
const ENTRIES = { min: 3_000, max: 6_000 }
/** Bytes. Less would not be worth it, more would be what is needed. */
const ZEROED = { min: 7_000_000, max: 10_500_000 }
/** Dates, time zones, domain names and comparing text need these. */
const NEEDED = [
  'coll/root.res',
  'coll/ucadata.icu',
  'en.res',
  'nfkc.nrm',
  'pool.res',
  'res_index.res',
  'root.res',
  'supplementalData.res',
  'timezoneTypes.res',
  'uts46.nrm',
  'zoneinfo64.res',
] as const

/** Folders with a file for each locale, and the files among them that every locale refers to. */
const LOCALISED = ['coll', 'curr', 'lang', 'rbnf', 'region', 'translit', 'unit', 'zone']
const SHARED = ['pool', 'res_index', 'root', 'supplementalData', 'tzdbNames']

type Item = { readonly name: string; readonly begin: number; readonly end: number }

/**
 * Overwrites what English does not need, in place. Throws, before it has changed anything, when the ICU
 * data is not as it is known here. In another language, what formats dates or sorts words falls back to
 * root rules, without an error.
 */
export function trimIcu(executable: Uint8Array): Trim {
  const bytes = Buffer.from(executable.buffer, executable.byteOffset, executable.byteLength)
  const { version, items } = readItems(bytes, findPackage(bytes))
  const names = new Set(items.map(({ name }) => name))
  const missing = NEEDED.filter((name) => !names.has(name))
  if (missing.length > 0) throw cannot(`it has no ${missing.join(', no ')}`)
  const unused = items.filter(({ name }) => isForeign(name))
  const zeroedBytes = unused.reduce((sum, { begin, end }) => sum + end - begin, 0)
  if (zeroedBytes < ZEROED.min || zeroedBytes > ZEROED.max)
    throw cannot(`${zeroedBytes} bytes would go, which is not ${ZEROED.min} to ${ZEROED.max}`)
  for (const { begin, end } of unused) bytes.fill(0, begin, end)
  return { version, entries: items.length, zeroedEntries: unused.length, zeroedBytes }
}

/** Whether an entry is for other languages than English: words of languages without spaces, locales. */
export function isForeign(name: string): boolean {
  if (/^brkitr\/\w+\.dict$/.test(name)) return true
  const [, folder, rest] = /^(?:([a-z]+)\/)?(.+)\.res$/.exec(name) ?? []
  if (rest === undefined) return false
  if (/^en(_|$)/.test(rest) || SHARED.includes(rest)) return false
  return folder === undefined ? /^[a-z]{2,3}(_\w+)?$/.test(rest) : LOCALISED.includes(folder)
}

/** Where the header of the only package is. */
function findPackage(bytes: Buffer): number {
  const found: number[] = []
  for (let at = bytes.indexOf('CmnD'); at >= 0; at = bytes.indexOf('CmnD', at + 1)) {
    // Two magic bytes, 20 bytes of information, little endian, ASCII.
    const isHeader =
      at >= 12 && bytes.readUInt16BE(at - 10) === 0xda27 && bytes.readUInt16LE(at - 4) === 0
    if (isHeader && bytes.readUInt16LE(at - 8) === 20) found.push(at - 12)
  }
  const [header] = found
  if (header !== undefined && found.length === 1) return header
  throw cannot(`there are ${found.length} packages of it, not 1`)
}

function readItems(bytes: Buffer, header: number): { version: string; items: Item[] } {
  const table = header + bytes.readUInt16LE(header)
  const count = bytes.readUInt32LE(table)
  if (count < ENTRIES.min || count > ENTRIES.max)
    throw cannot(`it has ${count} entries, which is not ${ENTRIES.min} to ${ENTRIES.max}`)
  const rows = Array.from({ length: count }, (_, index) => ({
    path: text(bytes, table + bytes.readUInt32LE(table + 4 + 8 * index)),
    begin: table + bytes.readUInt32LE(table + 8 + 8 * index),
  }))
  const version = /^(icudt\d+l)\//.exec(rows[0]?.path ?? '')?.[1] ?? ''
  const items = rows.map(({ path, begin }, index) => {
    // Nothing says where the last one ends: it counts as empty, so that nothing behind it is touched.
    const end = rows[index + 1]?.begin ?? begin
    if (!path.startsWith(`${version}/`) || end < begin || end > bytes.length)
      throw cannot(`entry ${index}, "${path}", is out of order`)
    return { name: path.slice(version.length + 1), begin, end }
  })
  return { version, items }
}

function text(bytes: Buffer, at: number): string {
  return bytes.toString('latin1', at, bytes.indexOf(0, at))
}

function cannot(why: string): Error {
  return new Error(`Cannot trim the ICU data as ${why}; build with --no-trim-icu`)
}
