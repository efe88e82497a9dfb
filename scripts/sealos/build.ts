// The cluster image, by buildah: neither a daemon nor sealos is needed.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CLUSTER_IMAGE, TAG } from '../../deploy/names.ts'
import type { Arch } from '../platforms.ts'
import { run } from '../run.ts'
import { sourceDate } from '../source-date.ts'

export type ClusterOptions = {
  /** The build context. */
  readonly folder: string
  readonly arch: Arch
  /** Where the image goes, as an OCI archive. */
  readonly archive: string
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
    rmSync(archive, { force: true })
    await buildah('push', '--format', 'oci', image, `oci-archive:${archive}:${image}`)
  } finally {
    rmSync(store, { recursive: true, force: true })
  }
}
