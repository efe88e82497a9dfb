// Ten thousand names, a tenth of which no name server tells: probes and the others do not wait for them.

import { expect, test } from 'bun:test'
import { startNameServer } from '../dns/name-server.ts'
import { eventually } from '../integration/eventually.ts'
import { Heartbeat } from './arrivals.ts'
import { startFleet } from './fleet.ts'
import { report } from './report.ts'
import { Scene } from './scene.ts'

const NAMES = 10_000
/** Names of one ClusterEndpoint. */
const NAMES_EACH = 100
const FLEET = 200
/** Milliseconds in which all of them must have been asked: 500 in a second, and slack for silence and a busy machine. */
const ASKED_MAX_MS = 80_000
const TEST_MAX_MS = 120_000

test(
  'ten thousand names, a tenth of them unanswered, make no probe late, and the others are all published',
  async () => {
    using server = await startNameServer('127.0.0.1')
    const names = Array.from({ length: NAMES }, (_, n) => `n${n}.example`)
    for (const [n, name] of names.entries()) {
      if (n % 10 !== 0)
        server.zone.set(name, { a: [`127.0.${128 + (n >> 8)}.${n & 255}`], ttl: 60 })
      else server.faults.set(name, 'silent')
    }
    await using scene = await Scene.open({ args: [`--dns-servers=${server.address}`] })
    const fleet = await startFleet(scene, { count: FLEET, periodSeconds: 1 })
    await eventually(20_000, () => expect(scene.published.size).toBe(FLEET))

    const fromMs = performance.now()
    using heartbeat = new Heartbeat()
    for (let at = 0; at < NAMES; at += NAMES_EACH) {
      const ports = [{ port: 80, hosts: names.slice(at, at + NAMES_EACH) }]
      scene.create(`names-${at / NAMES_EACH}`, { ports })
    }
    await eventually(ASKED_MAX_MS, () =>
      expect(scene.published.size).toBeGreaterThanOrEqual(FLEET + 0.9 * NAMES),
    )
    const toMs = performance.now()
    const lateMs = fleet.arrivals.worstLatenessMs(1_000, fromMs, toMs)
    report('ten thousand names', {
      lateMs,
      tookMs: toMs - fromMs,
      worstBeatMs: heartbeat.worstMs,
      questions: server.questions().length,
      published: scene.published.size,
    })
    expect(lateMs).toBeLessThan(300 + heartbeat.forgivenMs)
    expect(scene.published.losses).toEqual([])
  },
  TEST_MAX_MS,
)
