// What watches show of the demo's objects, and waiting for what they shall show.

import { hostPort } from '../../crds/hosts.ts'
import type { HostRow, Status } from '../../crds/status.ts'
import type { Log } from '../../k8s/log.ts'
import { type Reflector, startReflector } from '../../k8s/reflector.ts'
import { cepStatus, published, readObject } from '../integration/objects.ts'
import type { Cluster } from './cluster.ts'
import { DemoFailed } from './failure.ts'
import { type DemoHost, MAIN } from './plan.ts'

export type Sight = {
  /** Whether the Endpoints of the story hold this host. */
  readonly isPublished: (host: DemoHost) => boolean
  /** What its status says of this host; undefined while it says nothing. */
  readonly rowOf: (host: DemoHost) => HostRow | undefined
  /** Statuses by the resource's name. */
  readonly statuses: () => ReadonlyMap<string, Status>
  /** Changes seen so far. */
  readonly changes: () => number
  /**
   * Resolves with the moment (monotonic milliseconds) at which a watch showed that `check` holds. Throws
   * DemoFailed with `complaint` when `maxMs` are over, and the reason of the signal when it aborts.
   */
  readonly until: (check: () => boolean, maxMs: number, complaint: string) => Promise<number>
  /** Ends the watches. */
  readonly stop: () => Promise<void>
}

type Waiting = { readonly check: () => boolean; readonly resolve: (atMs: number) => void }

const quiet: Log = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} }

/** Starts to watch; resolves when what stands there is known. */
export async function openSight(cluster: Cluster, signal: AbortSignal): Promise<Sight> {
  const inside = `namespaces/${cluster.namespace}`
  const statuses = new Map<string, Status>()
  const addresses = new Map<string, ReadonlySet<string>>()
  const waiting = new Set<Waiting>()
  let changes = 0

  function changed(): void {
    changes++
    for (const each of waiting) {
      if (!each.check()) continue
      waiting.delete(each)
      each.resolve(performance.now())
    }
  }

  const closing = new AbortController()
  const { client } = cluster
  const watch = (path: string, kept: Kept): Reflector =>
    startReflector({
      ...{ client, log: quiet, path, signal: closing.signal },
      onReplace: (objects) => {
        kept.clear()
        for (const object of objects) kept.set(object)
        changed()
      },
      onChange: (type, object) => {
        if (type === 'DELETED') kept.delete(object)
        else kept.set(object)
        changed()
      },
    })
  const watches = [
    watch(`/apis/sealos.io/v1beta1/${inside}/clusterendpoints`, keep(statuses, cepStatus)),
    watch(
      `/api/v1/${inside}/endpoints`,
      keep(addresses, (object) => new Set(published(object))),
    ),
  ]
  const opened = Promise.all(watches.map(({ synced }) => synced))
  await orAborted(opened, signal)

  return {
    isPublished: (host) => addresses.get(MAIN)?.has(publishedText(host)) ?? false,
    rowOf: (host) => statuses.get(MAIN)?.hosts.find((row) => isRowOf(row, host)),
    statuses: () => statuses,
    changes: () => changes,
    until: async (check, maxMs, complaint) => {
      if (check()) return performance.now()
      const { promise, resolve, reject } = Promise.withResolvers<number>()
      const one = { check, resolve }
      waiting.add(one)
      const timer = setTimeout(() => reject(new DemoFailed(complaint)), maxMs)
      try {
        return await orAborted(promise, signal)
      } finally {
        clearTimeout(timer)
        waiting.delete(one)
      }
    },
    stop: async () => {
      closing.abort(new Error('no longer needed'))
      await Promise.all(watches.map(({ done }) => done))
    },
  }
}

type Kept = {
  readonly set: (object: unknown) => void
  readonly delete: (object: unknown) => void
  readonly clear: () => void
}

/** Keeps in `map`, by name, what `read` makes of objects. */
function keep<T>(
  map: Map<string, T>,
  read: (object: ReturnType<typeof readObject>) => T | undefined,
): Kept {
  return {
    set: (value) => {
      const object = readObject(value)
      const made = read(object)
      if (made !== undefined) map.set(object.metadata.name, made)
    },
    delete: (value) => map.delete(readObject(value).metadata.name),
    clear: () => map.clear(),
  }
}

/** As published() writes it. */
function publishedText({ port, address }: DemoHost): string {
  return `${port.name} ${port.protocol} ${address.host}:${address.port}`
}

function isRowOf(row: HostRow, { port, address }: DemoHost): boolean {
  return row.port === port.name && row.host === address.host && row.targetPort === address.port
}

/** What `promise` gives, unless `signal` aborts before. */
async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const aborted = Promise.withResolvers<never>()
  const onAbort = () => aborted.reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([promise, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** A host as tables show it. */
export function shownAddress({ address }: DemoHost): string {
  return hostPort(address.host, address.port)
}
