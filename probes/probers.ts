// The table of probers, and the one way into it.

import { probeGrpc } from './grpc.ts'
import { probeHttp } from './http.ts'
import {
  type Address,
  answered,
  type Outcome,
  ok,
  type Probe,
  type ProbeKind,
  type Prober,
  type Question,
  type Target,
  unknown,
} from './target.ts'
import { probeTcp } from './tcp.ts'
import { probeUdp } from './udp.ts'

type ProbeOfKind = { readonly [P in Probe as P['kind']]: P }

/** One prober for each kind of probe: a fifth kind does not compile until it is here. */
export const probers: { readonly [K in ProbeKind]: Prober<ProbeOfKind[K]> } = {
  tcp: probeTcp,
  http: probeHttp,
  udp: probeUdp,
  grpc: probeGrpc,
}

/**
 * What a target is asked. The deadline is the caller's: cancel what is under way and ignore what comes. One
 * without a probe is `ok` without being asked.
 */
export function questionOf(target: Target): Question {
  return target.probe ? ofKind(target, target.probe) : answered(ok)
}

function ofKind<K extends ProbeKind>(
  address: Address,
  probe: ProbeOfKind[K] & { readonly kind: K },
): Question {
  return probers[probe.kind](address, probe)
}

/** One attempt, for those who make one at a time; `signal` ends it before its time. */
export async function askOnce(target: Target, signal: AbortSignal): Promise<Outcome> {
  if (signal.aborted && target.probe) return unknown('aborted')
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  const underway = questionOf(target).ask({ hear: resolve })
  const cancel = () => underway.cancel()
  signal.addEventListener('abort', cancel)
  try {
    return await promise
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}
