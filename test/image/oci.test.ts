// The layout of an image, of parts small enough for each test run.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as v from 'valibot'
import { COMPRESSIONS, type Compression } from '../../scripts/image/compress.ts'
import { blobPath, readImage } from '../../scripts/image/layout.ts'
import { ARCHS } from '../../scripts/platforms.ts'
import { run } from '../../scripts/run.ts'
import { describeWith } from '../scripts/describe-with.ts'
import { smallLayout } from './small-layout.ts'

let scratch: string
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'oci-'))
})
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

test('writeLayout() gives the same bytes whenever it is called', () => {
  const [one, two] = [layout('zstd'), layout('zstd')]
  expect(two.digest).toBe(one.digest)
  expect(readdirSync(two.folder, { recursive: true }).sort()).toEqual(
    readdirSync(one.folder, { recursive: true }).sort(),
  )
})

test('readImage() reads what writeLayout() wrote, for each architecture', () => {
  const { folder } = layout('gzip')
  for (const arch of ARCHS) {
    const { layers, config } = readImage(folder, arch)
    expect(layers.map(({ mediaType }) => mediaType)).toEqual([
      'application/vnd.oci.image.layer.v1.tar+gzip',
    ])
    expect(readFileSync(blobPath(folder, config.digest), 'utf8')).toContain(
      `"architecture":"${arch}"`,
    )
  }
})

test('readImage() says how to make an image that is missing', () => {
  expect(() => readImage(join(scratch, 'none'), 'amd64')).toThrow('run `bun run image`')
})

describeWith(['skopeo'], 'skopeo', () => {
  test.each([...COMPRESSIONS])(
    'copies the layout with %s, all architectures of it',
    async (each) => {
      const { folder, digest } = layout(each)
      const copy = join(scratch, `copy-${each}`)
      await run(['skopeo', 'copy', '--all', `oci:${folder}:test`, `oci:${copy}:test`])
      const inspected = await run(['skopeo', 'inspect', `oci:${copy}:test`])
      expect(JSON.parse(inspected)).toMatchObject({ Os: 'linux', Digest: digest })
    },
  )
})

describeWith(['buildah'], 'the last stage of the Dockerfile', () => {
  test('makes an image that is configured as ours', async () => {
    const { folder } = layout('zstd')
    const { config } = readImage(folder, 'amd64')
    const ours = settings(readFileSync(blobPath(folder, config.digest), 'utf8'))

    const dockerfile = readFileSync(join(import.meta.dir, '../../Dockerfile'), 'utf8')
    const files = join(scratch, 'files')
    mkdirSync(join(files, 'rootfs'), { recursive: true })
    writeFileSync(join(files, 'rootfs', 'endpoints-operator'), 'small')
    writeFileSync(join(files, 'Dockerfile'), dockerfile.slice(dockerfile.lastIndexOf('\nFROM ')))
    const store = ['--root', join(scratch, 'store'), '--runroot', join(scratch, 'run')]
    const buildah = (args: readonly string[]) =>
      run(['buildah', ...store, '--storage-driver', 'vfs', ...args], {
        env: { BUILDAH_ISOLATION: 'chroot' },
      })
    await buildah([
      'build',
      '--layers=false',
      '--build-context',
      `build=${files}`,
      '-t',
      'e',
      files,
    ])
    const theirs = await buildah(['inspect', '--type', 'image', '--format', '{{.Config}}', 'e'])
    expect(settings(theirs)).toEqual(ours)
  })
})

/** What the image says about how it is run. */
function settings(text: string) {
  const schema = v.object({
    config: v.object({
      User: v.string(),
      Env: v.array(v.string()),
      ExposedPorts: v.record(v.string(), v.object({})),
      Entrypoint: v.array(v.string()),
      WorkingDir: v.string(),
    }),
  })
  return v.parse(schema, JSON.parse(text)).config
}

let layouts = 0
function layout(compression: Compression) {
  const folder = join(scratch, `layout-${++layouts}`)
  return { folder, digest: smallLayout({ folder, tag: 'test', compression }) }
}
