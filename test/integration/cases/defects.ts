// What the Go original got wrong: each of these hung it, killed it, was refused by it or published nothing.

import { expect, test } from 'bun:test'
import { startSilentUdp } from '../../backends/misbehaving.ts'
import { startUdp } from '../../backends/udp.ts'
import { tcpPort } from '../manifests.ts'
import { Sandbox } from '../sandbox.ts'
import type { Session } from '../session.ts'

/** Milliseconds in which hosts that answer are published. */
const SOON_MS = 5_000
/** For the API server's defaults, which fill `periodSeconds: 10`. */
const TEST_MAX_MS = 30_000

export function defectCases(session: () => Session): void {
  test(
    'a gRPC probe without service asks for the server as a whole, and holds up nothing',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const [host] = session().world.hosts
      const grpc = await sandbox.start('grpc', host)
      const tcp = await sandbox.start('tcp', host)
      await sandbox.create('rpc', {
        ports: [
          { name: 'rpc', port: 1, targetPort: grpc.port, hosts: [host], grpc: { enable: true } },
          tcpPort('tcp', tcp.port, [host]),
        ],
      })
      await sandbox.eventually(SOON_MS, () => {
        expect(sandbox.published('rpc')).toEqual([
          `rpc TCP ${host}:${grpc.port}`,
          `tcp TCP ${host}:${tcp.port}`,
        ])
        expect(sandbox.status('rpc')).toMatchObject({ phase: 'Healthy', ready: '2/2' })
      })
    },
    TEST_MAX_MS,
  )

  test(
    'a silent UDP host is out with a reason, and its neighbours are in',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const [silent, loud] = session().world.hosts
      const udp = await sandbox.start('udp', loud)
      sandbox.keep(await startSilentUdp({ host: silent, port: udp.port }))
      const tcp = await sandbox.start('tcp', silent)
      await sandbox.create('udp', {
        periodSeconds: 1,
        ports: [
          {
            ...{ name: 'dns', protocol: 'UDP', port: 53, targetPort: udp.port },
            ...{ hosts: [silent, loud], udpSocket: { enable: true, data: 'ping' } },
          },
          tcpPort('tcp', tcp.port, [silent]),
        ],
      })
      await sandbox.eventually(SOON_MS, () => {
        expect(sandbox.published('udp')).toEqual([
          `dns UDP ${loud}:${udp.port}`,
          `tcp TCP ${silent}:${tcp.port}`,
        ])
        expect(sandbox.status('udp')?.hosts[0]).toMatchObject({
          ...{ port: 'dns', host: silent, healthy: false, reason: 'timeout after 1s' },
        })
      })
    },
    TEST_MAX_MS,
  )

  test(
    'periodSeconds and every other number left out means the default',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const [host] = session().world.hosts
      const { port } = await sandbox.start('tcp', host)
      await sandbox.create('plain', {
        ports: [{ name: 'web', port, hosts: [host], tcpSocket: {} }],
      })
      await sandbox.eventually(SOON_MS, () => {
        expect(sandbox.published('plain')).toEqual([`web TCP ${host}:${port}`])
        expect(sandbox.servicePorts('plain')).toEqual([`web TCP ${port} -> ${port}`])
        expect(sandbox.status('plain')?.phase).toBe('Healthy')
      })
      expect(sandbox.latest('clusterendpoints', 'plain')?.spec).toMatchObject({
        periodSeconds: 10,
        ports: [{ timeoutSeconds: 1, successThreshold: 1, failureThreshold: 3 }],
      })
    },
    TEST_MAX_MS,
  )

  test(
    'zero means the default, too',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const [host] = session().world.hosts
      const { port } = await sandbox.start('tcp', host)
      const zeros = { timeoutSeconds: 0, successThreshold: 0, failureThreshold: 0, targetPort: 0 }
      await sandbox.create('zeros', {
        periodSeconds: 0,
        ports: [{ ...tcpPort('web', port, [host]), port, ...zeros }],
      })
      await sandbox.eventually(SOON_MS, () => {
        expect(sandbox.published('zeros')).toEqual([`web TCP ${host}:${port}`])
        expect(sandbox.status('zeros')?.phase).toBe('Healthy')
      })
    },
    TEST_MAX_MS,
  )

  test(
    'httpGet without scheme is http',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const [host] = session().world.hosts
      const { port } = await sandbox.start('http', host)
      await sandbox.create('web', {
        ports: [{ name: 'web', port: 80, targetPort: port, hosts: [host], httpGet: { path: '/' } }],
      })
      await sandbox.eventually(SOON_MS, () =>
        expect(sandbox.published('web')).toEqual([`web TCP ${host}:${port}`]),
      )
    },
    TEST_MAX_MS,
  )

  test(
    'udpSocket.data as text and as bytes arrives as it was written',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const [host] = session().world.hosts
      const heard = new Set<string>()
      const { port } = sandbox.keep(
        await startUdp({ host, port: 0 }, (data, reply) => {
          heard.add(Buffer.from(data).toString('latin1'))
          reply(data)
        }),
      )
      const udp = (name: string, port: number, targetPort: number, data?: unknown) => ({
        ...{ name, protocol: 'UDP', port, targetPort, hosts: [host] },
        udpSocket: data === undefined ? {} : { data },
      })
      await sandbox.create('udp', {
        ports: [udp('text', 1, port, 'flag data'), udp('bytes', 2, port, [0, 255, 10])],
      })
      await sandbox.create('empty', { ports: [udp('empty', 1, port)] })
      await sandbox.eventually(SOON_MS, () => {
        expect(sandbox.status('udp')).toMatchObject({ ready: '2/2' })
        expect(sandbox.status('empty')).toMatchObject({ ready: '1/1' })
      })
      expect([...heard].sort()).toEqual(['', '\x00\xff\n', 'flag data'])
    },
    TEST_MAX_MS,
  )

  test(
    'udpSocket.data [300] is told in the status, and the next resource is served',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const [host] = session().world.hosts
      const { port } = await sandbox.start('udp', host)
      const udp = (data: unknown) => ({
        ...{ name: 'dns', protocol: 'UDP', port: 53, targetPort: port, hosts: [host] },
        udpSocket: { enable: true, data },
      })
      await sandbox.create('wrong', { ports: [udp([300])] })
      await sandbox.create('right', { ports: [udp([30])] })
      await sandbox.eventually(SOON_MS, () => {
        expect(sandbox.condition('wrong', 'Initialized')).toMatchObject({
          status: 'False',
          reason: 'InvalidSpec',
          message:
            'spec.ports[0].udpSocket.data: Invalid data: use text or an array of bytes from 0 to 255',
        })
        expect(sandbox.published('right')).toEqual([`dns UDP ${host}:${port}`])
      })
      expect(sandbox.latest('services', 'wrong')).toBeUndefined()
      expect(sandbox.events('wrong', 'InvalidSpec')).toHaveLength(1)
    },
    TEST_MAX_MS,
  )

  test(
    'a host name among addresses is told in the status, and the addresses are published',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const { hosts } = session().world
      const [{ port } = { port: 0 }] = await sandbox.startOnEach('tcp', hosts)
      const [first, second] = hosts
      await sandbox.create('db', {
        ports: [tcpPort('sql', port, [first, 'db_1.internal', second])],
      })
      await sandbox.eventually(SOON_MS, () => {
        expect(sandbox.published('db')).toEqual([
          `sql TCP ${first}:${port}`,
          `sql TCP ${second}:${port}`,
        ])
        expect(sandbox.status('db')).toMatchObject({ phase: 'UnHealthy', ready: '2/3' })
        expect(sandbox.status('db')?.hosts[0]).toMatchObject({
          host: 'db_1.internal',
          healthy: false,
          reason:
            'spec.ports[0].hosts[1]: Cannot use host "db_1.internal" as it must not hold an underscore',
        })
      })
    },
    TEST_MAX_MS,
  )

  test(
    'two probes in one entry are refused by the names of both',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const [host] = session().world.hosts
      await sandbox.create('both', {
        ports: [tcpPort('web', 80, [host], { httpGet: { path: '/' } })],
      })
      await sandbox.eventually(SOON_MS, () =>
        expect(sandbox.condition('both', 'Initialized')).toMatchObject({
          status: 'False',
          message: expect.stringContaining('at most one, this has tcpSocket and httpGet'),
        }),
      )
      expect(sandbox.latest('services', 'both')).toBeUndefined()
    },
    TEST_MAX_MS,
  )

  test(
    'a UDP host with an IPv6 address is probed and published',
    async () => {
      const { hostV6, name } = session().world
      if (hostV6 === undefined) {
        console.log(`${name}: no IPv6 on this machine, so none was probed`)
        return
      }
      await using sandbox = await Sandbox.open(session())
      const { port } = await sandbox.start('udp', hostV6)
      await sandbox.create('six', {
        ports: [
          {
            ...{ name: 'dns', protocol: 'UDP', port: 53, targetPort: port, hosts: [hostV6] },
            udpSocket: { data: 'ping' },
          },
        ],
      })
      await sandbox.eventually(SOON_MS, () =>
        expect(sandbox.published('six')).toEqual([`dns UDP ${hostV6}:${port}`]),
      )
    },
    TEST_MAX_MS,
  )
}
