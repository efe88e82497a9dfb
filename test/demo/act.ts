// One act of the story: a host is killed, leaves, is restarted, comes back. And what is shown of it.

import type { Member } from './fleet.ts'
import { shownAddress } from './sight.ts'
import { type Cell, table } from './table.ts'
import { type Line, span } from './text.ts'

/** Monotonic milliseconds of what has happened so far. */
export type Act = {
  readonly member: Member
  killedMs?: number
  outMs?: number
  restartedMs?: number
  backMs?: number
}

/** The score: how long each host took to leave and to come back; counting while it has not. */
export function scoreTable(acts: readonly Act[], nowMs: number): Line[] {
  const rows = acts.map((act) => [
    act.member.port.label,
    shownAddress(act.member),
    taken(act.killedMs, act.outMs, nowMs),
    taken(act.restartedMs, act.backMs, nowMs),
  ])
  return table([['KIND', 'HOST', 'OUT AFTER', 'BACK AFTER'], ...rows])
}

/** Like `3.2 s`. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

function taken(fromMs: number | undefined, toMs: number | undefined, nowMs: number): Cell {
  if (fromMs === undefined) return span('-', 'dim')
  if (toMs === undefined) return span(`${seconds(nowMs - fromMs)} …`, 'dim')
  return span(seconds(toMs - fromMs), 'good')
}
