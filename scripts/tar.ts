// Archives whose bytes depend on their entries alone, whoever writes them and when.

/** Owned by root. Paths are relative, without `./`; a folder's ends in no `/`. */
export type Entry = { readonly path: string } & (
  | { readonly kind: 'file'; readonly mode: number; readonly content: Uint8Array }
  | { readonly kind: 'link'; readonly target: string }
  | { readonly kind: 'folder'; readonly mode: number }
)

const BLOCK = 512
/** Source: pax(1), the ustar format. */
const TYPES = { file: '0', link: '2', folder: '5' } as const
const NAME_MAX = 100

/**
 * A ustar archive of `entries`, sorted by path, with the folders that they are in. `seconds` is when all
 * of them were changed, since 1970. Throws on a path or a link of more than 100 bytes.
 */
export function tar(entries: readonly Entry[], seconds: number): Uint8Array<ArrayBuffer> {
  const blocks = withFolders(entries).flatMap((entry) => {
    const content = entry.kind === 'file' ? entry.content : new Uint8Array()
    const padding = new Uint8Array((BLOCK - (content.byteLength % BLOCK)) % BLOCK)
    return [header(entry, content.byteLength, seconds), content, padding]
  })
  return new Uint8Array(Bun.concatArrayBuffers([...blocks, new Uint8Array(2 * BLOCK)]))
}

function withFolders(entries: readonly Entry[]): Entry[] {
  const all = new Map<string, Entry>()
  for (const { path } of entries) {
    const parts = path.split('/')
    for (let depth = 1; depth < parts.length; depth++) {
      const parent = parts.slice(0, depth).join('/')
      all.set(parent, { kind: 'folder', path: parent, mode: 0o755 })
    }
  }
  for (const entry of entries) all.set(entry.path, entry)
  return [...all.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
}

function header(entry: Entry, bytes: number, seconds: number): Uint8Array {
  const block = Buffer.alloc(BLOCK)
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, '0')
  block.write(short(entry.kind === 'folder' ? `${entry.path}/` : entry.path), 0)
  block.write(octal(entry.kind === 'link' ? 0o777 : entry.mode, 7), 100)
  block.write(octal(0, 7), 108)
  block.write(octal(0, 7), 116)
  block.write(octal(bytes, 11), 124)
  block.write(octal(seconds, 11), 136)
  block.write(' '.repeat(8), 148)
  block.write(TYPES[entry.kind], 156)
  if (entry.kind === 'link') block.write(short(entry.target), 157)
  block.write('ustar\u000000', 257)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${octal(sum, 6)}\u0000 `, 148)
  return block
}

function short(name: string): string {
  if (Buffer.byteLength(name) <= NAME_MAX) return name
  throw new Error(`Cannot archive "${name}" as its path is longer than ${NAME_MAX} bytes`)
}
