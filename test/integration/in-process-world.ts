// The in-process API server on this machine's loopback: no binaries, no root, no namespace.

import { readFileSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { startMirroring } from '../apiserver/mirroring.ts'
import { startApiServer } from '../apiserver/server.ts'
import { startDeafTcp } from '../backends/deaf.ts'
import { commandPath } from '../controlplane/command-path.ts'
import { freePorts } from '../controlplane/free-ports.ts'
import { runKubectl } from '../controlplane/kubectl.ts'
import { LEGACY_CRD } from './legacy.ts'
import type { World } from './world.ts'

/** Starts one at once. On Linux, where all of 127.0.0.0/8 is local. */
export async function startInProcessWorld(isDualStack = false): Promise<World> {
  const server = startApiServer({ allowLoopback: true, isDualStack })
  server.store.applyCrd(
    readFileSync(join(import.meta.dir, '../../crds/clusterendpoints.yaml'), 'utf8'),
  )
  server.store.applyCrd(JSON.stringify(LEGACY_CRD))
  const stopMirroring = startMirroring(server)
  const kubeconfig = server.kubeconfig()
  const program = commandPath('kubectl')
  return {
    name: 'in-process API server',
    kubeconfig,
    operatorKubeconfig: kubeconfig,
    sliceApiVersion: 'discovery.k8s.io/v1',
    operatorArgs: ['--allow-loopback'],
    hosts: ['127.0.33.151', '127.0.33.152'],
    hostV6: hasIpv6() ? '::1' : undefined,
    manyHosts: (count) =>
      Array.from({ length: count }, (_, n) => `127.0.${64 + (n >> 8)}.${n & 255}`),
    // Other ports, too: those of the sample are for root, and another run may have them.
    localised: (manifest) =>
      manifest
        .replaceAll('10.33.40.', '127.0.33.')
        .replace(/targetPort: \d+$/gm, () => `targetPort: ${freePorts(1)[0]}`),
    startDeaf: () => startDeafTcp({ host: '127.0.33.153', port: 0 }),
    request: (path, init = {}) => fetch(`${server.url}${path}`, { ...init, keepalive: false }),
    kubectl:
      program === undefined
        ? undefined
        : (args, stdin) => runKubectl({ program, kubeconfig, home: tmpdir() }, args, stdin),
    collectsGarbage: true,
    writes: () =>
      server
        .writes()
        .filter(({ userAgent }) => userAgent.startsWith('endpoints-operator/'))
        .filter(({ resource }) => resource !== 'leases')
        .map(({ verb, resource, subresource, namespace, name, status }) => ({
          verb,
          resource: subresource === '' ? resource : `${resource}/${subresource}`,
          namespace,
          name,
          status,
        })),
    stop: async () => {
      stopMirroring()
      server.stop()
    },
  }
}

function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).some((all) =>
    all?.some(({ address }) => address === '::1'),
  )
}
