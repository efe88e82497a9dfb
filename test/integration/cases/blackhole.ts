// Hosts that swallow packets cost nobody else anything: the rhythm is measured where the probes arrive.

import { expect, test } from 'bun:test'
import { startTcp } from '../../backends/tcp.ts'
import { tcpPort } from '../manifests.ts'
import { Sandbox } from '../sandbox.ts'
import type { Session } from '../session.ts'

const PERIOD_MS = 1_000
const PERIODS = 6
/** Milliseconds that an attempt may come early or late. */
const OFF_MAX_MS = 200
const WATCHED = 20
const DEAF_RESOURCES = 20
const TEST_MAX_MS = 60_000

export function blackholeCases(session: () => Session): void {
  test(
    'hosts whose packets are dropped do not delay the attempts on others by 200 ms',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const [host] = session().world.hosts
      const arrivals: { port: number; atMs: number[] }[] = []
      for (let index = 0; index < WATCHED; index++) {
        const atMs: number[] = []
        const { port } = sandbox.keep(
          await startTcp({ host, port: 0 }, (socket) => {
            atMs.push(performance.now())
            socket.resume()
          }),
        )
        arrivals.push({ port, atMs })
      }
      const ports = arrivals.map(({ port }, index) =>
        tcpPort(`p${index}`, port, [host], { port: index + 1 }),
      )
      await sandbox.create('watched', { periodSeconds: PERIOD_MS / 1000, ports })
      await sandbox.eventually(5_000, () =>
        expect(sandbox.status('watched')?.ready).toBe(`${WATCHED}/${WATCHED}`),
      )

      const deaf = sandbox.keep(await session().world.startDeaf())
      for (let index = 0; index < DEAF_RESOURCES; index++) {
        await sandbox.create(`deaf-${index}`, {
          periodSeconds: 1,
          ports: deafPorts(deaf.host, deaf.port),
        })
      }
      const last = `deaf-${DEAF_RESOURCES - 1}`
      await sandbox.eventually(5_000, () => expect(sandbox.status(last)?.ready).toBe('0/4'))

      const fromMs = performance.now()
      await Bun.sleep(PERIODS * PERIOD_MS)
      const offs = arrivals.flatMap(({ atMs }) => offsOf(atMs.filter((each) => each >= fromMs)))
      expect(offs.length).toBeGreaterThanOrEqual(WATCHED * (PERIODS - 2))
      const worstMs = Math.max(...offs)
      console.log(
        `${session().world.name}: attempts beside ${DEAF_RESOURCES * 4} deaf targets at most ${Math.round(worstMs)} ms off their rhythm`,
      )
      expect(worstMs).toBeLessThan(OFF_MAX_MS)
      for (let index = 0; index < DEAF_RESOURCES; index++) {
        expect(sandbox.published(`deaf-${index}`)).toEqual([])
      }
    },
    TEST_MAX_MS,
  )
}

/** One port of each kind, with timeouts longer than the period. */
function deafPorts(host: string, targetPort: number) {
  const common = { targetPort, hosts: [host], timeoutSeconds: 3 }
  return [
    { ...common, name: 'tcp', port: 1, tcpSocket: {} },
    { ...common, name: 'http', port: 2, httpGet: { path: '/' } },
    { ...common, name: 'grpc', port: 3, grpc: {} },
    { ...common, name: 'udp', port: 4, protocol: 'UDP', udpSocket: {} },
  ]
}

/** How far each gap between attempts is from the period, milliseconds. */
function offsOf(atMs: readonly number[]): number[] {
  return atMs.slice(1).map((each, index) => Math.abs(each - (atMs[index] ?? 0) - PERIOD_MS))
}
