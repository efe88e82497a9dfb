// What is remembered of a name: the rules by which answers bring addresses and take them away. Pure;
// knows no clock and no network.

import { isIPv6 } from 'node:net'
import type { Answer, FamilyAnswer } from './lookup.ts'
import type { Family } from './message.ts'

/** What is remembered of one name. A value: `answered` returns a new one, or the same if nothing moved. */
export type Memory = {
  /** Addresses that count, and whether the last answer about their family did not have them any more. */
  readonly addresses: ReadonlyMap<string, { readonly isMissing: boolean }>
  /** Whether there was an answer of any kind, failures too. */
  readonly isAsked: boolean
  /** Whether an answer ever said what is so. */
  readonly isTold: boolean
  /** Why nothing new was heard, once that counts; empty while answers come. */
  readonly trouble: string
  /** Why there is no address, such as `dns NXDOMAIN`; empty while there is one or nothing was heard. */
  readonly absence: string
  /** Answers in a row that said nothing, counted up to FAILURES. */
  readonly failures: number
}

/** Answers in a row that say nothing before it is told of a name that was heard of: one may be lost. */
const FAILURES = 2

/** The memory to begin with; `believed` are addresses that count until a name server says otherwise twice. */
export function remember(believed: Iterable<string>): Memory {
  const addresses = new Map([...believed].map((address) => [address, { isMissing: false }]))
  return { addresses, isAsked: false, isTold: false, trouble: '', absence: '', failures: 0 }
}

/** What is remembered of a name of which nothing was heard. */
export const NOTHING = remember([])

/**
 * What `answer` makes of `memory`. A new address counts at once. One that is missing goes only when it
 * is missing from the next answer, too. An answer that says nothing about a family (SERVFAIL, a
 * timeout, a lame one) takes nothing from it.
 */
export function answered(memory: Memory, answer: Answer): Memory {
  const { families } = answer
  const addresses = new Map<string, { readonly isMissing: boolean }>()
  for (const [address, { isMissing }] of memory.addresses) {
    const told = families[familyOf(address)]
    if (!told.ok) addresses.set(address, { isMissing })
    else if (!isMissing && !told.addresses.includes(address)) {
      addresses.set(address, { isMissing: true })
    }
  }
  for (const told of Object.values(families)) {
    if (told.ok) for (const address of told.addresses) addresses.set(address, { isMissing: false })
  }

  const silence = silenceOf(memory, families)
  const failures = silence === '' ? 0 : Math.min(memory.failures + 1, FAILURES)
  const isTold = memory.isTold || silence === ''
  const isTrouble = failures >= FAILURES || !isTold
  return unlessSame(memory, {
    addresses,
    isAsked: true,
    isTold,
    // The first reason stands: one that changes from answer to answer is no news.
    trouble: silence !== '' && isTrouble ? memory.trouble || silence : '',
    absence: addresses.size > 0 ? '' : (silence !== '' && memory.absence) || absenceOf(families),
    failures,
  })
}

/** What the plan needs of it (crds/expansion.ts). */
export function resolutionOf({ addresses, absence }: Memory) {
  return { addresses: addresses.keys(), absence }
}

/**
 * Why an answer says nothing that matters, if so. A family of which nothing was ever known may stay
 * silent while the other has addresses: many name servers cannot be asked for IPv6.
 */
function silenceOf(memory: Memory, families: Answer['families']): string {
  const hasFound = Object.values(families).some((told) => told.ok && told.addresses.length > 0)
  for (const family of ['ipv4', 'ipv6'] as const) {
    const told = families[family]
    if (told.ok) continue
    const isKnown = [...memory.addresses.keys()].some((address) => familyOf(address) === family)
    if (isKnown || !hasFound) return `dns ${told.reason}`
  }
  return ''
}

function absenceOf({ ipv4, ipv6 }: Answer['families']): string {
  const failed = [ipv4, ipv6].find((told) => !told.ok)
  if (failed && !failed.ok) return `dns ${failed.reason}`
  const isUnknown = [ipv4, ipv6].every(
    (told: FamilyAnswer) => told.ok && told.absence === 'NXDOMAIN',
  )
  return isUnknown ? 'dns NXDOMAIN' : 'dns no address'
}

function familyOf(address: string): Family {
  return isIPv6(address) ? 'ipv6' : 'ipv4'
}

function unlessSame(before: Memory, after: Memory): Memory {
  return Bun.deepEquals(before, after) ? before : after
}
