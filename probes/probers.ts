// The table of probers, and the one way into it.

import { probeGrpc } from './grpc.ts'
import { probeHttp } from './http.ts'
import {
  type Address,
  type AttemptSignal,
  type Outcome,
  ok,
  type Probe,
  type ProbeKind,
  type Prober,
  type Target,
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
 * One attempt on a target. The deadline is the caller's: abort `signal` and ignore what comes. Never
 * rejects for what the target did. A target without a probe is `ok` without being asked.
 */
export function attempt(target: Target, signal: AttemptSignal): Promise<Outcome> {
  if (target.probe === undefined) return Promise.resolve(ok)
  return run(target, target.probe, signal)
}

function run<K extends ProbeKind>(
  address: Address,
  probe: ProbeOfKind[K] & { readonly kind: K },
  signal: AttemptSignal,
): Promise<Outcome> {
  return probers[probe.kind](address, probe, signal)
}
