// The commands that tests use beside ours: Debian has all of them.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cached } from '../../scripts/cache.ts'
import { type Debian, openDebian } from '../../scripts/debian/debian.ts'
import { CommandFailed, openRunner, type Runner } from '../../scripts/debian/runner.ts'
import { commandPath } from '../controlplane/command-path.ts'

/** Each is a package of the same name. */
const TOOLS = ['buildah', 'skopeo', 'shellcheck', 'zsh'] as const

/**
 * Installs the commands that are missing, for which it must be root. Returns why that is impossible, or
 * undefined when all are there.
 */
export async function provisionTools(): Promise<string | undefined> {
  const missing = TOOLS.filter((name) => commandPath(name) === undefined)
  if (missing.length === 0) return undefined
  const remedy = `Remedy: as root on Debian, apt-get install ${missing.join(' ')}`
  if (process.getuid?.() !== 0 || commandPath('apt-get') === undefined)
    return `there is no ${missing.join(', no ')}. ${remedy}`
  return await attempted(remedy, async (debian, runner) => {
    runner.step(`install ${missing.join(' ')}`)
    await debian.install(missing)
  })
}

/**
 * The path of promtool: $PROMTOOL, one in PATH, or the one of Debian's package, which is unpacked into our
 * cache and not installed, as it would start a service. Undefined where there is no Debian.
 */
export async function provisionPromtool(): Promise<string | undefined> {
  const found = process.env.PROMTOOL || commandPath('promtool')
  if (found || commandPath('apt-get') === undefined) return found
  let path: string | undefined
  const problem = await attempted('Remedy: set PROMTOOL to its path', async (debian, runner) => {
    path = await cached(`promtool-${process.arch}`, async (folder) => {
      runner.step('download promtool')
      await debian.unpack(['prometheus'], folder)
      return join(folder, 'usr/bin/promtool')
    })
  })
  if (problem !== undefined) console.error(`promtool: ${problem}`)
  return path
}

/** Runs `work` with Debian's packages; returns why it failed, and `remedy`. */
async function attempted(
  remedy: string,
  work: (debian: Debian, runner: Runner) => Promise<void>,
): Promise<string | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'tools-'))
  try {
    const runner = openRunner('tools', join(folder, 'log'), new AbortController().signal)
    await work(await openDebian(join(folder, 'apt'), runner), runner)
    return undefined
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    return `${error.message}. ${remedy}`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
