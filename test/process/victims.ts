// Two hosts beside the others: one dies, one comes up. The proof that the operator learns again.

import { expect } from 'bun:test'
import { startTcp } from '../backends/tcp.ts'
import { eventually } from '../integration/eventually.ts'
import { tcpPort } from '../integration/manifests.ts'
import { STRICT } from './fleet.ts'
import type { Scene } from './scene.ts'

export type Victims = {
  /** `ip:port` of the host that is going to die. */
  readonly doomed: string
  /** One dies, the other one comes up. */
  readonly swap: () => Promise<void>
  /** Milliseconds from now until each of that is published. */
  readonly seen: () => Promise<{ readonly outMs: number; readonly inMs: number }>
}

const SEEN_MAX_MS = 10_000

/** Makes the ClusterEndpoint `victims`, with a period of one second. One of its two hosts answers. */
export async function startVictims(
  scene: Scene,
  hosts: readonly [string, string] = ['127.0.91.1', '127.0.91.2'],
): Promise<Victims> {
  const doomed = scene.keep(await startTcp({ host: hosts[0], port: 0 }))
  const dead = scene.keep(await startTcp({ host: hosts[1], port: 0 }))
  await dead.kill()
  scene.create('victims', {
    periodSeconds: 1,
    ports: [
      tcpPort('doomed', doomed.port, [doomed.host], { ...STRICT, port: 1 }),
      tcpPort('dead', dead.port, [dead.host], { ...STRICT, port: 2 }),
    ],
  })
  const untilPublished = (address: string, is: boolean) =>
    eventually(SEEN_MAX_MS, () =>
      expect([address, scene.published.has(address)]).toEqual([address, is]),
    )
  return {
    doomed: `${doomed.host}:${doomed.port}`,
    swap: async () => {
      await doomed.kill()
      await dead.restart()
    },
    seen: async () => {
      const [outMs, inMs] = await Promise.all([
        untilPublished(`${doomed.host}:${doomed.port}`, false),
        untilPublished(`${dead.host}:${dead.port}`, true),
      ])
      return { outMs, inMs }
    },
  }
}
