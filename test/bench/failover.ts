// From the death of a host to the Endpoints without it, and from its return to the Endpoints with it.

import { clusterEndpoint, tcpPort } from '../integration/manifests.ts'
import { type Figure, percentile } from './figure.ts'
import type { Listener } from './hosts.ts'
import { type BenchOptions, Stage } from './stage.ts'

const HOSTS_EACH = 20
const PERIOD_SECONDS = 1
/** In all of this time they die, or return, one by one. Milliseconds. */
const SPREAD_MS = 3_000
/** Milliseconds after which the last one must be seen. */
const SEEN_MAX_MS = 10_000
/** A period of rest, so that the next round begins on settled hosts. Milliseconds. */
const REST_MS = 1_500

type Victim = { readonly address: string; readonly listener: Listener }

export async function failover(options: BenchOptions): Promise<Figure[]> {
  // Delays are anything up to a period: the median of 600 is within 0.02 s of what it is.
  const [resources, rounds] = options.isQuick ? [10, 1] : [50, 12]
  await using stage = await Stage.open(options)
  await stage.startOperator()
  const { port } = await stage.hosts.start('tcp')
  const victims: Victim[] = []
  const bodies: unknown[] = []
  for (let n = 0; n < resources; n++) {
    const [host = '', ...others] = stage.addresses(n * HOSTS_EACH, HOSTS_EACH)
    const listener = await stage.hosts.start('tcp', host)
    victims.push({ address: `${host}:${listener.port}`, listener })
    const strict = { failureThreshold: 1 }
    const steady = tcpPort('steady', port, others, { ...strict, port: 1 })
    const victim = tcpPort('victim', listener.port, [host], { ...strict, port: 2 })
    bodies.push(
      clusterEndpoint(`failover-${n}`, { periodSeconds: PERIOD_SECONDS, ports: [steady, victim] }),
    )
  }
  await stage.send(bodies)
  await stage.untilPublished(resources * HOSTS_EACH)
  const outMs: number[] = []
  const inMs: number[] = []
  for (let round = 0; round < rounds; round++) {
    await Bun.sleep(REST_MS)
    outMs.push(...(await delays(stage, victims, 'kill')))
    await Bun.sleep(REST_MS)
    inMs.push(...(await delays(stage, victims, 'restart')))
  }
  const what = `${resources * HOSTS_EACH} targets, period ${PERIOD_SECONDS} s`
  return [...figuresOf(`failover, ${what}`, outMs), ...figuresOf(`recovery, ${what}`, inMs)]
}

/** Does it to each victim at a moment of its own; milliseconds until each was seen. */
async function delays(
  stage: Stage,
  victims: readonly Victim[],
  what: 'kill' | 'restart',
): Promise<number[]> {
  return await Promise.all(
    victims.map(async ({ address, listener }) => {
      await Bun.sleep(Math.random() * SPREAD_MS)
      const atMs = await listener[what]()
      const deadlineMs = performance.now() + SEEN_MAX_MS
      for (;;) {
        const sinceMs = stage.watch.sinceMs(address, what === 'restart')
        if (sinceMs !== undefined) return sinceMs - atMs
        if (performance.now() > deadlineMs) throw new Error(`Nobody saw the ${what} of ${address}`)
        await Bun.sleep(5)
      }
    }),
  )
}

function figuresOf(name: string, delaysMs: readonly number[]): Figure[] {
  const floor = PERIOD_SECONDS / 2
  const seconds = delaysMs.map((ms) => ms / 1000)
  return [
    { name: `${name}, p50`, value: percentile(seconds, 0.5), unit: 's', floor, aim: { most: 0.6 } },
    {
      name: `${name}, p99`,
      value: percentile(seconds, 0.99),
      unit: 's',
      floor,
      aim: { most: 1.2 },
    },
  ]
}
