// A real kube-apiserver and etcd with the garbage collector, in the network namespace of the tests.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type ControlPlane,
  startControlPlane,
  usualControllers,
} from '../controlplane/controlplane.ts'
import { findBinaries } from '../controlplane/provision.ts'
import { sliceApiVersionOf } from './api.ts'
import { auditFlags, writesIn } from './audit.ts'
import { installOperator } from './installed.ts'
import { LEGACY_CRD } from './legacy.ts'
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
  const installed = await installOperator(plane)
  await allowSlicesAlone(plane)
  const applied = await plane.kubectl(['apply', '-f', '-'], JSON.stringify(LEGACY_CRD))
  if (applied.code !== 0) throw new Error(`Cannot apply the CRD of v0.1.x: ${applied.stderr}`)
  // Anew, so that the garbage collector knows the kinds at once and not within 30 s.
  await plane.controllerManager?.restart()

  return {
    name: `kube-apiserver ${plane.version}`,
    kubeconfig: plane.kubeconfig,
    // With the rights and the arguments that it is installed with, and no others.
    operatorKubeconfig: installed.kubeconfig,
    operatorArgs: installed.args,
    sliceApiVersion: sliceApiVersionOf(plane.version),
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

/** What `--publish=slices` needs beyond the manifest, as README says. */
async function allowSlicesAlone(plane: ControlPlane): Promise<void> {
  for (const words of [
    ['clusterrole', 'slices-alone', '--verb=delete', '--resource=endpoints'],
    [
      ...['clusterrolebinding', 'slices-alone', '--clusterrole=slices-alone'],
      '--serviceaccount=kube-system:endpoints-operator',
    ],
  ]) {
    const { code, stderr } = await plane.kubectl(['create', ...words])
    if (code !== 0) throw new Error(`Cannot create ${words.join(' ')}: ${stderr}`)
  }
}

function command(argv: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync([...argv])
  if (exitCode !== 0) throw new Error(`Cannot run ${argv.join(' ')}: ${stderr.toString().trim()}`)
}

function hasAddress(host: string): boolean {
  return Object.values(networkInterfaces()).some((all) => all?.some((one) => one.address === host))
}
