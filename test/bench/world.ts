// The API server that the operator of a scenario works with: the in-process one as a process of its
// own, or a real one. Both see addresses that all lead to this machine.

import { startControlPlane } from '../controlplane/controlplane.ts'
import { startApiProcess } from '../process/api-process.ts'

export type World = AsyncDisposable & {
  readonly kubeconfig: string
  readonly operatorArgs: readonly string[]
  readonly request: (path: string, init?: RequestInit) => Promise<Response>
  /** The n-th of 65,000 addresses: what listens on 0.0.0.0 is there at each. */
  readonly hostOf: (n: number) => string
}

/** All of it is local inside the namespace: a real API server refuses loopback addresses in Endpoints. */
export const LOCAL_NETWORK = '10.64.0.0/16'

export async function openWorld(isReal: boolean): Promise<World> {
  return isReal ? await openRealWorld() : await openInProcessWorld()
}

async function openInProcessWorld(): Promise<World> {
  const api = await startApiProcess()
  return {
    kubeconfig: api.kubeconfig,
    operatorArgs: ['--allow-loopback'],
    request: (path, init) => fetch(`${api.url}${path}`, init),
    hostOf: (n) => `127.64.${n >> 8}.${n & 255}`,
    [Symbol.asyncDispose]: () => api[Symbol.asyncDispose](),
  }
}

async function openRealWorld(): Promise<World> {
  const plane = await startControlPlane()
  const crd = `${import.meta.dir}/../../crds/clusterendpoints.yaml`
  const applied = await plane.kubectl(['apply', '-f', crd])
  if (applied.code !== 0) throw new Error(`Cannot apply the CRD: ${applied.stderr}`)
  return {
    kubeconfig: plane.kubeconfig,
    operatorArgs: [],
    request: (path, init) => plane.request(path, init),
    hostOf: (n) => `10.64.${n >> 8}.${n & 255}`,
    [Symbol.asyncDispose]: () => plane.stop(),
  }
}
