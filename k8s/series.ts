// The counters of one resource's hosts, for /metrics.

import { hostPort } from '../crds/hosts.ts'
import type { HostTarget } from '../crds/targets.ts'
import type { Attempt } from '../probes/scheduler.ts'
import { countAttempt, newCounters, type ProbeCounters } from './metrics.ts'

export class Series {
  readonly #counters = new Map<string, ProbeCounters>()

  /** Counts an attempt on `target`. */
  count(target: HostTarget, attempt: Attempt): void {
    const key = seriesKey(target)
    const kind = target.probe?.kind ?? 'none'
    const counters =
      this.#counters.get(key) ?? newCounters(hostPort(target.host, target.port), kind)
    this.#counters.set(key, counters)
    countAttempt(counters, attempt)
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
