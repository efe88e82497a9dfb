// Which registry the published manifests name: there is none in the sources.

import { CONTROLLER_IMAGE } from '../../deploy/names.ts'

const { repository, name } = CONTROLLER_IMAGE

/** `install.yaml` with the image at `host`. Throws when it names the image another number of times than once. */
export function stampManifest(text: string, host: string): string {
  return replaceOnce(text, `image: ${repository}/${name}:`, `image: ${host}/${repository}/${name}:`)
}

/** The chart's `values.yaml` with the image at `host`. Throws as stampManifest(). */
export function stampValues(text: string, host: string): string {
  return replaceOnce(text, `repository: ${repository}\n`, `repository: ${host}/${repository}\n`)
}

function replaceOnce(text: string, from: string, to: string): string {
  const parts = text.split(from)
  if (parts.length === 2) return parts.join(to)
  throw new Error(
    `Cannot name a registry as "${from.trim()}" is there ${parts.length - 1} times, not once`,
  )
}
