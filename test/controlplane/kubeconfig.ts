// Kubeconfig files of a test's control plane.

import { readFileSync, writeFileSync } from 'node:fs'

export type Credentials =
  | { readonly kind: 'certificate'; readonly cert: string; readonly key: string }
  | { readonly kind: 'token'; readonly token: string }

/** Writes a kubeconfig with all data inside; `ca`, `cert` and `key` are paths of PEM files. */
export function writeKubeconfig(
  path: string,
  cluster: { readonly server: string; readonly ca: string },
  credentials: Credentials,
): void {
  const name = 'test'
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name,
        cluster: { server: cluster.server, 'certificate-authority-data': base64(cluster.ca) },
      },
    ],
    users: [{ name, user: user(credentials) }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  }
  // JSON is YAML, and every reader of a kubeconfig takes it.
  writeFileSync(path, JSON.stringify(config, null, 2), { mode: 0o600 })
}

function user(credentials: Credentials): Record<string, string> {
  if (credentials.kind === 'token') return { token: credentials.token }
  return {
    'client-certificate-data': base64(credentials.cert),
    'client-key-data': base64(credentials.key),
  }
}

function base64(path: string): string {
  return readFileSync(path).toString('base64')
}
