// TCP: a host is well when it accepts a connection. Nothing is sent, and the close is polite (FIN).

import { connect } from 'node:net'
import { converse } from './dial.ts'
import { ok, type Prober } from './target.ts'

/**
 * `ok` once connected. Uses node:net because `Bun.connect` cannot be cancelled while it connects: a
 * host that drops packets would hold the descriptor for two minutes (RELIABILITY 3.6).
 * Source: Kubernetes pkg/probe/tcp.
 */
export const probeTcp: Prober<{ readonly kind: 'tcp' }> = (address, _probe, signal) =>
  converse(
    () => connect(address),
    address,
    signal,
    (socket, done) => {
      socket.on('connect', () => done(ok))
    },
  )
