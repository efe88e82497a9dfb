// The cluster of the demo: an API server in this process, or the one that a kubeconfig names.

import { type ApiClient, createClient } from '../../k8s/client.ts'
import { type ClusterConfig, loadConfig } from '../../k8s/config.ts'
import { messageOf } from '../../k8s/errors.ts'
import { startApiServer } from '../apiserver/server.ts'
import { loopbackAddresses, ownAddresses } from './addresses.ts'
import { DemoFailed } from './failure.ts'

export type Cluster = {
  /** For people: what it is and where. */
  readonly name: string
  readonly kubeconfig: string
  readonly namespace: string
  /** Whether it is somebody's cluster: what we bring along must go again. */
  readonly isReal: boolean
  /** Where backends can listen; Endpoints of this cluster take these addresses. */
  readonly hosts: readonly string[]
  /** Flags that the operator needs here. */
  readonly operatorArgs: readonly string[]
  readonly client: ApiClient
  /** GET with an Accept header of one's own. */
  readonly get: (path: string, accept: string, signal: AbortSignal) => Promise<Response>
  /** Writes so far, by anybody, from the server's own log; undefined if it shows us none. */
  readonly writes: (() => number) | undefined
  readonly stop: () => void
}

const USER_AGENT = 'endpoints-operator-demo'
const REAL_NAMESPACE = 'endpoints-operator-demo'

/** An API server in this process. */
export async function startInProcess(): Promise<Cluster> {
  const server = startApiServer({ allowLoopback: true })
  process.on('exit', server.stop)
  const kubeconfig = server.kubeconfig()
  return {
    ...access(await loadConfig({ kubeconfig })),
    name: `API server in this process, ${server.url}`,
    kubeconfig,
    // The kubeconfig's own, so that kubectl needs no -n.
    namespace: 'default',
    isReal: false,
    hosts: loopbackAddresses(),
    operatorArgs: ['--allow-loopback'],
    writes: () => server.writes().length,
    stop: () => {
      process.off('exit', server.stop)
      server.stop()
    },
  }
}

/** The cluster of `kubeconfig`. Throws DemoFailed when the demo cannot run there. */
export async function connect(kubeconfig: string): Promise<Cluster> {
  const hosts = ownAddresses()
  if (hosts.length === 0) {
    throw new DemoFailed(
      'Cannot run backends for a real cluster as this machine has only loopback and link-local addresses, which Endpoints refuse',
    )
  }
  const config = await loadConfig({ kubeconfig })
  const { client, get } = access(config)
  const version = await versionOf(client, config.server)
  return {
    client,
    get,
    name: `Kubernetes ${version}, ${config.server}`,
    kubeconfig,
    namespace: REAL_NAMESPACE,
    isReal: true,
    hosts,
    operatorArgs: [],
    writes: undefined,
    stop: () => {},
  }
}

async function versionOf(client: ApiClient, server: string): Promise<string> {
  try {
    const answer = await client.request({ method: 'GET', path: '/version' })
    const isVersion = typeof answer === 'object' && answer !== null && 'gitVersion' in answer
    return isVersion ? String(answer.gitVersion) : 'of an unknown version'
  } catch (cause) {
    throw new DemoFailed(`Cannot reach the cluster at ${server}: ${messageOf(cause)}`, { cause })
  }
}

function access(config: ClusterConfig): Pick<Cluster, 'client' | 'get'> {
  return {
    client: createClient(config, { userAgent: USER_AGENT }),
    get: async (path, accept, signal) => {
      const { headers, tls } = await config.credentials()
      return await fetch(`${config.server}${path}`, {
        headers: { ...headers, Accept: accept, 'User-Agent': USER_AGENT },
        tls,
        proxy: config.proxy ?? false,
        signal,
      })
    },
  }
}
