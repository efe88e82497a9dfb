// Kubernetes Events on transitions of hosts: one for all hosts that went the same way at once, counted
// up when the same happens again, and limited in rate. They are best effort: losing one harms nobody.

import * as v from 'valibot'
import { API_VERSION, type ClusterEndpoint, KIND } from '../crds/clusterendpoint.ts'
import { targetText } from '../crds/hosts.ts'
import { type HostTarget, portLabel } from '../crds/targets.ts'
import { isoSeconds } from '../crds/time.ts'
import { messageOf } from './errors.ts'
import type { Log } from './log.ts'
import type { Writer } from './writer.ts'

/** A host that has come or gone. */
export type Transition = {
  readonly target: HostTarget
  readonly isHealthy: boolean
  readonly reason: string
}

export type Recorder = {
  /** Tells of transitions of one resource; returns at once. */
  readonly tell: (cep: ClusterEndpoint, transitions: readonly Transition[]) => void
  /** Tells that something about the resource needs a person. */
  readonly warn: (cep: ClusterEndpoint, reason: string, message: string) => void
  readonly forget: (cep: ClusterEndpoint) => void
}

/** Events in a burst for one resource, and milliseconds until another is allowed. Source: client-go's spam filter has 25 and 5 minutes. */
const BURST = 25
const REFILL_MS = 60_000
/** Hosts that one message names. */
const NAMED_MAX = 5
/** Milliseconds in which the same event is counted up rather than written anew. Source: client-go, 10 minutes. */
const SAME_MS = 600_000
/**
 * Events on their way at once; more are dropped. fetch has one cap of 256 requests for the whole process:
 * of these, most are for the lease, the watches and what clients are sent to.
 */
const UNDER_WAY_MAX = 64
/** Events remembered for counting up, over all resources. */
const REMEMBERED_MAX = 1_000

type Remembered = { readonly name: string; count: number; lastMs: number }
type Budget = { tokens: number; refilledMs: number }

/** `wallMs` is the time of day, milliseconds since the epoch. */
export function createRecorder(
  writer: Pick<Writer, 'postEvent' | 'patchEvent'>,
  log: Log,
  instance: string,
  wallMs: () => number = Date.now,
): Recorder {
  const remembered = new Map<string, Remembered>()
  const budgets = new Map<string, Budget>()
  let underWay = 0

  function isAllowed(uid: string, nowMs: number): boolean {
    const budget = budgets.get(uid) ?? { tokens: BURST, refilledMs: nowMs }
    budgets.set(uid, budget)
    // The time of day can go back.
    budget.refilledMs = Math.min(budget.refilledMs, nowMs)
    const earned = Math.floor((nowMs - budget.refilledMs) / REFILL_MS)
    budget.tokens = Math.min(BURST, budget.tokens + earned)
    budget.refilledMs += earned * REFILL_MS
    if (budget.tokens === 0) return false
    budget.tokens--
    return true
  }

  function write(
    cep: ClusterEndpoint,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
  ): void {
    const nowMs = wallMs()
    if (underWay >= UNDER_WAY_MAX || !isAllowed(cep.metadata.uid, nowMs)) return
    const key = `${cep.metadata.uid} ${reason} ${message}`
    const same = remembered.get(key)
    const told = same && nowMs - same.lastMs < SAME_MS ? again(cep, same, nowMs) : anew()
    underWay++
    told
      .catch((error: unknown) =>
        log.debug?.('cannot write event', { reason, why: messageOf(error) }),
      )
      .finally(() => {
        underWay--
      })

    async function anew(): Promise<void> {
      const answer = await writer.postEvent(
        cep.metadata.namespace,
        eventOf(cep, { type, reason, message, nowMs, instance }),
      )
      const { name } = v.parse(namedSchema, answer).metadata
      remembered.delete(key)
      remembered.set(key, { name, count: 1, lastMs: nowMs })
      const [oldest] = remembered.keys()
      if (remembered.size > REMEMBERED_MAX && oldest !== undefined) remembered.delete(oldest)
    }
  }

  async function again(cep: ClusterEndpoint, same: Remembered, nowMs: number): Promise<void> {
    same.count++
    same.lastMs = nowMs
    const { namespace } = cep.metadata
    const patch = { count: same.count, lastTimestamp: isoSeconds(nowMs) }
    await writer.patchEvent({ namespace, name: same.name }, patch)
  }

  return {
    tell: (cep, transitions) => {
      const latest = new Map(transitions.map((each) => [each.target.key, each]))
      const out = [...latest.values()].filter(({ isHealthy }) => !isHealthy)
      const back = [...latest.values()].filter(({ isHealthy }) => isHealthy)
      if (out.length > 0) write(cep, 'Warning', 'HostUnhealthy', textOf(out))
      if (back.length > 0) write(cep, 'Normal', 'HostHealthy', textOf(back))
    },
    warn: (cep, reason, message) => write(cep, 'Warning', reason, message),
    forget: ({ metadata }) => {
      budgets.delete(metadata.uid)
    },
  }
}

const namedSchema = v.object({ metadata: v.object({ name: v.string() }) })

function eventOf(
  { metadata }: ClusterEndpoint,
  event: {
    readonly type: string
    readonly reason: string
    readonly message: string
    readonly nowMs: number
    readonly instance: string
  },
): unknown {
  const { type, reason, message, nowMs, instance } = event
  const { namespace, name, uid, resourceVersion } = metadata
  const at = isoSeconds(nowMs)
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { namespace, generateName: `${name}.` },
    involvedObject: { apiVersion: API_VERSION, kind: KIND, namespace, name, uid, resourceVersion },
    type,
    reason,
    message,
    count: 1,
    firstTimestamp: at,
    lastTimestamp: at,
    source: { component: 'endpoints-operator', host: instance },
    reportingComponent: 'sealos.io/endpoints-operator',
    reportingInstance: instance,
  }
}

function textOf(transitions: readonly Transition[]): string {
  const named = transitions.slice(0, NAMED_MAX).map(({ target, isHealthy, reason }) => {
    const host = `${portLabel(target.servicePort)} ${targetText(target)}`
    return isHealthy || reason === '' ? host : `${host} (${reason})`
  })
  const more = transitions.length - named.length
  return more > 0 ? `${named.join(', ')} and ${more} more` : named.join(', ')
}
