// TCP: a host is well when it accepts a connection. Nothing is sent, and the close is polite (FIN).

import { converse, type Talk } from './dial.ts'
import { Way } from './dialers.ts'
import {
  type Asker,
  type Outcome,
  ok,
  type Prober,
  type Question,
  type Underway,
} from './target.ts'

/** `ok` once connected. Source: Kubernetes pkg/probe/tcp. */
export const probeTcp: Prober<{ readonly kind: 'tcp' }> = (address) =>
  new TcpQuestion(address, 'tcp')

/** The way itself: there is nothing else to know. */
class TcpQuestion extends Way implements Question {
  ask(asker: Asker): Underway {
    return converse(this, SILENCE, asker)
  }
}

const SILENCE: Talk<Outcome> = { onOpen: (call) => call.end(ok), onData() {} }
