// Where the files and ports of one control plane are.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Certificates, makeCertificates } from './certificates.ts'
import { freePorts } from './free-ports.ts'
import { writeKubeconfig } from './kubeconfig.ts'
import type { Binaries } from './provision.ts'

export type LayoutOptions = {
  readonly binaries: Binaries
  /** What the API server writes into the Endpoints of `kubernetes`. Nothing listens on it. */
  readonly advertiseAddress?: string
  /** Users with no rights but those that a test binds to them or to their groups. */
  readonly tokens?: readonly TokenUser[]
}

export type TokenUser = {
  readonly token: string
  readonly user: string
  readonly groups?: readonly string[]
}

export type Layout = {
  /** Holds everything that the control plane writes. */
  readonly folder: string
  readonly binaries: Binaries
  /** Of the API server, like `v1.20.2`. */
  readonly version: string
  readonly certificates: Certificates
  /** Path of the administrator's kubeconfig. */
  readonly kubeconfig: string
  /** Path of the API server's table of tokens. */
  readonly tokens: string
  readonly advertiseAddress: string
  readonly ports: Ports
}

export type Ports = {
  readonly etcdClient: number
  readonly etcdPeer: number
  readonly apiserver: number
  readonly controllerManager: number
}

/** Makes the certificates, kubeconfig and other files that the processes need, and picks their ports. */
export function prepareLayout(folder: string, options: LayoutOptions): Layout {
  const { binaries } = options
  const [etcdClient = 0, etcdPeer = 0, apiserver = 0, controllerManager = 0] = freePorts(4)
  const layout = {
    folder,
    binaries,
    version: versionOf(binaries),
    certificates: makeCertificates(folder, ['127.0.0.1', '10.96.0.1']),
    kubeconfig: join(folder, 'kubeconfig'),
    tokens: join(folder, 'tokens.csv'),
    // The default address of a host is that of its default route, which a namespace has not.
    advertiseAddress: options.advertiseAddress ?? '10.33.40.151',
    ports: { etcdClient, etcdPeer, apiserver, controllerManager },
  }
  mkdirSync(join(folder, 'home'))
  writeFileSync(layout.tokens, (options.tokens ?? []).map(tokenLine).join(''), { mode: 0o600 })
  const { ca, adminCert, adminKey } = layout.certificates
  writeKubeconfig(
    layout.kubeconfig,
    { server: apiserverUrl(layout), ca },
    { kind: 'certificate', cert: adminCert, key: adminKey },
  )
  return layout
}

export function etcdUrl({ ports }: Layout): string {
  return `http://127.0.0.1:${ports.etcdClient}`
}

export function apiserverUrl({ ports }: Layout): string {
  return `https://127.0.0.1:${ports.apiserver}`
}

/** Of the API server, like `v1.20.2`. */
export function versionOf({ kubeApiserver }: Binaries): string {
  const output = Bun.spawnSync([kubeApiserver, '--version'])
  const version = /v\d+\.\d+\.\d+\S*/.exec(output.stdout.toString())?.[0]
  if (version === undefined) throw new Error(`Cannot run ${kubeApiserver} --version`)
  return version
}

/** Source: kubernetes.io/docs/reference/access-authn-authz/authentication, "Static token file". */
function tokenLine({ token, user, groups = [] }: TokenUser): string {
  return `${token},${user},${user},"${groups.join(',')}"\n`
}
