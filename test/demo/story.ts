// The story: hosts of every kind are killed, leave, are restarted and come back. One begins each second,
// so that each can be followed; every step has its deadline.

import { pause } from '../../k8s/backoff.ts'
import { type Act, seconds } from './act.ts'
import type { Member } from './fleet.ts'
import { BACK_MAX_SECONDS, OUT_MAX_SECONDS, PORTS } from './plan.ts'
import type { Show } from './show.ts'
import { type Sight, shownAddress } from './sight.ts'

/** Milliseconds between one host and the next. */
const STAGGER_MS = 1_000
/** Milliseconds in which a picture can be read before it changes. */
const READ_MS = 3_000
/** Milliseconds after which the status must say what the Endpoints say. */
const STATUS_MAX_MS = 2_000

export type Stage = {
  readonly sight: Sight
  readonly show: Show
  readonly signal: AbortSignal
}

/** The acts: one host of each kind. */
export function actsOf(members: readonly Member[]): Act[] {
  return PORTS.flatMap((port) => {
    const victim = members.filter((member) => member.port === port)[port.victim]
    return victim ? [{ member: victim }] : []
  })
}

/** Plays the acts. Throws DemoFailed when a host did not leave or come back in time. */
export async function play(acts: readonly Act[], stage: Stage): Promise<void> {
  const { show, signal } = stage
  await pause(READ_MS, signal)
  show.say('Killing one host of each kind. Three failed probes in a row, and it is out.')
  await staggered(acts, stage, leave)
  show.say('Endpoints hold only hosts that answer: whoever connects now gets one of those.')
  await show.look()
  await pause(READ_MS, signal)
  show.say('Restarting them. One good probe, and they are back.')
  await staggered(acts, stage, comeBack)
}

type Step = (act: Act, stage: Stage) => Promise<void>

async function staggered(acts: readonly Act[], stage: Stage, step: Step): Promise<void> {
  await Promise.all(
    acts.map(async (act, index) => {
      await pause(index * STAGGER_MS, stage.signal)
      stage.signal.throwIfAborted()
      await step(act, stage)
    }),
  )
}

async function leave(act: Act, { sight, show }: Stage): Promise<void> {
  const { member } = act
  const name = nameOf(member)
  // Before, not after it is down: what the kill itself takes counts, too.
  act.killedMs = performance.now()
  await member.backend.kill()
  show.tell(`${name}  killed`)
  act.outMs = await sight.until(
    () => !sight.isPublished(member),
    leftMs(act.killedMs, OUT_MAX_SECONDS),
    `${hostOf(member)} was killed and is still in Endpoints after ${OUT_MAX_SECONDS} s`,
  )
  await sight.until(
    () => sight.rowOf(member)?.healthy === false,
    STATUS_MAX_MS,
    `${hostOf(member)} left Endpoints, but the status does not say so`,
  )
  const reason = sight.rowOf(member)?.reason ?? ''
  show.tell(`${name}  out after ${seconds(act.outMs - act.killedMs)}: ${reason}`)
}

async function comeBack(act: Act, { sight, show }: Stage): Promise<void> {
  const { member } = act
  const name = nameOf(member)
  act.restartedMs = performance.now()
  await member.backend.restart()
  show.tell(`${name}  restarted`)
  act.backMs = await sight.until(
    () => sight.isPublished(member),
    leftMs(act.restartedMs, BACK_MAX_SECONDS),
    `${hostOf(member)} was restarted and is not in Endpoints after ${BACK_MAX_SECONDS} s`,
  )
  show.tell(`${name}  back after ${seconds(act.backMs - act.restartedMs)}`)
}

function leftMs(fromMs: number, maxSeconds: number): number {
  return fromMs + maxSeconds * 1000 - performance.now()
}

/** As wide for every member, so that what follows stands in a column. */
function nameOf(member: Member): string {
  return `${member.port.label.padEnd(4)}  ${shownAddress(member)}`
}

function hostOf(member: Member): string {
  return `The ${member.port.label} host ${shownAddress(member)}`
}
