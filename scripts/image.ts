// Builds the container image, without a daemon and without root, and tells its sizes.
// `bun run image [--arch amd64,arm64] [--compression zstd,gzip] [--no-trim-icu] [--pinned]`
// `bun run image --rootfs FOLDER --arch amd64` writes its files there instead (Dockerfile).

import { chosen, runScript } from './command.ts'
import { buildImages, buildParts } from './image/build.ts'
import { COMPRESSIONS } from './image/compress.ts'
import { unpack } from './image/unpack.ts'
import { ARCHS } from './platforms.ts'

await runScript({
  name: 'image',
  purpose: 'Builds the container image into dist/image/.',
  flags: [
    { name: 'arch', value: 'LIST', fallback: ARCHS.join(','), help: 'architectures' },
    { name: 'compression', value: 'LIST', fallback: COMPRESSIONS.join(','), help: 'variants' },
    {
      name: 'trim-icu',
      fallback: '',
      help: 'on unless ICU_TRIM=0; --no-trim-icu keeps all languages',
    },
    {
      name: 'pinned',
      fallback: '',
      help: 'fail where Debian has another glibc than the usual one',
    },
    {
      name: 'rootfs',
      value: 'FOLDER',
      fallback: '',
      help: 'write the files of the image there instead',
    },
  ],
  work: async (flags) => {
    const options = {
      archs: chosen(flags, 'arch', ARCHS),
      compressions: chosen(flags, 'compression', COMPRESSIONS),
      trimsIcu: flags.has('trim-icu') ? flags.isOn('trim-icu') : process.env.ICU_TRIM !== '0',
      isPinned: flags.isOn('pinned'),
    }
    if (!flags.has('rootfs')) await buildImages(options)
    else for (const parts of await buildParts(options)) await unpack(parts, flags.get('rootfs'))
  },
})
