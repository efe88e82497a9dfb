// Bun's own executable for a platform: what a compiled operator consists of, but for its last megabytes.

import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { devDependencies } from '../package.json'
import { cached } from './cache.ts'
import { PLATFORMS, type PlatformName } from './platforms.ts'
import { run } from './run.ts'

const ROOT = join(import.meta.dir, '..')

/**
 * The path of the pinned Bun for `platform`: from node_modules, else from npm by its usual client,
 * checked against bun.lock and kept in the cache.
 */
export async function runtimeFor(platform: PlatformName): Promise<string> {
  const { npmPackage } = PLATFORMS[platform]
  const installed = join(ROOT, 'node_modules', npmPackage, 'bin', 'bun')
  if (existsSync(installed)) return installed
  return await runtimeFromNpm(npmPackage)
}

/** As runtimeFor(), of a package like `@oven/bun-linux-x64-musl`. */
export async function runtimeFromNpm(npmPackage: string): Promise<string> {
  const version = devDependencies.bun
  return await cached(`${npmPackage.replace('@oven/', '')}-${version}`, async (folder) => {
    await run(['npm', 'pack', '--silent', `${npmPackage}@${version}`], { cwd: folder })
    const archive = join(folder, readdirSync(folder)[0] ?? 'nothing')
    await verify(archive, await integrityOf(npmPackage, version))
    await run(['tar', '-xzf', archive], { cwd: folder })
    return join(folder, 'package', 'bin', 'bun')
  })
}

/** What bun.lock says a package's archive must be, like `sha512-...`. */
async function integrityOf(npmPackage: string, version: string): Promise<string> {
  const lock = await Bun.file(join(ROOT, 'bun.lock')).text()
  const line = lock.split('\n').find((each) => each.includes(`["${npmPackage}@${version}"`))
  const integrity = /"(sha512-[^"]+)"\]/.exec(line ?? '')?.[1]
  if (integrity) return integrity
  throw new Error(`Cannot build with ${npmPackage}@${version} as bun.lock does not have it`)
}

async function verify(archive: string, integrity: string): Promise<void> {
  const hash = new Bun.CryptoHasher('sha512').update(await Bun.file(archive).bytes())
  const actual = `sha512-${hash.digest('base64')}`
  if (actual !== integrity)
    throw new Error(`Cannot use ${archive}: it is ${actual}, bun.lock says ${integrity}`)
}
