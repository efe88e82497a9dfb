// After the story: the world stays, and people try it out, until they end it.

import { messageOf } from '../../k8s/errors.ts'
import type { Cluster } from './cluster.ts'
import type { Member } from './fleet.ts'
import { MAIN } from './plan.ts'
import { shownAddress } from './sight.ts'
import { type Line, line } from './text.ts'

/** What can be done with it, to copy. */
export function invitation({ kubeconfig, isReal, namespace }: Cluster): Line[] {
  const kubectl = `kubectl --kubeconfig ${kubeconfig}${isReal ? ` -n ${namespace}` : ''}`
  return [
    line(),
    line('Still running. Try it in another terminal; what is deleted comes back at once:', 'bold'),
    line(`  ${kubectl} get cep,svc,ep`),
    line(`  ${kubectl} describe cep ${MAIN}`),
    line(`  ${kubectl} delete svc ${MAIN}`),
  ]
}

/** Which key does what. */
export const KEYS = 'Keys t h u g: kill or revive a TCP, HTTP, UDP, gRPC host. Ctrl-C ends it all.'

/** The hint where there are no keys. */
export const NO_KEYS = 'Ctrl-C ends it all.'

export type KeepOptions = {
  /** Hosts that keys kill and revive, by the first letter of their kind. */
  readonly victims: readonly Member[]
  /** Called on Ctrl-C, which is a key in a terminal that tells us keys. */
  readonly end: () => void
  readonly signal: AbortSignal
  readonly onTrouble: (text: string) => void
}

/** Listens to keys, if there is a terminal to read from; resolves when `signal` aborts. */
export async function keep({ victims, end, signal, onTrouble }: KeepOptions): Promise<void> {
  const { stdin } = process
  const isDown = new Map(victims.map((member) => [member, false]))
  // One after the other, however fast somebody types.
  let work = Promise.resolve()
  const toggle = (member: Member) => {
    work = work.then(async () => {
      const { kill, restart } = member.backend
      const wasDown = isDown.get(member) ?? false
      isDown.set(member, !wasDown)
      await (wasDown ? restart() : kill())
    })
    work = work.catch((error: unknown) => {
      isDown.set(member, true)
      onTrouble(`Cannot revive ${shownAddress(member)}: ${messageOf(error)}`)
    })
  }
  const onKeys = (data: Buffer) => {
    for (const key of data.toString()) {
      if (ENDING_KEYS.has(key)) end()
      const victim = victims.find(({ port }) => port.kind.startsWith(key))
      if (victim) toggle(victim)
    }
  }
  const over = Promise.withResolvers<void>()
  signal.addEventListener('abort', () => over.resolve(), { once: true })
  if (signal.aborted) over.resolve()
  const isInteractive = stdin.isTTY && process.stdout.isTTY
  if (isInteractive) stdin.setRawMode(true).on('data', onKeys)
  await over.promise
  if (isInteractive) stdin.off('data', onKeys).setRawMode(false).pause()
  await work
}

/** Ctrl-C, Ctrl-D, q. */
const ENDING_KEYS = new Set(['\x03', '\x04', 'q'])
