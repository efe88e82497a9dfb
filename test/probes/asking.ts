// How the tests of the probers ask, and how they see what was left behind.

import { readdirSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { Way } from '../../probes/dialers.ts'
import { askOnce } from '../../probes/probers.ts'
import type { Address, HttpHeader, Outcome, Probe, Question, Target } from '../../probes/target.ts'

/** Probes by kind, as plain as they come. */
export const tcp: Probe = { kind: 'tcp' }
export const udp: Probe = { kind: 'udp', data: Buffer.from('ping') }
export const grpc: Probe = { kind: 'grpc', service: '' }

/** A GET; headers as a plain list of pairs. */
export function http(
  path = '/',
  headers: readonly (readonly [string, string])[] = [],
  scheme: 'http' | 'https' = 'http',
): Probe {
  const list: HttpHeader[] = headers.map(([name, value]) => ({ name, value }))
  return { kind: 'http', scheme, path, headers: list }
}

/** One attempt through the table of probers, aborted after `until` milliseconds unless that is a signal. */
export async function ask(
  { host, port, name }: Address,
  probe: Probe,
  until: number | AbortSignal = 5_000,
): Promise<Outcome> {
  const target = {
    ...{ key: 'k', host, port, probe, timeoutMs: 5_000, periodMs: 10_000, fastPeriodMs: 1_000 },
    ...{ successThreshold: 1, failureThreshold: 3 },
    ...(name === undefined ? {} : { name }),
  }
  if (typeof until !== 'number') return await askOnce(target, until)
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(), until)
  try {
    return await askOnce(target, controller.signal)
  } finally {
    clearTimeout(timer)
  }
}

/** Descriptors that this process has open, the one for looking included. */
export function descriptors(): number {
  return readdirSync('/proc/self/fd').length
}

/** Looks again and again until the condition holds; throws with `what` when it has not in `deadlineMs`. */
export async function until(
  condition: () => boolean,
  what: string,
  deadlineMs = 5_000,
): Promise<void> {
  const endMs = performance.now() + deadlineMs
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`Waited ${deadlineMs} ms in vain until ${what}`)
    await Bun.sleep(2)
  }
}

/** Questions for a scheduler, of a function that promises what a host says; `signal` aborts with the attempt. */
export function questionBy(
  answer: (target: Target, signal: AbortSignal) => Promise<Outcome>,
): (target: Target) => Question {
  return (target) => ({
    ask: (asker) => {
      const ending = new AbortController()
      const said = answer(target, ending.signal)
      const over = () => asker.hear(said)
      said.then(over, over)
      return { cancel: () => ending.abort() }
    },
  })
}

/** A host that does with each connection what it is told, and the way to it. */
export async function serve(onSocket: (socket: Socket) => void) {
  const server = createServer(onSocket)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return {
    way: new Way({ host: '127.0.0.1', port }, 'tcp'),
    [Symbol.dispose]: () => void server.close(),
  }
}
