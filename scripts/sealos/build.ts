// The cluster image, by buildah: neither a daemon nor sealos is needed.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CLUSTER_IMAGE, TAG } from '../../deploy/names.ts'
import { folderEntries } from '../folder.ts'
import type { Arch } from '../platforms.ts'
import { run } from '../run.ts'
import { sourceDate } from '../source-date.ts'
import { tar } from '../tar.ts'

export type ClusterOptions = {
  /** The build context. */
  readonly folder: string
  readonly arch: Arch
  /** Where the image goes, as an OCI archive. */
  readonly archive: string
}

/** The file name of the cluster image for `arch`. */
export function clusterArchive(arch: Arch): string {
  return `${CLUSTER_IMAGE.name}-${TAG}-sealos-${arch}.oci.tar`
}

/** Builds the Kubefile in `folder`. Throws with what buildah said. */
export async function buildCluster({ folder, arch, archive }: ClusterOptions): Promise<void> {
  const store = mkdtempSync(join(tmpdir(), 'sealos-'))
  const image = `${CLUSTER_IMAGE.repository}/${CLUSTER_IMAGE.name}:${TAG}-${arch}`
  const buildah = (...args: string[]) => {
    const places = ['--root', join(store, 'root'), '--runroot', join(store, 'run')]
    return run(['buildah', ...places, '--storage-driver', 'vfs', ...args], {
      env: { BUILDAH_ISOLATION: 'chroot', TMPDIR: store },
    })
  }
  try {
    const options = ['--layers=false', '--timestamp', String(await sourceDate())]
    const platform = ['--platform', `linux/${arch}`]
    await buildah(
      'build',
      ...options,
      ...platform,
      '-f',
      join(folder, 'Kubefile'),
      '-t',
      image,
      folder,
    )
    const layout = join(store, 'layout')
    await buildah('push', '--format', 'oci', image, `oci:${layout}:${image}`)
    // Not by buildah, whose archives hold the time of day.
    writeFileSync(archive, tar(folderEntries(layout), await sourceDate()))
  } finally {
    rmSync(store, { recursive: true, force: true })
  }
}
