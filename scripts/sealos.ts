// Builds the cluster image for `sealos run` into dist/sealos/: a build context and, with buildah, an OCI
// layout for each architecture. Needs the container image (`bun run image`).
// `bun run sealos [--arch amd64,arm64] [--compression zstd] [--no-build]`

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { CLUSTER_IMAGE, TAG } from '../deploy/names.ts'
import { chosen, runScript } from './command.ts'
import { layoutFolder } from './image/build.ts'
import { COMPRESSIONS } from './image/compress.ts'
import { ARCHS } from './platforms.ts'
import { buildCluster, clusterArchive } from './sealos/build.ts'
import { writeContext } from './sealos/context.ts'

await runScript({
  name: 'sealos',
  purpose: 'Builds the cluster image for `sealos run` into dist/sealos/.',
  flags: [
    { name: 'arch', value: 'LIST', fallback: ARCHS.join(','), help: 'architectures' },
    {
      name: 'compression',
      value: 'NAME',
      fallback: 'zstd',
      help: 'of the container image in it; gzip for nodes with Docker before 23.0',
    },
    {
      name: 'build',
      fallback: '',
      help: 'on by default; --no-build makes the build contexts alone, without buildah',
    },
  ],
  work: async (flags) => {
    const dist = join(import.meta.dir, '..', 'dist', 'sealos')
    mkdirSync(dist, { recursive: true })
    const [compression = 'zstd'] = chosen(flags, 'compression', COMPRESSIONS)
    for (const arch of chosen(flags, 'arch', ARCHS)) {
      const folder = join(dist, arch)
      writeContext({ arch, layout: layoutFolder(compression), folder })
      console.log(`sealos: build context for ${arch}: ${folder}`)
      if (flags.has('build') && !flags.isOn('build')) continue
      const archive = join(dist, clusterArchive(arch))
      await buildCluster({ folder, arch, archive })
      console.log(
        `sealos: ${CLUSTER_IMAGE.repository}/${CLUSTER_IMAGE.name}:${TAG}-${arch} in ${archive}`,
      )
    }
  },
})
