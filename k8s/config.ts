// Where the API server is and how we prove who we are: in a cluster from the mounted service account,
// elsewhere from a kubeconfig.

import { existsSync } from 'node:fs'
import { readByClientNode } from './client-node.ts'
import { type CredentialSource, readAgain } from './credentials.ts'
import { CannotStart } from './errors.ts'
import { readPlainKubeconfig } from './kubeconfig.ts'
import { readServiceAccount, SERVICE_ACCOUNT } from './service-account.ts'

export type ConfigOptions = {
  /** A kubeconfig file; wins over everything else. */
  readonly kubeconfig?: string | undefined
  /** URL of the API server; wins over what the kubeconfig says. */
  readonly master?: string | undefined
}

export type ClusterConfig = CredentialSource & {
  /** Base URL of the API server, without a slash at the end. */
  readonly server: string
  /** The namespace we are in, or that the kubeconfig's context names. */
  readonly namespace: string | undefined
  readonly proxy: string | undefined
}

/** The folder of a service account; another one for tests. */
type Environment = { readonly serviceAccount?: string }

/**
 * Finds the cluster: `options`, then $KUBECONFIG, then the service account of the pod, then
 * ~/.kube/config. Throws CannotStart with what to do when there is none or it cannot be read.
 */
export async function loadConfig(
  options: ConfigOptions,
  { serviceAccount = SERVICE_ACCOUNT }: Environment = {},
): Promise<ClusterConfig> {
  const { kubeconfig, master } = options
  const { KUBECONFIG, KUBERNETES_SERVICE_HOST, HOME } = process.env
  if (kubeconfig) return await fromKubeconfigs([kubeconfig], master)
  const listed = (KUBECONFIG ?? '').split(':').filter((path) => path !== '')
  if (listed.length > 0) return await fromKubeconfigs(listed, master)
  if (KUBERNETES_SERVICE_HOST) return fromServiceAccount(serviceAccount, master)
  const home = `${HOME ?? ''}/.kube/config`
  if (existsSync(home)) return await fromKubeconfigs([home], master)
  if (master) return fromUrl(master)
  throw new CannotStart(
    'Cannot find a cluster: use --kubeconfig FILE, set KUBECONFIG, or run in a pod',
  )
}

function fromServiceAccount(folder: string, master: string | undefined): ClusterConfig {
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '443' } = process.env
  const { hasToken, ...account } = readServiceAccount(folder)
  if (!hasToken && !master) {
    throw new CannotStart(
      `Cannot read the token of the service account at ${folder}: mount it, or use --kubeconfig FILE`,
    )
  }
  const server = master ?? `https://${host.includes(':') ? `[${host}]` : host}:${port}`
  return { ...account, server: baseUrl(server, 'https'), proxy: undefined }
}

/** Of several files those that exist count, as with kubectl. */
async function fromKubeconfigs(
  listed: readonly string[],
  master: string | undefined,
): Promise<ClusterConfig> {
  const existing = listed.filter((path) => existsSync(path))
  const paths = existing.length > 0 ? existing : listed.slice(0, 1)
  const plain = readPlainKubeconfig(paths)
  const config = plain
    ? { ...plain, ...readAgain(async () => plain.credentials()) }
    : await readByClientNode(paths)
  // Files that are missing are told now and not for ever after.
  if (plain) await config.credentials()
  const { server, proxy } = config
  return {
    ...config,
    server: baseUrl(master ?? server, 'https'),
    proxy: proxy === undefined ? undefined : proxyUrl(proxy),
  }
}

function fromUrl(master: string): ClusterConfig {
  const none = readAgain(async () => ({ headers: {}, tls: {} }))
  return { server: baseUrl(master, 'http'), namespace: undefined, proxy: undefined, ...none }
}

/** Without slashes at the end; `scheme` is for `host:port`, as client-go takes it. Throws CannotStart. */
function baseUrl(url: string, scheme: 'http' | 'https'): string {
  const parsed = URL.parse(url.includes('://') ? url : `${scheme}://${url}`)
  // It is logged.
  if (parsed && (parsed.username !== '' || parsed.password !== ''))
    throw new CannotStart(
      'Cannot use a URL with a password in it; a kubeconfig has fields for that',
    )
  if (!parsed || !/^https?:$/.test(parsed.protocol) || parsed.search !== '' || parsed.hash !== '')
    throw new CannotStart(`Cannot use "${url}" as it must be a URL like https://10.0.0.1:6443`)
  return parsed.href.replace(/\/+$/, '')
}

/** Never shown: it may hold a password. Throws CannotStart. */
function proxyUrl(url: string): string {
  if (/^https?:$/.test(URL.parse(url)?.protocol ?? '')) return url
  throw new CannotStart(
    'Cannot use proxy-url of the kubeconfig as it must begin with http:// or https://',
  )
}
