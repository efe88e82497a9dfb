// A folder as entries of an archive.

import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Entry } from './tar.ts'

/** All files below `folder`, below `prefix` in the archive, without their dates and modes. */
export function folderEntries(folder: string, prefix = ''): Entry[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name)
      const content = readFileSync(path)
      return { kind: 'file', path: join(prefix, relative(folder, path)), mode: 0o644, content }
    })
}
