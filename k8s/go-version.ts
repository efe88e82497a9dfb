// Whether the Go version of this product still runs: it would take back what we take over.

import * as v from 'valibot'
import { pause } from './backoff.ts'
import type { ApiClient } from './client.ts'
import { statusOfError } from './errors.ts'
import { leasePath } from './paths.ts'

/** Source: the Go version's cmd/endpoints-operator/app/server.go, all releases. */
export const GO_LEASE = {
  namespace: 'kube-system',
  name: 'sealyun-endpoints-operator-leader-election',
} as const
/** Milliseconds in which a lease that is held is renewed, twice over. Source: its default of 2 s between renewals. */
const RENEWAL_MAX_MS = 5_000
const POLL_MS = 500

/**
 * Who we are in a lease. Never of the Go version's form, `host_uuid`: as installed we hold its very lease, so
 * that only one of both works (deploy/manifest/rbac.ts).
 */
export function leaseIdentity(instance: string, version: string): string {
  return `${instance}_${version}_${crypto.randomUUID()}`
}

/** Whether `identity` is of the form of the Go version's. Source: its server.go; controller-runtime, leaderelection. */
function isGoIdentity(identity: string): boolean {
  return /^[^_]+_[0-9a-f-]{36}$/.test(identity)
}

const leaseSchema = v.object({
  spec: v.optional(
    v.object({ holderIdentity: v.nullish(v.string(), ''), renewTime: v.nullish(v.string(), '') }),
    {},
  ),
})

/**
 * Whether it renews its lease: by watching it for some seconds, since clocks differ. False when it
 * has no lease, which it may be told to do without, or when we may not look.
 */
export async function isGoVersionRunning(client: ApiClient, signal: AbortSignal): Promise<boolean> {
  const first = await renewTime(client)
  if (first === '') return false
  const untilMs = performance.now() + RENEWAL_MAX_MS
  while (performance.now() < untilMs && !signal.aborted) {
    await pause(POLL_MS, signal)
    const next = await renewTime(client)
    if (next !== first) return next !== ''
  }
  return false
}

/** When the Go version renewed the lease; empty if it does not hold it. */
async function renewTime(client: ApiClient): Promise<string> {
  try {
    const answer = await client.request({ method: 'GET', path: leasePath(GO_LEASE) })
    const { holderIdentity, renewTime } = v.parse(leaseSchema, answer).spec
    return isGoIdentity(holderIdentity) ? renewTime : ''
  } catch (error) {
    if ([403, 404].includes(statusOfError(error))) return ''
    throw error
  }
}
