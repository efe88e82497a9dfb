// What the integration suite needs of a world to run in: an API server and addresses for backends.

import type { SliceApiVersion } from '../../crds/slices.ts'
import type { Address } from '../../probes/target.ts'
import type { Backend } from '../backends/backend.ts'
import type { KubectlResult } from '../controlplane/kubectl.ts'

/** A write that the API server saw, by whatever record it keeps. */
export type Write = {
  /** Kubernetes' own verb: create, update, patch, delete or deletecollection. */
  readonly verb: string
  /** `endpoints`, `clusterendpoints/status`. */
  readonly resource: string
  readonly namespace: string
  /** Empty for a create. */
  readonly name: string
  readonly status: number
}

export type World = {
  readonly name: string
  /** Path of an administrator's kubeconfig. */
  readonly kubeconfig: string
  /** Path of the operator's kubeconfig. */
  readonly operatorKubeconfig: string
  /** The version in which EndpointSlices are served. */
  readonly sliceApiVersion: SliceApiVersion
  /** Flags that the operator needs here, beside those that it always needs. */
  readonly operatorArgs: readonly string[]
  /** Two addresses to put backends on. */
  readonly hosts: readonly [string, string]
  /** An IPv6 one, where this machine has IPv6. */
  readonly hostV6: string | undefined
  /** `count` addresses that all lead to this machine: a backend on 0.0.0.0 answers on each. */
  readonly manyHosts: (count: number) => string[]
  /** A sample manifest as it can be had here: a real cluster's takes it as it is. */
  readonly localised: (manifest: string) => string
  /** An address that neither accepts nor refuses a TCP connection, and never answers a datagram. */
  readonly startDeaf: () => Promise<Address & Pick<Backend, 'kill'>>
  /** Requests a path of the API server as administrator. */
  readonly request: (path: string, init?: RequestInit) => Promise<Response>
  /** Runs kubectl as administrator; undefined where there is none. */
  readonly kubectl:
    | ((args: readonly string[], stdin?: string) => Promise<KubectlResult>)
    | undefined
  /** Whether something deletes what a deleted owner leaves behind. */
  readonly collectsGarbage: boolean
  /** All writes of the operator so far, in order, but for those to its lease. */
  readonly writes: () => readonly Write[]
  readonly stop: () => Promise<void>
}
