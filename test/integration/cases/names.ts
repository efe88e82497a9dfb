// Hosts that are names: their addresses come and go as name servers say, and stay while those say nothing.

import { describe, expect, test } from 'bun:test'
import type { Entry } from '../../dns/message.ts'
import { throughout } from '../eventually.ts'
import { tcpPort } from '../manifests.ts'
import { published } from '../objects.ts'
import { Sandbox } from '../sandbox.ts'
import type { Session } from '../session.ts'
import { endpointsOf, serviceOf } from './made.ts'

const TEST_MAX_MS = 90_000
/** Milliseconds in which a name is asked again, whose TTL is short: five seconds, and what adds to them. */
const AGAIN_MS = 8_000

export function nameCases(session: () => Session): void {
  describe('a host that is a name', () => {
    test.concurrent(
      'publishes each of its addresses; one that vanishes stays until a second answer misses it, and no other leaves for a moment',
      async () => {
        await using sandbox = await Sandbox.open(session())
        const { hosts } = session().world
        const { name, entry, port, lines } = await named(sandbox, { a: hosts })
        await sandbox.create('db', { periodSeconds: 1, ports: [tcpPort('sql', port, [name])] })
        await sandbox.eventually(5_000, () => {
          expect(sandbox.published('db')).toEqual(lines(hosts))
          expect(sandbox.status('db')).toMatchObject({ phase: 'Healthy', ready: '2/2' })
        })
        expect(sandbox.status('db')?.hosts).toMatchObject(
          hosts.map((host) => ({ port: 'sql', host, name, targetPort: port, healthy: true })),
        )
        expect(sandbox.condition('db', 'NamesResolved')).toMatchObject({
          status: 'True',
          reason: 'Resolved',
        })

        const [staying] = hosts
        entry({ a: [staying] })
        const asked = () => questions(session(), name)
        const before = asked()
        // Two families for each look-up: the first after the change, and part of the second.
        await sandbox.eventually(AGAIN_MS, () => expect(asked()).toBeGreaterThanOrEqual(before + 2))
        await throughout(1_000, () => expect(sandbox.published('db')).toEqual(lines(hosts)))
        await sandbox.eventually(AGAIN_MS, () => {
          expect(sandbox.published('db')).toEqual(lines([staying]))
          expect(sandbox.status('db')).toMatchObject({ phase: 'Healthy', ready: '1/1' })
        })
        expect(asked()).toBeGreaterThanOrEqual(before + 4)
        const versions = session().recordings.endpoints.versions(sandbox.namespace, 'db')
        const since = versions.findIndex(({ object }) => published(object).length > 0)
        for (const { object } of versions.slice(since)) {
          expect(published(object)).toContain(`sql TCP ${staying}:${port}`)
        }
      },
      TEST_MAX_MS,
    )

    test.concurrent(
      'that does not exist is out with the reason, comes in when it does, and goes when it is gone for two answers',
      async () => {
        await using sandbox = await Sandbox.open(session())
        const { hosts } = session().world
        const { name, entry, port, lines, remove } = await named(sandbox, {})
        remove()
        await sandbox.create('db', { periodSeconds: 1, ports: [tcpPort('sql', port, [name])] })
        await sandbox.eventually(5_000, () => {
          expect(sandbox.status('db')).toMatchObject({
            phase: 'UnHealthy',
            ready: '0/1',
            hosts: [{ host: name, healthy: false, reason: 'dns NXDOMAIN' }],
          })
          expect(sandbox.condition('db', 'NamesResolved')).toMatchObject({
            status: 'False',
            reason: 'NoAddress',
            message: `No address for ${name} (dns NXDOMAIN)`,
          })
        })
        await sandbox.eventually(5_000, () =>
          expect(sandbox.events('db', 'NoAddress')).toHaveLength(1),
        )

        entry({ a: hosts })
        await sandbox.eventually(AGAIN_MS, () => {
          expect(sandbox.published('db')).toEqual(lines(hosts))
          expect(sandbox.condition('db', 'NamesResolved')).toMatchObject({ status: 'True' })
        })

        remove()
        const asked = questions(session(), name)
        await sandbox.eventually(2 * AGAIN_MS, () => {
          expect(sandbox.published('db')).toEqual([])
          expect(sandbox.condition('db', 'NamesResolved')).toMatchObject({ reason: 'NoAddress' })
        })
        expect(questions(session(), name)).toBeGreaterThanOrEqual(asked + 4)
      },
      TEST_MAX_MS,
    )

    test.concurrent(
      'is asked again when its TTL ends, not before; at once when all its addresses are out',
      async () => {
        await using sandbox = await Sandbox.open(session())
        const [first, second] = session().world.hosts
        const { name, entry, port, lines, backends } = await named(sandbox, { a: [first], ttl: 60 })
        await sandbox.create('db', { periodSeconds: 1, ports: [tcpPort('sql', port, [name])] })
        await sandbox.eventually(5_000, () =>
          expect(sandbox.published('db')).toEqual(lines([first])),
        )
        await throughout(7_000, () => expect(questions(session(), name)).toBe(2))

        // What a database does that fails over: the old address dies, the name leads to the new one.
        entry({ a: [second], ttl: 60 })
        await backends[0]?.kill()
        await sandbox.eventually(12_000, () =>
          expect(sandbox.published('db')).toEqual(lines([second])),
        )
      },
      TEST_MAX_MS,
    )

    test.concurrent(
      'may lead to aliases, to addresses that cannot be published, which are told, and to IPv6, which a cluster of IPv4 has no use for',
      async () => {
        await using sandbox = await Sandbox.open(session())
        const { hosts, hostV6 } = session().world
        const { name, port, lines } = await named(sandbox, { cname: `alias.${sandbox.namespace}` })
        session().nameServer.zone.set(`alias.${sandbox.namespace}`, {
          a: ['169.254.1.1', ...hosts],
          aaaa: hostV6 === undefined ? [] : [hostV6],
        })
        await sandbox.create('db', { periodSeconds: 1, ports: [tcpPort('sql', port, [name])] })
        await sandbox.eventually(5_000, () => {
          expect(sandbox.published('db')).toEqual(lines(hosts).toSorted())
          expect(sandbox.condition('db', 'DualStack')).toBeUndefined()
          expect(sandbox.status('db')?.ready).toBe('2/3')
          expect(sandbox.status('db')?.hosts[0]).toEqual({
            port: 'sql',
            host: '169.254.1.1',
            targetPort: port,
            healthy: false,
            reason: `spec.ports[0].hosts[0]: ${name}: Cannot use host "169.254.1.1" as it must not be a link-local address`,
          })
        })
      },
      TEST_MAX_MS,
    )

    test.concurrent(
      'has its first 64 addresses published, and how many are left out is told',
      async () => {
        await using sandbox = await Sandbox.open(session())
        const a = session().world.manyHosts(70)
        const { name, port, lines } = await named(sandbox, { a })
        const untested = { name: 'sql', port: 80, targetPort: port, hosts: [name] }
        await sandbox.create('db', { ports: [untested] })
        await sandbox.eventually(5_000, () => {
          expect(sandbox.published('db')).toEqual(lines(a.toSorted().slice(0, 64)).toSorted())
          expect(sandbox.condition('db', 'NamesResolved')).toMatchObject({
            status: 'True',
            reason: 'AddressesLeftOut',
            message: `All names are resolved; addresses left out, as there are too many: 6 of ${name}`,
          })
        })
      },
      TEST_MAX_MS,
    )
  })

  test(
    'name servers that fail, are lame or silent take nobody out, not even when the operator starts anew meanwhile',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const { hosts } = session().world
      const { nameServer } = session()
      const { name, port, lines } = await named(sandbox, { a: hosts })
      await sandbox.create('db', { periodSeconds: 1, ports: [tcpPort('sql', port, [name])] })
      await sandbox.eventually(5_000, () => {
        expect(sandbox.published('db')).toEqual(lines(hosts))
        expect(sandbox.status('db')?.phase).toBe('Healthy')
      })
      const [, , version] = sandbox.resourceVersions('db')
      const resolved = () => sandbox.condition('db', 'NamesResolved')

      nameServer.faults.set(name, 'empty')
      await sandbox.eventually(2 * AGAIN_MS, () => {
        expect(resolved()).toMatchObject({
          status: 'False',
          reason: 'LookupFailing',
          message: `The last addresses are kept of ${name} (dns lame answer)`,
        })
      })
      const sinceFailing = resolved()?.lastTransitionTime
      expect(sandbox.status('db')).toMatchObject({ phase: 'Healthy', ready: '2/2' })
      nameServer.faults.set(name, 'SERVFAIL')
      const asked = questions(session(), name)
      await sandbox.eventually(2 * AGAIN_MS, () =>
        expect(questions(session(), name)).toBeGreaterThanOrEqual(asked + 4),
      )

      nameServer.faults.set(name, 'silent')
      await session().restart()
      const reborn = questions(session(), name)
      await sandbox.eventually(2 * AGAIN_MS, () =>
        expect(questions(session(), name)).toBeGreaterThanOrEqual(reborn + 4),
      )
      await throughout(3_000, () => {
        expect(sandbox.resourceVersions('db')[2]).toBe(version ?? '')
        expect(sandbox.status('db')).toMatchObject({ phase: 'Healthy', ready: '2/2' })
        expect(resolved()?.lastTransitionTime).toBe(sinceFailing ?? '')
      })

      nameServer.faults.delete(name)
      await sandbox.eventually(2 * AGAIN_MS, () => expect(resolved()?.status).toBe('True'))
      expect(sandbox.resourceVersions('db')[2]).toBe(version ?? '')
      expect(sandbox.events('db', 'LookupFailing').length).toBeGreaterThan(0)
    },
    TEST_MAX_MS,
  )

  test.concurrent(
    'a name that is put in place of addresses made by hand keeps them: no probe has spoken against them',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const { hosts } = session().world
      const { name, port, lines } = await named(sandbox, { a: hosts })
      const ports = [{ name: 'sql', protocol: 'TCP', port, targetPort: port }]
      await session().api.create(sandbox.place('services'), serviceOf(ports))
      await session().api.create(sandbox.place('endpoints'), endpointsOf(hosts, port))
      await sandbox.eventually(5_000, () => expect(sandbox.published('db')).not.toEqual([]))

      // More successes than there can be before the first write.
      const slow = { ...tcpPort('sql', port, [name]), successThreshold: 10 }
      await sandbox.create('db', { periodSeconds: 1, ports: [slow] })
      await sandbox.eventually(5_000, () => {
        expect(sandbox.published('db')).toEqual(lines(hosts))
        expect(sandbox.status('db')).toMatchObject({ phase: 'Healthy', ready: '2/2' })
      })
      for (const { object } of session().recordings.endpoints.versions(sandbox.namespace, 'db')) {
        const all = published(object).join()
        expect(hosts.filter((host) => all.includes(` ${host}:${port}`))).toEqual([...hosts])
      }
    },
    TEST_MAX_MS,
  )
}

/** A name of the sandbox's own, which leads where `first` says, and a backend on each of the world's hosts. */
async function named(sandbox: Sandbox, first: Entry) {
  const { nameServer, world } = sandbox.session
  const name = `db.${sandbox.namespace}.example`
  const entry = (next: Entry) => void nameServer.zone.set(name, next)
  entry(first)
  const backends = await sandbox.startOnEach('tcp', world.hosts)
  const port = backends[0]?.port ?? 0
  return {
    name,
    entry,
    remove: () => void nameServer.zone.delete(name),
    port,
    backends,
    /** As they are published. */
    lines: (hosts: readonly string[]) => hosts.map((host) => `sql TCP ${host}:${port}`),
  }
}

/** How many questions there were about `name`: two for each look-up. */
function questions({ nameServer }: Session, name: string): number {
  return nameServer.questions().filter((asked) => asked.name === name).length
}
