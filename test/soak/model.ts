// What must be true of what is published while hosts, resources and the API server come and go.

import type { KubeObject } from '../apiserver/object.ts'
import type { Host } from './hosts.ts'

export const PERIOD_SECONDS = 2
export const FAILURE_THRESHOLD = 2
/** Milliseconds after which a host that went must be out: a period, the fast attempts, and slack for a busy machine. */
const OUT_MS = (PERIOD_SECONDS + FAILURE_THRESHOLD + 6) * 1000
/** Milliseconds after which a host that came must be in. */
const IN_MS = (PERIOD_SECONDS + 6) * 1000

/** A resource of the run. */
export type Cep = {
  readonly name: string
  hosts: readonly Host[]
  /** When its spec last changed, monotonic milliseconds. */
  changedMs: number
}

/** What is broken about `published` (`ip:port` texts) of `cep` at `nowMs`, the API server being well since `calmSinceMs`. */
export function brokenPromises(
  cep: Cep,
  published: ReadonlySet<string>,
  nowMs: number,
  calmSinceMs: number,
): string[] {
  return cep.hosts.flatMap((host) => {
    const settledMs = nowMs - Math.max(host.sinceMs, cep.changedMs, calmSinceMs)
    const isIn = published.has(addressOf(host))
    if (host.isUp && !isIn && settledMs > IN_MS) {
      return [
        `${cep.name}: ${addressOf(host)} is up for ${Math.round(settledMs)} ms and not published`,
      ]
    }
    if (!host.isUp && isIn && settledMs > OUT_MS) {
      return [
        `${cep.name}: ${addressOf(host)} is down for ${Math.round(settledMs)} ms and published`,
      ]
    }
    return []
  })
}

/**
 * Hosts that the change from `before` to `after` unpublished although they were up all the time and
 * are still asked for: that may never happen, whatever else goes on.
 */
export function wronglyLost(
  cep: Cep,
  before: ReadonlySet<string>,
  after: ReadonlySet<string>,
  nowMs: number,
): string[] {
  return cep.hosts
    .filter((host) => host.isUp && nowMs - host.sinceMs > OUT_MS)
    .map(addressOf)
    .filter((address) => before.has(address) && !after.has(address))
    .map((address) => `${cep.name}: ${address} was unpublished while it was up`)
}

export function addressOf({ backend }: Host): string {
  return `${backend.host}:${backend.port}`
}

/** `ip:port` of every address in Endpoints. */
export function publishedIn(endpoints: KubeObject | undefined): ReadonlySet<string> {
  const subsets: unknown = endpoints?.subsets
  const all = listOf(subsets).flatMap((subset) =>
    listOf(field(subset, 'addresses')).flatMap((address) =>
      listOf(field(subset, 'ports')).map(
        (port) => `${field(address, 'ip')}:${field(port, 'port')}`,
      ),
    ),
  )
  return new Set(all)
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
