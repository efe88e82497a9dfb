// The build context of the cluster image for one architecture.

import { chmodSync, cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CONTROLLER_IMAGE } from '../../deploy/names.ts'
import { readImage } from '../image/layout.ts'
import type { Arch } from '../platforms.ts'
import { writeRegistry } from './registry.ts'

const DEPLOY = join(import.meta.dir, '..', '..', 'deploy')

export type ContextOptions = {
  readonly arch: Arch
  /** An OCI layout with the image for `arch`. */
  readonly layout: string
  /** Made anew. */
  readonly folder: string
}

/** Writes what `sealos build` or `buildah build` needs into `folder`. Throws when a part is missing. */
export function writeContext({ arch, layout, folder }: ContextOptions): void {
  const image = readImage(layout, arch)
  rmSync(folder, { recursive: true, force: true })
  const copies = [
    ['sealos/Kubefile', 'Kubefile'],
    ['sealos/entrypoint.sh', 'entrypoint.sh'],
    ['charts/endpoints-operator', 'charts/endpoints-operator'],
    ['install.yaml', 'manifests/install.yaml'],
  ] as const
  for (const [from, to] of copies) {
    if (!existsSync(join(DEPLOY, from))) throw new Error(`There is no deploy/${from}`)
    cpSync(join(DEPLOY, from), join(folder, to), { recursive: true })
  }
  chmodSync(join(folder, 'entrypoint.sh'), 0o755)
  const repository = `${CONTROLLER_IMAGE.repository}/${CONTROLLER_IMAGE.name}`
  // The chart and the manifest name this tag, whichever compression is in it.
  const { tag } = CONTROLLER_IMAGE
  writeRegistry({ layout, image, repository, tag, folder: join(folder, 'registry') })
  mkdirSync(join(folder, 'images', 'shim'), { recursive: true })
  writeFileSync(join(folder, 'images', 'shim', 'endpoints-operator'), `${repository}:${tag}\n`)
}
