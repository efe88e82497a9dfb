#!/usr/bin/env bun
// A real Helm, for tests of the chart: $HELM, one in PATH, or one that Go has built into our cache.
// `bun test/deploy/helm.ts` makes one where there is none (once, some 3 minutes) and prints its path.

import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { commandPath } from '../controlplane/command-path.ts'

/** Of the Helm that Go builds. */
const VERSION = 'v3.19.5'
const MODULE = `helm.sh/helm/v3/cmd/helm@${VERSION}`
const BUILD_MAX_MS = 9 * 60_000

export const NO_HELM = `there is no helm. Remedy: install one, set HELM to its path, or, where Go is in PATH, run \`bun test/deploy/helm.ts\``

/** The path of a Helm that is here already. Throws when $HELM is none. */
export function findHelm(): string | undefined {
  const given = process.env.HELM
  if (given && !existsSync(given)) throw new Error(`Cannot find $HELM "${given}"`)
  return given || commandPath('helm') || (existsSync(cached()) ? cached() : undefined)
}

/** As findHelm(), and has Go build one into the cache. Undefined where there is no Go, or its build failed. */
export async function provisionHelm(): Promise<string | undefined> {
  const found = findHelm()
  const go = commandPath('go')
  if (found !== undefined || go === undefined) return found
  console.error(`helm: built by Go into ${cached()}, once, some 3 minutes`)
  mkdirSync(join(cached(), '../..'), { recursive: true })
  const folder = mkdtempSync(join(cached(), '../../building-'))
  try {
    const child = Bun.spawn(['nice', '-n', '10', go, 'install', MODULE], {
      env: { ...process.env, GOBIN: folder, CGO_ENABLED: '0' },
      stdio: ['ignore', 'ignore', 'inherit'],
      timeout: BUILD_MAX_MS,
    })
    if ((await child.exited) !== 0) return undefined
    mkdirSync(join(cached(), '..'), { recursive: true })
    renameSync(join(folder, 'helm'), cached())
    return cached()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function cached(): string {
  const base = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
  return join(base, 'endpoints-operator', 'helm', `${VERSION}-${process.arch}`, 'helm')
}

if (import.meta.main) {
  const helm = await provisionHelm()
  if (helm === undefined) console.error(`helm: ${NO_HELM}`)
  else console.log(helm)
  process.exit(helm === undefined ? 1 : 0)
}
