// The files of an image as a folder.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../run.ts'
import { archives, type Parts } from './build.ts'

/** Writes the files of all layers below `folder`, owned by whoever calls. */
export async function unpack(parts: Parts, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const scratch = mkdtempSync(join(tmpdir(), 'layers-'))
  try {
    for (const { tar } of archives(parts)) {
      const archive = join(scratch, 'layer.tar')
      writeFileSync(archive, tar)
      await run(['tar', '--extract', '--no-same-owner', '--file', archive, '--directory', folder])
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}
