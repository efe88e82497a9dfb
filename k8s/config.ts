// Where the API server is and how we prove who we are: in a cluster from the mounted service account,
// elsewhere from a kubeconfig.

import { existsSync, readFileSync } from 'node:fs'
import type * as https from 'node:https'
import { CannotStart } from './errors.ts'
import { readPlainKubeconfig } from './kubeconfig.ts'

export type ConfigOptions = {
  /** A kubeconfig file; wins over everything else. */
  readonly kubeconfig?: string | undefined
  /** URL of the API server; wins over what the kubeconfig says. */
  readonly master?: string | undefined
}

/** What a request carries. `tls` is passed to fetch as it is. */
export type Credentials = {
  readonly headers: Readonly<Record<string, string>>
  readonly tls: {
    readonly ca?: string
    readonly cert?: string
    readonly key?: string
    readonly serverName?: string
    readonly rejectUnauthorized?: boolean
  }
}

export type ClusterConfig = {
  /** Base URL of the API server, without a slash at the end. */
  readonly server: string
  /** The namespace we are in, or that the kubeconfig's context names. */
  readonly namespace: string | undefined
  readonly proxy: string | undefined
  /** What to send now; files are read again about each minute, because tokens rotate. */
  readonly credentials: () => Promise<Credentials>
  /** Forget what was read: the API server answered 401. */
  readonly forget: () => void
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'
/** Milliseconds. Source: client-go transport/token_source.go reads the token file each minute. */
const REREAD_MS = 60_000

/**
 * Finds the cluster: `options`, then $KUBECONFIG, then the service account of the pod, then
 * ~/.kube/config. Throws with what to do when there is none or it cannot be read.
 */
export async function loadConfig(options: ConfigOptions): Promise<ClusterConfig> {
  const { KUBECONFIG, KUBERNETES_SERVICE_HOST, HOME } = process.env
  if (options.kubeconfig) return await fromKubeconfig(options.kubeconfig, options.master)
  if (KUBECONFIG) return await fromKubeconfig(KUBECONFIG, options.master)
  if (KUBERNETES_SERVICE_HOST) return fromServiceAccount(options.master)
  const home = `${HOME ?? ''}/.kube/config`
  if (existsSync(home)) return await fromKubeconfig(home, options.master)
  if (options.master) return fromUrl(options.master)
  throw new CannotStart(
    'Cannot find a cluster: use --kubeconfig FILE, set KUBECONFIG, or run in a pod',
  )
}

function fromServiceAccount(master: string | undefined): ClusterConfig {
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '443' } = process.env
  const server = master ?? `https://${host.includes(':') ? `[${host}]` : host}:${port}`
  const namespace = readOptional(`${SERVICE_ACCOUNT}/namespace`)
  // Read synchronously: hung name look-ups can hold every thread of the asynchronous file system.
  const read = (before: Credentials | undefined): Credentials => {
    const token = readOptional(`${SERVICE_ACCOUNT}/token`)
    const ca = readOptional(`${SERVICE_ACCOUNT}/ca.crt`)
    const headers = token ? { Authorization: `Bearer ${token}` } : (before?.headers ?? {})
    return { headers, tls: ca ? { ca } : (before?.tls ?? {}) }
  }
  return { server, namespace, proxy: undefined, ...reread(async (before) => read(before)) }
}

async function fromKubeconfig(paths: string, master: string | undefined): Promise<ClusterConfig> {
  const [path = paths] = paths.split(':').filter((file) => file !== '')
  const plain = readPlainKubeconfig(path)
  if (!plain) return await fromClientNode(path, master)
  const { server, namespace, proxy } = plain
  const read = async () => plain.credentials()
  return { server: baseUrl(master ?? server), namespace, proxy, ...reread(read) }
}

async function fromClientNode(path: string, master: string | undefined): Promise<ClusterConfig> {
  const { KubeConfig } = await import('@kubernetes/client-node')
  const config = new KubeConfig()
  config.loadFromFile(path)
  const cluster = config.getCurrentCluster()
  if (!cluster)
    throw new CannotStart(`Cannot use kubeconfig "${path}" as it has no current context`)
  const read = async () => {
    const options: https.RequestOptions = {}
    // Runs an exec plugin again when what it gave has expired.
    await config.applyToHTTPSOptions(options)
    return {
      headers: textHeaders(options.headers),
      tls: {
        ...pem('ca', options.ca),
        ...pem('cert', options.cert),
        ...pem('key', options.key),
        ...(cluster.tlsServerName ? { serverName: cluster.tlsServerName } : {}),
        ...(cluster.skipTLSVerify ? { rejectUnauthorized: false } : {}),
      },
    }
  }
  const context = config.getContextObject(config.getCurrentContext())
  return {
    server: baseUrl(master ?? cluster.server),
    namespace: context?.namespace,
    proxy: cluster.proxyUrl,
    ...reread(read),
  }
}

function fromUrl(master: string): ClusterConfig {
  const server = master.replace(/\/+$/, '')
  return {
    server,
    namespace: undefined,
    proxy: undefined,
    ...reread(async () => ({ headers: {}, tls: {} })),
  }
}

/** Keeps what `read` gave for a minute; what was read before is kept when reading fails. */
function reread(
  read: (before: Credentials | undefined) => Promise<Credentials>,
): Pick<ClusterConfig, 'credentials' | 'forget'> {
  let known: Credentials | undefined
  let readAtMs = Number.NEGATIVE_INFINITY
  return {
    credentials: async () => {
      if (known && performance.now() - readAtMs < REREAD_MS) return known
      try {
        known = await read(known)
      } catch (error) {
        if (!known) throw error
      }
      readAtMs = performance.now()
      return known
    },
    forget: () => {
      readAtMs = Number.NEGATIVE_INFINITY
    },
  }
}

/** A file's text without white space around it; undefined if it cannot be read or is empty. */
function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim() || undefined
  } catch {
    // Absent or in the middle of being swapped: what was read before stays in use.
    return undefined
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

/** Without slashes at the end. */
function baseUrl(url: string): string {
  return url.replace(/\/+$/, '')
}
