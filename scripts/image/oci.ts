// Container images as a folder: an OCI image layout, which skopeo, buildah, podman and crane read.
// Source: the OCI image format specification 1.1. Written here and not by buildah, whose zstd makes the
// layer 5 MB larger.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { license, version } from '../../package.json'
import type { Arch } from '../platforms.ts'
import type { Compression } from './compress.ts'
import { USER } from './rootfs.ts'

export type Layer = {
  readonly createdBy: string
  /** The uncompressed archive. */
  readonly tar: Uint8Array
  readonly compressed: Uint8Array
  readonly compression: Compression
}

export type Image = {
  readonly arch: Arch
  /** Lowest first. */
  readonly layers: readonly Layer[]
}

export type Descriptor = {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
}

export type LayoutOptions = {
  readonly folder: string
  readonly tag: string
  readonly images: readonly Image[]
  /** Seconds since 1970 that count as the time of all this. */
  readonly created: number
}

const TYPE = {
  config: 'application/vnd.oci.image.config.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
} as const

const ANNOTATIONS = {
  'org.opencontainers.image.title': 'endpoints-operator',
  'org.opencontainers.image.description':
    'Health-checked access from Kubernetes to services outside the cluster',
  'org.opencontainers.image.version': version,
  'org.opencontainers.image.licenses': license,
  'org.opencontainers.image.source': 'https://github.com/labring/endpoints-operator',
} as const

/** Writes `images` under one `tag` into the empty `folder`; the digest of the tag, and each image's bytes to pull. */
export function writeLayout(options: LayoutOptions): {
  readonly digest: string
  readonly bytes: ReadonlyMap<Arch, number>
} {
  const { folder, tag, images } = options
  const created = new Date(options.created * 1000).toISOString().replace('.000Z', 'Z')
  mkdirSync(join(folder, 'blobs', 'sha256'), { recursive: true })
  const blob = (mediaType: string, content: Uint8Array): Descriptor => {
    const hash = sha256(content)
    writeFileSync(join(folder, 'blobs', 'sha256', hash), content)
    return { mediaType, digest: `sha256:${hash}`, size: content.byteLength }
  }
  const json = (mediaType: string, value: unknown) =>
    blob(mediaType, Buffer.from(JSON.stringify(value)))

  const bytes = new Map<Arch, number>()
  const manifests = images.map(({ arch, layers }) => {
    const config = json(TYPE.config, configOf(arch, layers, created))
    const described = layers.map(({ compressed, compression }) =>
      blob(`${TYPE.layer}+${compression}`, compressed),
    )
    bytes.set(
      arch,
      described.reduce((sum, { size }) => sum + size, config.size),
    )
    const manifest = json(TYPE.manifest, {
      schemaVersion: 2,
      mediaType: TYPE.manifest,
      config,
      layers: described,
      annotations: { ...ANNOTATIONS, 'org.opencontainers.image.created': created },
    })
    return { ...manifest, platform: { os: 'linux', architecture: arch } }
  })
  const index = json(TYPE.index, { schemaVersion: 2, mediaType: TYPE.index, manifests })
  const named = { ...index, annotations: { 'org.opencontainers.image.ref.name': tag } }
  const top = { schemaVersion: 2, mediaType: TYPE.index, manifests: [named] }
  writeFileSync(join(folder, 'index.json'), JSON.stringify(top))
  writeFileSync(join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
  return { digest: index.digest, bytes }
}

function configOf(arch: Arch, layers: readonly Layer[], created: string) {
  return {
    created,
    architecture: arch,
    os: 'linux',
    config: {
      User: USER,
      ExposedPorts: { '8080/tcp': {}, '9090/tcp': {} },
      Env: ['PATH=/'],
      Entrypoint: ['/endpoints-operator'],
      WorkingDir: '/',
      Labels: ANNOTATIONS,
    },
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => `sha256:${sha256(layer.tar)}`) },
    history: layers.map(({ createdBy }) => ({ created, created_by: createdBy })),
  }
}

function sha256(content: Uint8Array): string {
  return new Bun.CryptoHasher('sha256').update(content).digest('hex')
}
