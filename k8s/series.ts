// The counters of one resource's hosts, for /metrics.

import { hostPort } from '../crds/hosts.ts'
import type { HostTarget } from '../crds/targets.ts'
import { newCounters, type ProbeCounters } from './metrics.ts'

export class Series {
  readonly #counters = new Map<string, ProbeCounters>()

  /** The counters of `target`, until it is kept no more. */
  of(target: HostTarget): ProbeCounters {
    const key = seriesKey(target)
    const known = this.#counters.get(key)
    if (known) return known
    const kind = target.probe?.kind ?? 'none'
    const counters = newCounters(hostPort(target.host, target.port), kind)
    this.#counters.set(key, counters)
    return counters
  }

  /** Ends the series that none of `targets` has. */
  keep(targets: Iterable<HostTarget>): void {
    const kept = new Set<string>()
    for (const target of targets) kept.add(seriesKey(target))
    for (const key of this.#counters.keys()) if (!kept.has(key)) this.#counters.delete(key)
  }

  values(): Iterable<ProbeCounters> {
    return this.#counters.values()
  }
}

/** Two ports of a resource may ask the same host the same: they share one series. */
function seriesKey({ host, port, probe }: HostTarget): string {
  return `${probe?.kind} ${host} ${port}`
}
