// A real kube-apiserver and etcd with the garbage collector, in the network namespace of the tests.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { startControlPlane, usualControllers } from '../controlplane/controlplane.ts'
import { findBinaries } from '../controlplane/provision.ts'
import { auditFlags, writesIn } from './audit.ts'
import type { World } from './world.ts'

const HOST_V6 = 'fd00:33:40::151'
/** All of it is local: what listens on 0.0.0.0 is there at 4,096 addresses. */
const LOCAL_NETWORK = '10.33.64.0/20'
/** All of it leads to the loopback without being local: the kernel drops what arrives there, and says nothing. */
const DEAF_NETWORK = '10.33.41.0/24'
const DEAF_HOST = '10.33.41.1'
const DEAF_PORT = 9

/**
 * Starts one in about 5 s, whose API server has these flags too. Must run in the namespace
 * (test/controlplane/netns.ts).
 */
export async function startRealWorld(flags: readonly string[] = []): Promise<World> {
  command(['ip', 'route', 'add', 'local', LOCAL_NETWORK, 'dev', 'lo'])
  command(['ip', 'route', 'add', DEAF_NETWORK, 'dev', 'lo'])
  const folder = mkdtempSync(join(tmpdir(), 'integration-'))
  const auditLog = join(folder, 'audit.log')
  writeFileSync(auditLog, '')
  const found = findBinaries()
  const collectsGarbage = found.ok && found.binaries.kubeControllerManager !== undefined
  const plane = await startControlPlane({
    controllers: collectsGarbage ? usualControllers : [],
    apiserverFlags: [...auditFlags(folder, auditLog), ...flags],
  })
  const crd = join(import.meta.dir, '../../crds/clusterendpoints.yaml')
  const applied = await plane.kubectl(['apply', '-f', crd])
  if (applied.code !== 0) throw new Error(`Cannot apply the CRD: ${applied.stderr}`)
  // Anew, so that the garbage collector knows the kind at once and not within 30 s.
  await plane.controllerManager?.restart()

  return {
    name: `kube-apiserver ${plane.version}`,
    kubeconfig: plane.kubeconfig,
    sliceApiVersion: /^v1\.20\./.test(plane.version)
      ? 'discovery.k8s.io/v1beta1'
      : 'discovery.k8s.io/v1',
    // As it is installed; the other world does without.
    operatorArgs: ['--leader-elect'],
    hosts: ['10.33.40.151', '10.33.40.152'],
    hostV6: hasAddress(HOST_V6) ? HOST_V6 : undefined,
    manyHosts: (count) =>
      Array.from({ length: count }, (_, n) => `10.33.${64 + (n >> 8)}.${n & 255}`),
    localised: (manifest) => manifest,
    startDeaf: async () => ({ host: DEAF_HOST, port: DEAF_PORT, kill: async () => {} }),
    request: plane.request,
    kubectl: plane.kubectl,
    collectsGarbage,
    writes: () => writesIn(readFileSync(auditLog, 'utf8')),
    stop: async () => {
      await plane.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function command(argv: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync([...argv])
  if (exitCode !== 0) throw new Error(`Cannot run ${argv.join(' ')}: ${stderr.toString().trim()}`)
}

function hasAddress(host: string): boolean {
  return Object.values(networkInterfaces()).some((all) => all?.some((one) => one.address === host))
}
