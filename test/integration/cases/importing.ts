// `import` and `check` on a cluster: what is made of a Service that stands is taken over without a gap.

import { expect, test } from 'bun:test'
import * as v from 'valibot'
import { type CommandOptions, runCommand } from '../command.ts'
import { published, serviceSpec } from '../objects.ts'
import { Sandbox } from '../sandbox.ts'
import type { Session } from '../session.ts'
import { endpointsOf, type Made, ownedBy, serviceOf } from './made.ts'

const SOON_MS = 10_000
const TEST_MAX_MS = 30_000
/** Never asked. */
const IDLE = '10.9.8.7'

export function importingCases(session: () => Session): void {
  test(
    'import, kubectl apply, takeover: several subsets, UDP, and an address that was not ready',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const [alive, other] = session().world.hosts
      const [tcp, second] = [await sandbox.start('tcp', alive), await sandbox.start('tcp', other)]
      const web = { name: 'web', protocol: 'TCP', port: 80, targetPort: 80 }
      const dns = { name: 'dns', protocol: 'UDP', port: 53, targetPort: 53 }
      await make(sandbox, serviceOf([web, dns]))
      const endpoints = {
        ...endpointsOf([], 0),
        subsets: [
          // Nobody listens there on the second one.
          subset([alive], [other], { name: 'web', port: tcp.port, protocol: 'TCP' }),
          subset([other], [], { name: 'web', port: second.port, protocol: 'TCP' }),
          subset([alive], [], { name: 'dns', port: 5353, protocol: 'UDP' }),
        ],
      }
      await make(sandbox, endpoints)
      await sandbox.eventually(SOON_MS, () => expect(sandbox.published('db')).toHaveLength(3))
      const before = sandbox.latest('services', 'db')

      const made = await command(sandbox, ['import', 'db', '--probe', 'tcp', '--periodSeconds=1'])
      expect(made.code).toBe(0)
      expect(made.stderr).toBe(
        `${sandbox.namespace}/db: port dns: no tcp probe as it is UDP; its hosts count as healthy\n`,
      )
      await apply(sandbox, made.stdout)
      const staying = [
        `dns UDP ${alive}:5353`,
        `web TCP ${alive}:${tcp.port}`,
        `web TCP ${other}:${second.port}`,
      ].sort()
      await sandbox.eventually(SOON_MS, () => {
        expect(sandbox.status('db')?.hosts).toHaveLength(4)
        expect(sandbox.condition('db', 'SyncEndpointReady')?.status).toBe('True')
        expect(sandbox.published('db')).toEqual(staying)
      })
      const after = sandbox.latest('services', 'db')
      expect(after?.metadata.uid).toBe(before?.metadata.uid ?? '')
      expect(serviceSpec(after).clusterIP).toBe(serviceSpec(before).clusterIP)
      for (const { object } of session().recordings.endpoints.versions(sandbox.namespace, 'db')) {
        expect(published(object)).toEqual(staying)
      }

      const checked = await command(sandbox, ['check', 'db', '-o', 'json', '--allow-loopback'])
      expect(JSON.parse(checked.stdout)).toMatchObject({ name: 'db', healthy: 3, total: 4 })
      expect(checked.code).toBe(1)
    },
    TEST_MAX_MS,
  )

  test(
    'import --all --apply: every Service without a selector, once',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const [host] = session().world.hosts
      const port = { name: 'keep', protocol: 'TCP', port: 80, targetPort: 80 }
      for (const name of ['one', 'two']) {
        await make(sandbox, named(name, serviceOf([port], { clusterIP: 'None' })))
        await make(sandbox, named(name, endpointsOf([host], 80)))
      }
      await make(sandbox, named('selected', serviceOf([port], { selector: { app: 'x' } })))
      await make(sandbox, named('balanced', serviceOf([port], { type: 'LoadBalancer' })))
      await make(sandbox, named('balanced', endpointsOf([host], 80)))

      const printed = await command(sandbox, ['import', '--all', '-o', 'json'])
      const list = v.parse(listSchema, JSON.parse(printed.stdout))
      expect(list.items.map(({ metadata }) => metadata.name)).toEqual(['one', 'two'])
      expect(list.items.map(({ spec }) => spec.clusterIP)).toEqual(['None', 'None'])
      expect(printed.stderr).toContain('balanced: Cannot take over the Service as it is of type')
      expect(printed.code).toBe(1)
      expect(sandbox.session.recordings.clusterendpoints.all(sandbox.namespace)).toEqual([])

      const applied = await command(sandbox, ['import', '--all', '--apply'])
      expect(applied.stdout).toBe(
        ['one', 'two'].map((name) => `${sandbox.namespace}/${name}: created\n`).join(''),
      )
      await sandbox.eventually(SOON_MS, () => {
        for (const name of ['one', 'two']) {
          expect(sandbox.condition(name, 'Ready')?.status).toBe('True')
          expect(sandbox.published(name)).toEqual([`keep TCP ${host}:80`])
        }
      })
      await sandbox.remove('services', 'balanced')
      const again = await command(sandbox, ['import', '--all', '--apply'])
      expect(again).toEqual({
        code: 0,
        stdout: '',
        stderr: `no Service without a selector in namespace "${sandbox.namespace}"\n`,
      })
    },
    TEST_MAX_MS,
  )

  test(
    'called as cepctl it takes the flags of the Go version, and creates unless -o is given',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const [host] = session().world.hosts
      await make(sandbox, serviceOf([{ name: 'keep', protocol: 'TCP', port: 80, targetPort: 80 }]))
      await make(sandbox, endpointsOf([host], 80))
      const flags = ['--service-name=db', '--service-namespace', sandbox.namespace]
      const cepctl = async (...args: readonly string[]) =>
        await command(sandbox, [...flags, '--logtostderr', ...args], { argv0: 'cepctl' })

      const shown = await cepctl('--probe', '-o', 'json', '--periodSeconds', '7')
      expect(shown.code).toBe(0)
      expect(JSON.parse(shown.stdout)).toMatchObject({
        metadata: { name: 'db', namespace: sandbox.namespace },
        spec: { periodSeconds: 7, ports: [{ tcpSocket: { enable: true } }] },
      })
      expect(await cepctl('--probe=false')).toMatchObject({
        code: 0,
        stdout: `${sandbox.namespace}/db: created\n`,
      })
      await sandbox.eventually(SOON_MS, () =>
        expect(sandbox.condition('db', 'Ready')?.status).toBe('True'),
      )
      const owned = await cepctl('--probe=true')
      expect(owned.code).toBe(1)
      expect(owned.stderr).toContain('as ClusterEndpoint "db" keeps it already')
    },
    TEST_MAX_MS,
  )

  test(
    'what the operator would not take over is refused by its own words, and a namesake stays',
    async () => {
      await using sandbox = await Sandbox.open(session())
      const { api } = session()
      const namespace = await api.get({ plural: 'namespaces', name: sandbox.namespace })
      if (!namespace) throw new Error('Cannot find the namespace')
      const port = { name: 'keep', protocol: 'TCP', port: 80, targetPort: 80 }
      await make(sandbox, named('selected', serviceOf([port], { selector: { app: 'x' } })))
      await make(sandbox, ownedBy(namespace, named('owned', serviceOf([port]))))
      await make(sandbox, named('alone', serviceOf([port])))
      for (const name of ['selected', 'owned']) {
        await make(sandbox, named(name, endpointsOf([IDLE], 80)))
      }
      const cases = {
        selected: /^Cannot take over the Service as it has a selector/,
        owned: /^Cannot take over the Endpoints|^Cannot take over the Service as Namespace/,
        alone: /^Cannot import the Service as there are no Endpoints of its name$/,
      }
      for (const [name, why] of Object.entries(cases)) {
        const refused = await command(sandbox, ['import', name, '--apply'])
        expect({ code: refused.code, stdout: refused.stdout }).toEqual({ code: 1, stdout: '' })
        const lines = refused.stderr.trimEnd().split('\n')
        expect(lines).toHaveLength(1)
        const prefix = `${sandbox.namespace}/${name}: `
        expect(lines[0]).toStartWith(prefix)
        expect(lines[0]?.slice(prefix.length)).toMatch(why)
      }
      const missing = await command(sandbox, ['import', 'nonsense'])
      expect(missing).toEqual({
        code: 1,
        stdout: '',
        stderr: 'endpoints-operator: services "nonsense" not found\n',
      })

      // One that the operator has not seen yet has its name: it stays as it is.
      await make(sandbox, named('db', serviceOf([port])))
      await make(sandbox, named('db', endpointsOf([IDLE], 80)))
      await session().restart(async () => {
        await sandbox.create('db', { ports: [{ port: 81, hosts: [IDLE] }] })
        const taken = await command(sandbox, ['import', 'db', '--apply'])
        expect(taken).toMatchObject({ code: 1, stdout: '' })
        expect(taken.stderr).toContain('as another one has its name')
      })
    },
    TEST_MAX_MS,
  )
}

const listSchema = v.object({
  items: v.array(
    v.object({
      metadata: v.object({ name: v.string() }),
      spec: v.object({ clusterIP: v.string() }),
    }),
  ),
})

function subset(
  addresses: readonly string[],
  notReady: readonly string[],
  port: Readonly<Record<string, unknown>>,
) {
  const of = (all: readonly string[]) => all.map((ip) => ({ ip }))
  return {
    ports: [port],
    ...(addresses.length > 0 ? { addresses: of(addresses) } : {}),
    ...(notReady.length > 0 ? { notReadyAddresses: of(notReady) } : {}),
  }
}

function named<T extends Made>(name: string, object: T) {
  return { ...object, metadata: { ...object.metadata, name } }
}

/** Creates an object, by real kubectl where there is one. */
async function make(sandbox: Sandbox, object: Made): Promise<void> {
  const { api, world } = sandbox.session
  if (world.kubectl) await apply(sandbox, JSON.stringify(object))
  else await api.create(sandbox.place(object.kind === 'Service' ? 'services' : 'endpoints'), object)
}

async function apply(sandbox: Sandbox, manifest: string): Promise<void> {
  const { api, world } = sandbox.session
  if (!world.kubectl) {
    const objects = Bun.YAML.parse(manifest)
    for (const object of Array.isArray(objects) ? objects : [objects]) {
      await api.create(sandbox.place('clusterendpoints'), object)
    }
    return
  }
  const args = ['apply', '-n', sandbox.namespace, '-f', '-']
  expect(await world.kubectl(args, manifest)).toMatchObject({ code: 0 })
}

async function command(
  { session, namespace }: Sandbox,
  args: readonly string[],
  options: CommandOptions = {},
) {
  const within = options.argv0 === undefined ? ['-n', namespace] : []
  return await runCommand([...args, ...within, '--kubeconfig', session.world.kubeconfig], options)
}
