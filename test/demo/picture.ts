// A picture of the cluster as it is now: kubectl's tables, and one row for each host.

import { age } from '../apiserver/columns.ts'
import type { Cluster } from './cluster.ts'
import type { Member } from './fleet.ts'
import { getTables, type KubectlTable } from './kubectl.ts'
import { type Sight, shownAddress } from './sight.ts'
import { type Cell, table } from './table.ts'
import { type Line, line, span } from './text.ts'

export type Picture = {
  readonly command: string
  readonly tables: readonly KubectlTable[]
}

export type HostView = {
  readonly port: string
  readonly kind: string
  readonly host: string
  /** Undefined while nothing is known of it. */
  readonly isHealthy: boolean | undefined
  readonly reason: string
  /** RFC 3339, or empty. */
  readonly since: string
}

/** Every host, always in the same order, so that no row jumps when it goes out. */
export function hostViews(members: readonly Member[], sight: Sight): HostView[] {
  return members.map((member) => {
    const { healthy, reason = '', since = '' } = sight.rowOf(member) ?? {}
    const { name, label } = member.port
    return {
      ...{ port: name, kind: label, host: shownAddress(member) },
      ...{ isHealthy: healthy, reason, since },
    }
  })
}

const USUAL_REASON = 'connect ECONNREFUSED'
/** Columns that the table takes with such a reason and an IPv4 address. */
const ROOMY_COLUMNS = 75

/** One row for each host. `nowMs` is the wall clock. */
export function hostTable(hosts: readonly HostView[], columns: number, nowMs: number): Line[] {
  // Room for the usual reasons, so that nothing moves when a host goes out; not where there is none.
  const reasonWidth = columns < ROOMY_COLUMNS ? 0 : USUAL_REASON.length
  const header = ['PORT', 'KIND', 'HOST', 'STATUS', 'REASON'.padEnd(reasonWidth), 'SINCE']
  const rows = hosts.map(({ port, kind, host, isHealthy, reason, since }): Cell[] => [
    ...[port, kind, host],
    statusOf(isHealthy),
    isHealthy === false ? span(reason, 'bad') : reason,
    since === '' ? '' : age(since, nowMs),
  ])
  return table([header, ...rows], columns)
}

/** A command and what it printed. */
export function kubectlLines({ command, tables }: Picture, columns: number): Line[] {
  const bodies = tables.flatMap((rows, index) => [
    ...(index === 0 ? [] : [line()]),
    ...table(rows, columns),
  ])
  return [line(`$ ${command}`, 'bold'), ...bodies]
}

/** Takes a picture. Throws when the API server does not answer. */
export async function takePicture(cluster: Cluster, command: string): Promise<Picture> {
  return { command, tables: await getTables(cluster) }
}

function statusOf(isHealthy: boolean | undefined): Cell {
  if (isHealthy === undefined) return span('Pending', 'dim')
  return isHealthy ? span('Healthy', 'good') : span('Out', 'bad')
}
