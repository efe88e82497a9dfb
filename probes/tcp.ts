// TCP: a host is well when it accepts a connection. Nothing is sent, and the close is polite (FIN).

import { converse } from './dial.ts'
import { ok, type Prober } from './target.ts'

/** `ok` once connected. Source: Kubernetes pkg/probe/tcp. */
export const probeTcp: Prober<{ readonly kind: 'tcp' }> = (address, _probe, signal) =>
  converse(address, signal, (done) => ({ onOpen: () => done(ok) }))
