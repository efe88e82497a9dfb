// Starts a process full of misbehaving hosts, and says how to ask them.

import { BAD_HOSTS, type BadHost } from './kinds.ts'

/** One host: its kind, and its entry of `spec.ports`. */
export type BadTarget = {
  readonly kind: BadHost
  readonly host: string
  readonly targetPort: number
}

export type BadHosts = { readonly targets: readonly BadTarget[]; kill(): Promise<void> }

/** Starts `count` hosts, each kind in turn; throws when one does not come up. */
export async function startBadHosts(count: number): Promise<BadHosts> {
  const child = Bun.spawn(
    [process.execPath, `${import.meta.dir}/bad-hosts.child.ts`, String(count)],
    { stdin: 'pipe', stdout: 'pipe', stderr: 'inherit' },
  )
  const kill = async () => {
    child.kill('SIGKILL')
    await child.exited
  }
  const ports = await firstLine(child.stdout)
  const targets = ports.flatMap((targetPort, index) => {
    const kind = BAD_HOSTS[index % BAD_HOSTS.length]
    return kind ? [{ kind, host: badAddress(index), targetPort }] : []
  })
  return { targets, kill }
}

/** Each has an address of its own. */
export function badAddress(index: number): string {
  return `127.0.200.${index}`
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<number[]> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of stream) {
    text += decoder.decode(chunk)
    if (text.includes('\n')) return JSON.parse(text) as number[] // printed by bad-hosts.child.ts
  }
  throw new Error('Cannot start the misbehaving hosts')
}
