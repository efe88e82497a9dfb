// TCP: a host is well when it accepts a connection. Nothing is sent, and the close is polite (FIN).

import { converse, type Talk } from './dial.ts'
import { wayTo } from './dialers.ts'
import { type Outcome, ok, type Prober } from './target.ts'

/** `ok` once connected. Source: Kubernetes pkg/probe/tcp. */
export const probeTcp: Prober<{ readonly kind: 'tcp' }> = (address) => {
  const way = wayTo(address, 'tcp')
  return (tell) => converse(way, SILENCE, tell)
}

const SILENCE: Talk<Outcome> = { onOpen: (call) => call.end(ok), onData() {} }
