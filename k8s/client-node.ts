// A kubeconfig whose user needs more than files: exec plugins, cloud providers, OIDC, passwords. By
// client-node, which costs 19 MB to load.

import { existsSync } from 'node:fs'
import type * as https from 'node:https'
import type { ClusterConfig } from './config.ts'
import { readAgain } from './credentials.ts'
import { CannotStart, messageOf, NetworkError } from './errors.ts'

/** Reads the current context of the kubeconfigs at `paths`, the first of which wins. Throws CannotStart. */
export async function readByClientNode(paths: readonly string[]): Promise<ClusterConfig> {
  const { KubeConfig } = await import('@kubernetes/client-node')

  function load() {
    const config = new KubeConfig()
    const [first, ...rest] = paths.filter((path) => existsSync(path))
    config.loadFromFile(first ?? paths[0] ?? '')
    for (const path of rest) {
      const more = new KubeConfig()
      more.loadFromFile(path)
      config.mergeConfig(more, true)
    }
    return config
  }

  const shown = paths.join(':')
  let config: ReturnType<typeof load>
  try {
    config = load()
  } catch (cause) {
    throw new CannotStart(`Cannot read kubeconfig "${shown}": ${firstLine(cause)}`, { cause })
  }
  const cluster = config.getCurrentCluster()
  if (!cluster)
    throw new CannotStart(
      `Cannot use kubeconfig "${shown}" as it has no current context with a cluster`,
    )
  const user = config.getCurrentUser()
  if (user?.impersonateUser)
    throw new CannotStart(`Cannot use kubeconfig "${shown}" as its user impersonates another one`)

  return {
    server: cluster.server,
    namespace: config.getContextObject(config.getCurrentContext())?.namespace,
    proxy: cluster.proxyUrl,
    ...readAgain(async (_, isRefused) => {
      // Anew, so that a plugin is run again even where its answer names no end.
      if (isRefused) config = load()
      const options: https.RequestOptions = {}
      try {
        await config.applyToHTTPSOptions(options)
      } catch (cause) {
        const text = `Cannot get credentials by kubeconfig "${shown}": ${firstLine(cause)}`
        throw new NetworkError(text, { cause })
      }
      return {
        headers: { ...textHeaders(options.headers), ...basic(options.auth) },
        tls: {
          ...pem('ca', options.ca),
          ...pem('cert', options.cert),
          ...pem('key', options.key),
          ...(cluster.tlsServerName ? { serverName: cluster.tlsServerName } : {}),
          ...(cluster.skipTLSVerify ? { rejectUnauthorized: false } : {}),
        },
      }
    }),
  }
}

function pem(name: 'ca' | 'cert' | 'key', value: unknown): Partial<Record<typeof name, string>> {
  if (typeof value === 'string' || Buffer.isBuffer(value)) return { [name]: value.toString() }
  return {}
}

function textHeaders(headers: https.RequestOptions['headers']): Record<string, string> {
  const entries = Object.entries(headers ?? {})
  return Object.fromEntries(
    entries.flatMap(([key, value]) => (value ? [[key, String(value)]] : [])),
  )
}

/** `user:password` as a header. */
function basic(auth: string | null | undefined): Record<string, string> {
  return auth ? { Authorization: `Basic ${Buffer.from(auth).toString('base64')}` } : {}
}

/** A plugin's complaint can be a page long. */
function firstLine(cause: unknown): string {
  return messageOf(cause).trim().split('\n')[0] ?? ''
}
