// A real kube-apiserver with its etcd, for tests: started, hurt on purpose, ended without a trace.
// Not a cluster: no nodes, no kube-proxy, no pods.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { apiserverArgv, controllerManagerArgv, etcdArgv } from './argv.ts'
import { type Daemon, startDaemon } from './daemon.ts'
import { writeKubeconfig } from './kubeconfig.ts'
import { type KubectlResult, runKubectl } from './kubectl.ts'
import { apiserverUrl, etcdUrl, type Layout, type LayoutOptions, prepareLayout } from './layout.ts'
import { atProcessEnd } from './process-end.ts'
import { type Binaries, findBinaries } from './provision.ts'

/** Without `binaries`, those that findBinaries() finds. */
export type ControlPlaneOptions = Partial<LayoutOptions> & {
  /** Controllers to run, named as kube-controller-manager does; it is not started for none. */
  readonly controllers?: readonly string[]
  /** Added after our own flags of the API server; the last one of a name wins. */
  readonly apiserverFlags?: readonly string[]
}

export type ControlPlane = {
  /** Path of an administrator's kubeconfig. */
  readonly kubeconfig: string
  /** `https://127.0.0.1:<port>`, the same after a restart. */
  readonly server: string
  /** PEM files: the authority, the administrator's certificate and key. */
  readonly paths: { readonly ca: string; readonly cert: string; readonly key: string }
  /** Of the API server, like `v1.20.2`. */
  readonly version: string
  readonly apiserver: Daemon
  readonly etcd: Daemon
  readonly controllerManager: Daemon | undefined
  /** Runs kubectl as administrator; cut off after a minute with code 124. */
  kubectl(args: readonly string[], stdin?: string): Promise<KubectlResult>
  /** Writes a kubeconfig for the bearer of `token`; returns its path. */
  kubeconfigFor(token: string): string
  /** Requests a path like `/api/v1/services` as administrator, or as the bearer of `token`. */
  request(path: string, init?: RequestInit, token?: string): Promise<Response>
  /** The API server's own metrics as Prometheus text; `apiserver_request_total` counts writes. */
  metricsText(): Promise<string>
  /** Ends all its processes and removes all its files. Also done when this process ends. */
  stop(): Promise<void>
}

/**
 * What tests of this product need: deletion by ownerReference, mirroring of Endpoints into
 * EndpointSlices, namespaces that can be deleted, and the roles view, edit and admin, which are empty
 * without the aggregation. The garbage collector sees a new kind of owner (a CRD made after its
 * start) within 30 s; `controllerManager.restart()` makes it sooner.
 */
export const usualControllers: readonly string[] = [
  'garbagecollector',
  'endpointslicemirroring',
  'namespace',
  'clusterrole-aggregation',
]

/** Starts one in about 4 s. Throws when there are no binaries or when a part does not get ready. */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const folder = mkdtempSync(join(tmpdir(), 'controlplane-'))
  const daemons: Daemon[] = []
  const removeFolder = () => rmSync(folder, { recursive: true, force: true })
  const forget = atProcessEnd(() => {
    for (const daemon of daemons) daemon.kill('SIGKILL')
    removeFolder()
  })

  async function stop(): Promise<void> {
    // Backwards: an API server without etcd takes long to end.
    for (const daemon of daemons.toReversed()) await daemon.stop()
    removeFolder()
    forget()
  }

  async function start(
    name: string,
    argv: readonly string[],
    isReady: (signal: AbortSignal) => Promise<boolean>,
  ): Promise<Daemon> {
    const logPath = join(folder, `${name}.log`)
    const daemon = await startDaemon({ name, argv, logPath, isReady })
    daemons.push(daemon)
    return daemon
  }

  try {
    const binaries = options.binaries ?? foundBinaries()
    const layout = prepareLayout(folder, { ...options, binaries })
    const request = requester(layout)
    const etcd = await start('etcd', etcdArgv(layout), (signal) =>
      isOk(fetch(`${etcdUrl(layout)}/health`, { ...direct, signal })),
    )
    const apiserver = await start(
      'kube-apiserver',
      apiserverArgv(layout, options.apiserverFlags ?? []),
      (signal) => isOk(request('/readyz', { signal })),
    )
    const controllerManager = await startControllers(layout, options.controllers ?? [], start)
    return { ...access(layout, request), etcd, apiserver, controllerManager, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

type Request = ControlPlane['request']
type Start = (
  name: string,
  argv: readonly string[],
  isReady: (signal: AbortSignal) => Promise<boolean>,
) => Promise<Daemon>

/** A connection of its own for each request, past any proxy: none is left over from a killed server. */
const direct = { keepalive: false, proxy: false } as const

async function startControllers(
  layout: Layout,
  controllers: readonly string[],
  start: Start,
): Promise<Daemon | undefined> {
  if (controllers.length === 0) return undefined
  const program = layout.binaries.kubeControllerManager
  if (program === undefined) {
    throw new Error(
      `Cannot run ${controllers.join(', ')} as the assets have no kube-controller-manager`,
    )
  }
  // Its certificate is one that it makes for itself.
  const tls = { rejectUnauthorized: false }
  const url = `https://127.0.0.1:${layout.ports.controllerManager}/healthz`
  return start(
    'kube-controller-manager',
    controllerManagerArgv(layout, program, controllers),
    (signal) => isOk(fetch(url, { ...direct, tls, signal })),
  )
}

/** What tests do with a control plane that runs. */
function access(layout: Layout, request: Request) {
  const { folder, kubeconfig, version, certificates } = layout
  const server = apiserverUrl(layout)
  const { ca, adminCert, adminKey } = certificates
  const kubectlOptions = {
    program: layout.binaries.kubectl,
    kubeconfig,
    home: join(folder, 'home'),
  }
  let kubeconfigs = 0

  return {
    kubeconfig,
    server,
    version,
    paths: { ca, cert: adminCert, key: adminKey },
    request,
    kubectl: (args: readonly string[], stdin?: string) => runKubectl(kubectlOptions, args, stdin),
    kubeconfigFor(token: string): string {
      const path = join(folder, `kubeconfig-${++kubeconfigs}`)
      writeKubeconfig(path, { server, ca }, { kind: 'token', token })
      return path
    },
    async metricsText(): Promise<string> {
      const answer = await request('/metrics')
      if (!answer.ok) throw new Error(`Cannot read the metrics: HTTP ${answer.status}`)
      return answer.text()
    },
  }
}

function requester(layout: Layout): Request {
  const { certificates } = layout
  const ca = readFileSync(certificates.ca, 'utf8')
  const cert = readFileSync(certificates.adminCert, 'utf8')
  const key = readFileSync(certificates.adminKey, 'utf8')
  return (path, init = {}, token) => {
    const headers = new Headers(init.headers)
    if (token !== undefined) headers.set('Authorization', `Bearer ${token}`)
    const tls = token === undefined ? { ca, cert, key } : { ca }
    return fetch(`${apiserverUrl(layout)}${path}`, { ...init, ...direct, headers, tls })
  }
}

async function isOk(answer: Promise<Response>): Promise<boolean> {
  const { ok, body } = await answer
  await body?.cancel()
  return ok
}

function foundBinaries(): Binaries {
  const found = findBinaries()
  if (found.ok) return found.binaries
  throw new Error(`Cannot start a control plane: ${found.why}. Remedy: ${found.remedy}`)
}
