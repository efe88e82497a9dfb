// The commands of packaging that tests use beside ours: Debian has all of them.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDebian } from '../../scripts/debian/debian.ts'
import { CommandFailed, openRunner } from '../../scripts/debian/runner.ts'
import { commandPath } from '../controlplane/command-path.ts'

/** Each is a package of the same name. */
const TOOLS = ['buildah', 'skopeo', 'shellcheck'] as const

/**
 * Installs the commands that are missing, for which it must be root. Returns why that is impossible, or
 * undefined when all are there.
 */
export async function provisionTools(): Promise<string | undefined> {
  const missing = TOOLS.filter((name) => commandPath(name) === undefined)
  if (missing.length === 0) return undefined
  const names = missing.join(' ')
  if (process.getuid?.() !== 0 || commandPath('apt-get') === undefined)
    return `there is no ${missing.join(', no ')}. Remedy: as root on Debian, apt-get install ${names}`
  const folder = mkdtempSync(join(tmpdir(), 'tools-'))
  try {
    const runner = openRunner('tools', join(folder, 'log'), new AbortController().signal)
    const debian = await openDebian(join(folder, 'apt'), runner)
    runner.step(`install ${names}`)
    await debian.install(missing)
    return undefined
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    return `${error.message}. Remedy: apt-get install ${names}`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
