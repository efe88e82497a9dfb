// Kubeconfig files for operators in trouble, in one folder of their own.

import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const folder = mkdtempSync(join(tmpdir(), 'faults-'))
let files = 0

/** Writes a file under a new name; returns its path. */
export function newFile(text: string): string {
  const path = join(folder, `file-${++files}`)
  writeFileSync(path, text)
  return path
}

/** Writes a kubeconfig for the server at `url`; returns its path. */
export function newKubeconfig(
  url: string,
  more: { readonly tokenFile?: string; readonly ca?: string; readonly name?: string } = {},
): string {
  const cluster = {
    server: url,
    ...(more.ca ? { 'certificate-authority-data': Buffer.from(more.ca).toString('base64') } : {}),
    ...(more.name ? { 'tls-server-name': more.name } : {}),
  }
  return newFile(
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'c',
      contexts: [{ name: 'c', context: { cluster: 'k', user: 'u', namespace: 'default' } }],
      clusters: [{ name: 'k', cluster }],
      users: [{ name: 'u', user: more.tokenFile ? { tokenFile: more.tokenFile } : {} }],
    }),
  )
}
