// Hosts that take their time to answer, so that there are always attempts in flight.

import { startHttp } from '../backends/http.ts'
import { STRICT } from './fleet.ts'
import type { Scene } from './scene.ts'

export type SlowHosts = {
  /** Attempts that wait for their answer now. */
  readonly inFlight: () => number
  /** Resets every connection. Who connects a moment later is served. */
  readonly reset: () => Promise<void>
}

/** Makes the ClusterEndpoint `slow` of `count` hosts, with a period of one second. */
export async function startSlowHosts(
  scene: Scene,
  options: { readonly count: number; readonly answerMs: number; readonly timeoutSeconds: number },
): Promise<SlowHosts> {
  const { count, answerMs, timeoutSeconds } = options
  let inFlight = 0
  const backend = scene.keep(
    await startHttp({
      ...{ host: '0.0.0.0', port: 0 },
      handler: async () => {
        inFlight++
        await Bun.sleep(answerMs)
        inFlight--
        return new Response('ok\n')
      },
    }),
  )
  const hosts = Array.from({ length: count }, (_, n) => `127.0.90.${n}`)
  const entry = { name: 'slow', port: 1, targetPort: backend.port, hosts, httpGet: {} }
  scene.create('slow', { periodSeconds: 1, ports: [{ ...STRICT, ...entry, timeoutSeconds }] })
  return { inFlight: () => inFlight, reset: backend.restart }
}
