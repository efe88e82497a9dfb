// Stopped processes (SIGSTOP, a suspended node, a paused machine): the operator with attempts in flight,
// and the API server. Nobody is removed for it, and nobody is asked twice for it.

import { expect, test } from 'bun:test'
import { startTcp } from '../backends/tcp.ts'
import { eventually, throughout } from '../integration/eventually.ts'
import { clusterEndpoint, tcpPort } from '../integration/manifests.ts'
import { startApiProcess } from './api-process.ts'
import { Arrivals, Heartbeat } from './arrivals.ts'
import { STRICT, startFleet } from './fleet.ts'
import { report } from './report.ts'
import { Scene } from './scene.ts'
import { startSlowHosts } from './slow-hosts.ts'
import { spawnOperator, statusOf } from './spawn.ts'
import { startVictims } from './victims.ts'

const STOPPED_MS = 20_000
const FLEET = 300
const SLOW = 40
const PERIOD_MS = 1_000
/** What is less late than this is not put off after a stall: probes/scheduler.ts, STALL_MS. */
const STALL_MS = 250
const BIN_MS = 100
/** More than the tick may be late: whatever turned red for it would have done so by then. */
const API_STOPPED_MS = 12_000
const LATE_MAX_MS = 200
const TEST_MAX_MS = 90_000

// Both at once: all they do is wait.
const stopTest = test.skipIf(process.platform !== 'linux').concurrent

stopTest(
  '20 s of SIGSTOP with attempts in flight remove nobody, and no burst follows',
  async () => {
    await using scene = await Scene.open()
    const { operator, published } = scene
    const { arrivals } = await startFleet(scene, { count: FLEET, periodSeconds: PERIOD_MS / 1000 })
    const slow = await startSlowHosts(scene, { count: SLOW, answerMs: 800, timeoutSeconds: 5 })
    const victims = await startVictims(scene)
    await eventually(20_000, () => expect(published.size).toBe(FLEET + SLOW + 1))
    const calmMs = performance.now()
    await eventually(10_000, () => expect(arrivals.count(calmMs)).toBeGreaterThan(3 * FLEET))
    const before = arrivals.densest(calmMs, performance.now(), BIN_MS)
    await eventually(5_000, () => expect(slow.inFlight()).toBeGreaterThan(5))

    operator.kill('SIGSTOP')
    const stoppedMs = performance.now()
    const inFlight = slow.inFlight()
    // Who asked them is stopped: what is in flight is reset, one host goes and another comes.
    await slow.reset()
    await victims.swap()
    expect(await statusOf(`${operator.healthUrl}/healthz`)).toBeUndefined()
    const requestsBefore = scene.server.count()
    const leftMs = STOPPED_MS - (performance.now() - stoppedMs)
    await throughout(leftMs, () => expect(published.losses).toEqual([]))
    operator.kill('SIGCONT')
    const wokenMs = performance.now()

    const [greenMs, { outMs, inMs }] = await Promise.all([
      eventually(5_000, async () =>
        expect(await statusOf(`${operator.healthUrl}/healthz`)).toBe(200),
      ),
      victims.seen(),
    ])
    await eventually(10_000, () =>
      expect(performance.now() - wokenMs).toBeGreaterThan(4 * PERIOD_MS),
    )
    const nowMs = performance.now()
    const after = arrivals.densest(wokenMs, nowMs, BIN_MS)
    const unknown = await scene.metric('cep_num_check_unknown')
    const stalls = await scene.metric('cep_stalls_total')
    const requests = scene.server.count() - requestsBefore
    report(`20 s of SIGSTOP, arrivals per ${BIN_MS} ms`, {
      ...{ before, after, inFlight, unknown, stalls, requests, greenMs, outMs, inMs },
    })
    expect(published.losses.map(({ address }) => address)).toEqual([victims.doomed])
    expect(unknown).toBeGreaterThan(0)
    // What fell due in the last moment of the stall comes at once, and no more than that.
    const due = (FLEET / PERIOD_MS) * (STALL_MS + BIN_MS)
    expect(after).toBeLessThanOrEqual(1.5 * due)
    // Put off by a period at most, and in the rhythm from then on.
    expect(arrivals.count(wokenMs, nowMs)).toBeGreaterThanOrEqual(3 * FLEET)
    expect(Math.max(outMs, inMs)).toBeLessThan(2 * PERIOD_MS + 1_000)
    // One for each of the two Services' Endpoints, their status and Events: no list, no storm.
    expect(requests).toBeLessThan(20)
  },
  TEST_MAX_MS,
)

stopTest(
  'an API server that is stopped for 12 s (SIGSTOP) turns nothing red and holds up no attempt',
  async () => {
    await using api = await startApiProcess()
    const arrivals = new Arrivals()
    const host = '127.0.93.1'
    const good = await startTcp({ host, port: 0 }, (socket) => {
      arrivals.note(host)
      socket.resume()
    })
    const doomed = await startTcp({ host: '127.0.93.2', port: 0 })
    const ports = [good, doomed].map((backend, n) =>
      tcpPort(`p${n}`, backend.port, [backend.host], { ...STRICT, port: n + 1 }),
    )
    const namespace = '/namespaces/default'
    await api.send(
      'POST',
      `/apis/sealos.io/v1beta1${namespace}/clusterendpoints`,
      clusterEndpoint('watched', { periodSeconds: PERIOD_MS / 1000, ports }),
    )
    await using operator = await spawnOperator({
      ...{ kubeconfig: api.kubeconfig, args: ['--allow-loopback'] },
    })
    const published = async () => await api.send('GET', `/api/v1${namespace}/endpoints/watched`)
    await eventually(10_000, async () => expect(await published()).toContain(doomed.host))

    api.kill('SIGSTOP')
    const stoppedMs = performance.now()
    using heartbeat = new Heartbeat()
    await doomed.kill()
    await throughout(API_STOPPED_MS, async () => {
      expect(await statusOf(`${operator.healthUrl}/healthz`)).toBe(200)
      expect(await statusOf(`${operator.healthUrl}/readyz`)).toBe(200)
    })
    const lateMs = arrivals.worstLatenessMs(PERIOD_MS, stoppedMs, performance.now())
    api.kill('SIGCONT')
    const outMs = await eventually(10_000, async () =>
      expect(await published()).not.toContain(doomed.host),
    )
    report('12 s of SIGSTOP of the API server', { lateMs, machineMs: heartbeat.worstMs, outMs })
    expect(await published()).toContain(host)
    expect(lateMs).toBeLessThan(LATE_MAX_MS + heartbeat.forgivenMs)
    expect(outMs).toBeLessThan(5_000)
    expect(await operator.stop()).toMatchObject({ code: 0 })
    await good.kill()
  },
  TEST_MAX_MS,
)
