// /healthz is red when this process is stuck, and only then: what it waits for is not its illness.

import { describe, expect, test } from 'bun:test'
import type { ApiClient } from '../../k8s/client.ts'
import type { Controller } from '../../k8s/controller.ts'
import { createLog } from '../../k8s/log.ts'
import { type Reflector, startReflector } from '../../k8s/reflector.ts'
import { healthzOf } from '../../k8s/vitals.ts'
import { seed } from '../../probes/health.ts'
import { Simulation, target } from '../probes/simulation.ts'

type Stats = ReturnType<Controller['schedulerStats']>

const idle: Stats = { inFlight: 0, waiting: 0, latenessMs: 0, overdueMs: 0, stalls: 0 }
const MINUTE_MS = 60_000

describe('/healthz', () => {
  const NOW_MS = 10_000_000
  const rows: [sentence: string, overdueMs: number, silentMs: number, says: string | undefined][] =
    [
      ['is green when all is on time', 0, 0, undefined],
      ['is green while the tick is 10 s late', 10_000, 0, undefined],
      ['is red when the tick is later than that', 10_001, 0, 'the tick is 10s late'],
      ['is green while a watch gave no sign for 15 minutes', 0, 15 * MINUTE_MS, undefined],
      ['is red when that takes longer', 0, 15 * MINUTE_MS + 1, 'the watch of services is stuck'],
    ]
  test.each(rows)('%s', (_sentence, overdueMs, silentMs, says) => {
    const controller = controllerWith(
      { ...idle, overdueMs },
      { clusterendpoints: reflector(NOW_MS), services: reflector(NOW_MS - silentMs) },
    )
    expect(healthzOf(controller, () => NOW_MS)()).toBe(says)
  })

  test('turns red when the real scheduler is not woken for more than 10 s, and green when it is', async () => {
    const world = new Simulation(10, () => 'silent')
    world.start(target('a'), seed('healthy', 0, ''))
    await world.advance(200)
    const healthz = healthzOf(controllerWith(() => world.scheduler.stats(), {}))
    expect(healthz()).toBeUndefined()
    world.nowMs += 10_500
    expect(healthz()).toBe('the tick is 10s late')
    await world.stall(0, 'the tick')
    expect(healthz()).toBeUndefined()
  })

  test('turns red when a real list-and-watch loop hangs for more than 15 minutes', async () => {
    const stop = new AbortController()
    const never = new Promise<never>(() => {})
    const client: ApiClient = {
      request: () => never,
      stream: () => never,
      whenReachable: () => never,
    }
    const hung = startReflector({
      ...{ client, path: '/apis/x', signal: stop.signal, onReplace: () => {}, onChange: () => {} },
      log: createLog({ format: 'text', verbosity: 0 }, { write: (_text, onTaken) => onTaken() }),
    })
    const startMs = performance.now()
    const at = (ms: number) => healthzOf(controllerWith(idle, { hung }), () => startMs + ms)()
    expect(at(14 * MINUTE_MS)).toBeUndefined()
    expect(at(16 * MINUTE_MS)).toBe('the watch of hung is stuck')
    stop.abort()
  })
})

function controllerWith(
  stats: Stats | (() => Stats),
  reflectors: Controller['reflectors'],
): Controller {
  return {
    synced: Promise.resolve(),
    done: Promise.resolve(),
    lead: async () => {},
    resources: () => [],
    schedulerStats: typeof stats === 'function' ? stats : () => stats,
    resolverStats: () => ({ names: 0, failing: 0, inFlight: 0, told: 0, failed: 0 }),
    queueStats: () => ({ pending: 0, running: 0 }),
    reflectors,
  }
}

function reflector(lastSignMs: number): Reflector {
  const state = { isSynced: true, lastSignMs, lists: 1, watches: 1, trouble: undefined }
  const done = Promise.resolve()
  return { synced: done, done, refresh: () => done, state: () => state }
}
