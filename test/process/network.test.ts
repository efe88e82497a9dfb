// The machine's own network fails: no local ports, no route, no interface, no name server.

import { afterEach, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { startHttp } from '../backends/http.ts'
import { startUdp } from '../backends/udp.ts'
import { startNameServer } from '../dns/name-server.ts'
import { eventually, throughout } from '../integration/eventually.ts'
import { Heartbeat } from './arrivals.ts'
import { STRICT, startFleet } from './fleet.ts'
import { describeInside } from './inside.ts'
import { report } from './report.ts'
import { Scene } from './scene.ts'
import { statusOf } from './spawn.ts'
import { startVictims } from './victims.ts'

const FLEET = 100
/** Milliseconds for which each trouble lasts. */
const WINDOW_MS = 3_000
/** Milliseconds from the end of the trouble until what happened meanwhile is known: a period and slack. */
const SEEN_MAX_MS = 3_000
const PORT_RANGE = '/proc/sys/net/ipv4/ip_local_port_range'
/** A network on `lo`, all of whose addresses are this machine's. */
const NETWORK = '10.33.41.1/24'
const hostOf = (n: number) => `10.33.41.${n}`
const TEST_MAX_MS = 60_000

describeInside('a network that fails', import.meta.path, () => {
  const range = readFileSync(PORT_RANGE, 'utf8')
  afterEach(() => {
    writeFileSync(PORT_RANGE, range)
    ip('addr', 'replace', NETWORK, 'dev', 'lo')
  })

  test(
    'local ports that run out remove nobody',
    async () => {
      await using scene = await Scene.open()
      const host = '10.33.40.151'
      const http = scene.keep(await startHttp({ host, port: 0 }))
      const udp = scene.keep(await startUdp({ host, port: 0 }))
      // Many ports that lead to one address: each attempt takes a local port of the same few.
      const entries = Array.from({ length: FLEET }, (_, n) => [
        { name: `tcp${n}`, port: n + 1, targetPort: http.port, tcpSocket: { enable: true } },
        { name: `http${n}`, port: n + 1_001, targetPort: http.port, httpGet: {} },
        {
          ...{ name: `udp${n}`, port: n + 2_001, targetPort: udp.port, protocol: 'UDP' },
          udpSocket: { enable: true },
        },
      ]).flat()
      const ports = entries.map((entry) => ({ ...STRICT, hosts: [host], ...entry }))
      scene.create('many', { periodSeconds: 1, ports })
      const victims = await startVictims(scene)
      const status = () => scene.server.store.get('clusterendpoints', 'default', 'many')?.status
      await eventually(20_000, () => {
        expect(status()).toMatchObject({ ready: `${ports.length}/${ports.length}` })
        expect(scene.published.has(victims.doomed)).toBe(true)
      })

      writeFileSync(PORT_RANGE, '50000 50003')
      await throughout(WINDOW_MS, () => {
        expect(status()).toMatchObject({ ready: `${ports.length}/${ports.length}` })
        expect(scene.published.losses).toEqual([])
      })
      writeFileSync(PORT_RANGE, range)
      await victims.swap()
      const { outMs, inMs } = await victims.seen()
      const unknown = await scene.metric('cep_num_check_unknown')
      const failed = await scene.metric('cep_num_check_failed')
      report('local ports', { unknown, failed, outMs, inMs })
      expect(unknown).toBeGreaterThan(FLEET)
      expect(scene.published.losses.map(({ address }) => address)).toEqual([victims.doomed])
      expect(Math.max(outMs, inMs)).toBeLessThan(SEEN_MAX_MS)
    },
    TEST_MAX_MS,
  )

  const troubles: [string, () => void, () => void][] = [
    [
      'a route',
      () => ip('addr', 'del', NETWORK, 'dev', 'lo'),
      () => ip('addr', 'add', NETWORK, 'dev', 'lo'),
    ],
    ['any route at all, the API server out of reach as well', unroute, reroute],
  ]
  for (const [name, begin, end] of troubles) {
    test(
      `hosts without ${name}, are not removed, and asked again as soon as there is one`,
      async () => {
        ip('addr', 'replace', NETWORK, 'dev', 'lo')
        await using scene = await Scene.open()
        const fleet = await startFleet(scene, { count: FLEET, periodSeconds: 1, hostOf })
        const victims = await startVictims(scene, [hostOf(201), hostOf(202)])
        await eventually(20_000, () => expect(scene.published.size).toBe(FLEET + 1))
        const usual = fleet.arrivals.densest(0, performance.now())

        begin()
        const beganMs = performance.now()
        await throughout(WINDOW_MS, () => expect(scene.published.losses).toEqual([]))
        expect(fleet.arrivals.count(beganMs + 100)).toBe(0)
        end()
        const endedMs = performance.now()
        await victims.swap()
        const { outMs, inMs } = await victims.seen()
        await eventually(5_000, () =>
          expect(fleet.arrivals.count(endedMs)).toBeGreaterThan(2 * FLEET),
        )
        const densest = fleet.arrivals.densest(endedMs, performance.now())
        const unknown = await scene.metric('cep_num_check_unknown')
        report(`without ${name}`, { unknown, usual, densest, outMs, inMs })
        expect(unknown).toBeGreaterThan(FLEET)
        expect(scene.published.losses.map(({ address }) => address)).toEqual([victims.doomed])
        expect(Math.max(outMs, inMs)).toBeLessThan(SEEN_MAX_MS)
        expect(densest).toBeLessThanOrEqual(Math.max(2 * usual, FLEET / 2))
      },
      TEST_MAX_MS,
    )
  }

  test(
    'a name server that falls silent costs probes nothing, and the API server only while it lasts',
    async () => {
      using names = await startNameServer('10.33.40.153', 53)
      names.zone.set(NAME, { a: ['127.0.0.1'] })
      await using scene = await Scene.open({ kubeconfig: byName, prefix: RESOLVED_BY_TEST })
      expect(names.questions().length).toBeGreaterThan(0)
      const fleet = await startFleet(scene, { count: FLEET, periodSeconds: 1 })
      const victims = await startVictims(scene)
      await eventually(20_000, () => expect(scene.published.size).toBe(FLEET + 1))

      names.fault = 'silent'
      const asked = names.questions().length
      // Every connection is gone, and what was known of the name is too old.
      scene.server.pause()
      await eventually(10_000, () => expect(names.questions().length).toBeGreaterThan(asked))
      scene.server.resume()
      const silentMs = performance.now()
      using heartbeat = new Heartbeat()
      await victims.swap()
      const seen = victims.seen()
      await throughout(WINDOW_MS, async () => {
        expect(await statusOf(`${scene.operator.healthUrl}/healthz`)).toBe(200)
        expect(scene.published.losses).toEqual([])
      })
      const lateMs = fleet.arrivals.worstLatenessMs(1_000, silentMs, performance.now())
      names.fault = undefined
      const spokeMs = performance.now()
      const { outMs, inMs } = await seen
      report('a silent name server', {
        lateMs,
        questions: names.questions().length - asked,
        seenMs: Math.max(outMs, inMs) - (spokeMs - silentMs),
      })
      expect(lateMs).toBeLessThan(200 + heartbeat.forgivenMs)
      expect(scene.published.losses.map(({ address }) => address)).toEqual([victims.doomed])
    },
    TEST_MAX_MS,
  )
})

const NAME = 'api.test'

/** Every look-up of a route fails, even that of a local address. */
function unroute(): void {
  ip('rule', 'add', 'pref', '10', 'lookup', 'local')
  ip('rule', 'add', 'pref', '5', 'unreachable')
  ip('rule', 'del', 'pref', '0')
}

function reroute(): void {
  ip('rule', 'add', 'pref', '0', 'lookup', 'local')
  ip('rule', 'del', 'pref', '5')
  ip('rule', 'del', 'pref', '10')
}

/** Runs a command with a resolv.conf that names the test's server, in a mount namespace of its own. */
const RESOLVED_BY_TEST = [
  ...['unshare', '-m', 'sh', '-ec'],
  [
    'file=$(mktemp)',
    'echo "nameserver 10.33.40.153" > "$file"',
    'mount --bind "$file" /etc/resolv.conf',
    'rm "$file"',
    // Bun believes an answer for 30 s, which would only put off what the test is about.
    'exec env BUN_CONFIG_DNS_TIME_TO_LIVE_SECONDS=1 "$@"',
  ].join('\n'),
  'sh',
]

/** The kubeconfig at `path` with the server's name in place of its address, beside it. */
function byName(path: string): string {
  const copy = `${path}-by-name`
  writeFileSync(copy, readFileSync(path, 'utf8').replace('127.0.0.1', NAME), { mode: 0o600 })
  return copy
}

function ip(...args: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(['ip', ...args])
  if (exitCode !== 0) throw new Error(`Cannot change the network (ip ${args.join(' ')}): ${stderr}`)
}
