// The folder of a container registry, as `sealos build` leaves it in a cluster image: sealos copies it to
// the registry of the cluster. Made from an OCI layout, without a registry.
// Source: distribution/distribution, registry/storage/paths.go.

import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { blobPath, type LayoutImage } from '../image/layout.ts'

export type RegistryOptions = {
  readonly layout: string
  readonly image: LayoutImage
  /** Like `labring/endpoints-operator`: without a host. */
  readonly repository: string
  readonly tag: string
  /** The root folder of the registry. */
  readonly folder: string
}

/** Adds `image` to the registry in `folder`. */
export function writeRegistry({ layout, image, repository, tag, folder }: RegistryOptions): void {
  const root = join(folder, 'docker', 'registry', 'v2')
  const links = join(root, 'repositories', repository)
  const blobs = [image.config.digest, ...image.layers.map(({ digest }) => digest)]
  for (const digest of [image.digest, ...blobs]) {
    const hash = hashOf(digest)
    const path = join(root, 'blobs', 'sha256', hash.slice(0, 2), hash, 'data')
    mkdirSync(dirname(path), { recursive: true })
    cpSync(blobPath(layout, digest), path)
  }
  for (const digest of blobs) link(join(links, '_layers'), digest)
  link(join(links, '_manifests', 'revisions'), image.digest)
  link(join(links, '_manifests', 'tags', tag, 'index'), image.digest)
  write(join(links, '_manifests', 'tags', tag, 'current', 'link'), image.digest)
}

function link(folder: string, digest: string): void {
  write(join(folder, 'sha256', hashOf(digest), 'link'), digest)
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

function hashOf(digest: string): string {
  return digest.slice('sha256:'.length)
}
