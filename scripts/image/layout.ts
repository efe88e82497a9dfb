// Reads an OCI image layout: the other side of oci.ts.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import type { Arch } from '../platforms.ts'

const descriptor = v.object({
  mediaType: v.string(),
  digest: v.pipe(v.string(), v.regex(/^sha256:[0-9a-f]{64}$/)),
  size: v.number(),
})
const index = v.object({
  manifests: v.array(
    v.object({
      ...descriptor.entries,
      platform: v.optional(v.object({ os: v.string(), architecture: v.string() })),
      annotations: v.optional(v.record(v.string(), v.string())),
    }),
  ),
})
const manifest = v.object({ config: descriptor, layers: v.array(descriptor) })

export type LayoutImage = {
  /** Of its manifest, like `sha256:...`. */
  readonly digest: string
  readonly config: v.InferOutput<typeof descriptor>
  /** Lowest first. */
  readonly layers: readonly v.InferOutput<typeof descriptor>[]
}

/** The path of a blob in the layout `folder`. */
export function blobPath(folder: string, digest: string): string {
  return join(folder, 'blobs', ...digest.split(':'))
}

/** The image for `arch` in the layout `folder`. Throws when there is none. */
export function readImage(folder: string, arch: Arch): LayoutImage {
  if (!existsSync(join(folder, 'index.json')))
    throw new Error(`There is no image in ${folder}: run \`bun run image\``)
  const top = v.parse(index, readJson(join(folder, 'index.json')))
  const images = top.manifests.flatMap(
    ({ digest }) => v.parse(index, readJson(blobPath(folder, digest))).manifests,
  )
  const found = images.find(({ platform }) => platform?.architecture === arch)
  if (!found)
    throw new Error(
      `There is no image for ${arch} in ${folder}: run \`bun run image --arch ${arch}\``,
    )
  return { digest: found.digest, ...v.parse(manifest, readJson(blobPath(folder, found.digest))) }
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'))
}
