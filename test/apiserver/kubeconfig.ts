// A kubeconfig file for a test server.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What the file says. */
export interface KubeconfigContent {
  readonly url: string
  readonly token: string | undefined
  /** PEM. */
  readonly ca: string | undefined
}

/** The text of a kubeconfig (JSON, which is YAML). */
export function kubeconfigText({ url, token, ca }: KubeconfigContent): string {
  const authority =
    ca === undefined ? {} : { 'certificate-authority-data': Buffer.from(ca).toString('base64') }
  return JSON.stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'test',
      clusters: [{ name: 'test', cluster: { server: url, ...authority } }],
      users: [{ name: 'test', user: token === undefined ? {} : { token } }],
      contexts: [
        { name: 'test', context: { cluster: 'test', user: 'test', namespace: 'default' } },
      ],
    },
    undefined,
    2,
  )
}

/** Writes the file into a folder of its own. */
export function writeKubeconfig(content: KubeconfigContent): {
  readonly path: string
  readonly remove: () => void
} {
  const folder = mkdtempSync(join(tmpdir(), 'apiserver-'))
  const path = join(folder, 'kubeconfig')
  writeFileSync(path, kubeconfigText(content), { mode: 0o600 })
  return { path, remove: () => rmSync(folder, { recursive: true, force: true }) }
}
