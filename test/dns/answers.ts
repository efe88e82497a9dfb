// Answers of name servers as tests write them.

import { isIPv6 } from 'node:net'
import type { Answer, FamilyAnswer } from '../../dns/lookup.ts'
import type { Absence } from '../../dns/message.ts'

/** One with exactly these addresses, of either family. */
export function addresses(...all: readonly string[]): Answer {
  return families(
    told(all.filter((address) => !isIPv6(address))),
    told(all.filter((address) => isIPv6(address))),
  )
}

export function nothing(absence: Absence = 'NXDOMAIN'): Answer {
  const none = { ok: true, addresses: [], absence } as const
  return families(none, none)
}

export function failing(reason = 'timeout'): Answer {
  return families({ ok: false, reason }, { ok: false, reason })
}

export function families(ipv4: FamilyAnswer, ipv6: FamilyAnswer, ttlMs = 5_000): Answer {
  return { families: { ipv4, ipv6 }, ttlMs }
}

export function told(all: readonly string[]): FamilyAnswer {
  return all.length > 0
    ? { ok: true, addresses: all }
    : { ok: true, addresses: [], absence: 'no address' }
}
