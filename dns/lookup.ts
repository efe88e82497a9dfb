// One look-up of a name: both families at once, of one name server after another until one can tell.
//
// Not by c-ares (`node:dns`), for measured reasons (Bun 1.4.5, 2026-11): it tells NXDOMAIN, an empty
// answer and a lame referral alike (ENOTFOUND), so that a misconfigured name server would take
// addresses out; it answers from a cache of its own for as long as the TTL, so that no second answer
// confirms a first unless each look-up has a new Resolver (5,000 of them took 159 MB until they were
// collected); and a timeout of 500 ms takes 1,000. The thread pool (`dns.lookup`, `fetch` by name) is
// out of the question: a few names that hang there stop every other one, and files too.

import { randomInt } from 'node:crypto'
import { exchange } from './exchange.ts'
import type { Absence, Family, Reply } from './message.ts'
import type { NameServer } from './servers.ts'

/** What was found of one family; without addresses, `absence` says what is not there. */
export type FamilyAnswer =
  | { readonly ok: true; readonly addresses: readonly string[]; readonly absence?: Absence }
  | { readonly ok: false; readonly reason: string }

export type Answer = {
  readonly families: Readonly<Record<Family, FamilyAnswer>>
  /** Milliseconds for which it is good; 0 when nothing says so. */
  readonly ttlMs: number
}

export type Lookup = (name: string, signal?: AbortSignal) => Promise<Answer>

/** Milliseconds for one try. Shorter than a resolver tries itself (5 s): meanwhile another one may know. */
const TRY_MS = 2_000
/** Tries of one look-up at least: a datagram may be lost. */
const TRIES_MIN = 2
/** Milliseconds that a look-up takes at most where one or two name servers say nothing. */
export const LOOKUP_MS = TRY_MS * TRIES_MIN

/** A look-up by the servers that `servers` names at that moment. It never rejects. */
export function createLookup(servers: () => readonly NameServer[]): Lookup {
  /** How often the first server was passed over: who is silent is asked last until all have been. */
  let turn = 0

  async function ask(name: string, family: Family, signal: AbortSignal): Promise<Reply> {
    const all = servers()
    const first = turn
    let last: Reply = { kind: 'failed', reason: 'no name server' }
    for (let tries = 0; tries < Math.max(TRIES_MIN, all.length); tries++) {
      const server = all[(first + tries) % all.length]
      if (!server || signal.aborted) break
      const question = { id: randomInt(2 ** 16), name, family }
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(TRY_MS)])
      last = await exchange(server, question, deadline)
      if (last.kind !== 'failed') {
        turn = (first + tries) % all.length
        break
      }
      // One more word from the only server that there is would be the same.
      if (all.length === 1 && last.reason !== 'timeout') break
    }
    return last
  }

  return async (name, signal = new AbortController().signal) => {
    const [ipv4, ipv6] = await Promise.all([ask(name, 'ipv4', signal), ask(name, 'ipv6', signal)])
    return { families: { ipv4: familyOf(ipv4), ipv6: familyOf(ipv6) }, ttlMs: ttlOf([ipv4, ipv6]) }
  }
}

/** That of the addresses; how long there is none is asked only where there are none at all. */
function ttlOf(replies: readonly Reply[]): number {
  const found = replies.filter((reply) => reply.kind === 'addresses')
  const deciding = found.length > 0 ? found : replies.filter((reply) => reply.kind === 'none')
  return deciding.length === 0 ? 0 : Math.min(...deciding.map(({ ttlMs }) => ttlMs))
}

function familyOf(reply: Reply): FamilyAnswer {
  switch (reply.kind) {
    case 'addresses':
      return { ok: true, addresses: reply.addresses }
    case 'none':
      return { ok: true, addresses: [], absence: reply.reason }
    case 'truncated':
      return { ok: false, reason: 'malformed answer' }
    case 'failed':
      return { ok: false, reason: reply.reason }
  }
}
