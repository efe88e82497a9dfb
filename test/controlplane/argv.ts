// The command lines of a control plane's processes. Pure. They suit every version from 1.20 on.

import { join } from 'node:path'
import { etcdUrl, type Layout } from './layout.ts'

/** From here on kube-controller-manager has no plain HTTP port, nor the flag that switches it off. */
const minorWithoutInsecurePort = 24

export function etcdArgv(layout: Layout): string[] {
  const peer = `http://127.0.0.1:${layout.ports.etcdPeer}`
  return [
    layout.binaries.etcd,
    '--name=test',
    `--data-dir=${join(layout.folder, 'etcd')}`,
    `--listen-client-urls=${etcdUrl(layout)}`,
    `--advertise-client-urls=${etcdUrl(layout)}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=test=${peer}`,
    // Data outlives a killed process, not a power failure; that is enough here, and much quicker.
    '--unsafe-no-fsync',
  ]
}

export function apiserverArgv(layout: Layout, more: readonly string[]): string[] {
  const { certificates } = layout
  return [
    layout.binaries.kubeApiserver,
    `--etcd-servers=${etcdUrl(layout)}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${layout.ports.apiserver}`,
    `--advertise-address=${layout.advertiseAddress}`,
    `--tls-cert-file=${certificates.serverCert}`,
    `--tls-private-key-file=${certificates.serverKey}`,
    `--client-ca-file=${certificates.ca}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${certificates.serviceAccountKey}`,
    `--service-account-signing-key-file=${certificates.serviceAccountKey}`,
    '--service-cluster-ip-range=10.96.0.0/16',
    '--authorization-mode=RBAC',
    `--token-auth-file=${layout.tokens}`,
    '--disable-admission-plugins=ServiceAccount',
    '--allow-privileged=true',
    `--cert-dir=${join(layout.folder, 'apiserver')}`,
    ...more,
  ]
}

export function controllerManagerArgv(
  layout: Layout,
  program: string,
  controllers: readonly string[],
): string[] {
  const { kubeconfig } = layout
  const minor = Number(/^v1\.(\d+)/.exec(layout.version)?.[1])
  return [
    program,
    `--kubeconfig=${kubeconfig}`,
    `--authentication-kubeconfig=${kubeconfig}`,
    `--authorization-kubeconfig=${kubeconfig}`,
    `--controllers=${controllers.join(',')}`,
    '--use-service-account-credentials=false',
    '--leader-elect=false',
    '--bind-address=127.0.0.1',
    `--secure-port=${layout.ports.controllerManager}`,
    ...(minor < minorWithoutInsecurePort ? ['--port=0'] : []),
    `--cert-dir=${join(layout.folder, 'controller-manager')}`,
  ]
}
