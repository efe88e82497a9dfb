// Where downloads stay between builds.

import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

/**
 * The path of `name` in the user's cache folder. If it is missing, `make` gets an empty folder to work
 * in and returns the path, in it, of what takes its place: nobody ever sees it half made.
 */
export async function cached(
  name: string,
  make: (folder: string) => Promise<string>,
): Promise<string> {
  const root = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'endpoints-operator')
  const path = join(root, 'build', name)
  if (await Bun.file(path).exists()) return path
  mkdirSync(dirname(path), { recursive: true })
  const folder = mkdtempSync(join(root, 'build', 'work-'))
  try {
    renameSync(await make(folder), path)
    return path
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
