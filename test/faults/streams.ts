// Watches and lists that are odd rather than broken, and objects that are many or large.

import { expect } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { eventually, throughout } from '../integration/eventually.ts'
import { clusterEndpoint } from '../integration/manifests.ts'
import { readObject } from '../integration/objects.ts'
import { report } from '../process/report.ts'
import { memoryOf } from '../process/vitals.ts'
import { newFile, newKubeconfig } from './kubeconfigs.ts'
import { CONVERGE_MAX_MS, Trial } from './trial.ts'

type Named = { readonly name: string; readonly run: (name: string) => Promise<void> }

/** More than a bookmark may be late: k8s/reflector.ts, SILENCE_MS. */
const SILENCE_MAX_MS = 95_000
const MANY = 5_000
const MEGABYTE = 1024 * 1024

export const oddStreams: readonly Named[] = [
  {
    name: 'watches that fall silent without an end are opened again after 90 s, and nothing is missed',
    run: async (name) => {
      await using trial = await Trial.open()
      const silence = trial.server.fault({ watch: true }, { kind: 'silenceWatch' })
      const before = trial.server.count({ verb: 'list' })
      trial.createPlain('late')
      let tookMs = 0
      const cost = await trial.costOf(async () => {
        // What is known is probed and published all the while.
        await trial.kill(0)
        await trial.settle()
        await trial.revive(0)
        await trial.settle()
        // The first watches are silent until they are given up, the next ones are not.
        await Bun.sleep(1_000)
        const isOpenedAgain = () =>
          expect(trial.operator.logs()).toMatch(/watch fell silent; opening it again path=\/apis/)
        tookMs = await eventually(SILENCE_MAX_MS, isOpenedAgain)
        silence.remove()
        await eventually(CONVERGE_MAX_MS, () => expect(trial.publishedAs('late')).toHaveLength(1))
      })
      // Where they stood: nothing had to be listed.
      expect(trial.server.count({ verb: 'list' })).toBe(before)
      trial.expectNeverWithout([trial.host(1).host, trial.host(2).host])
      expect(cost.requests).toBeLessThan(25)
      report(name, { ...cost, tookMs })
    },
  },
  {
    name: 'a watch of nothing but bookmarks, 50 a second, costs no request and hardly any time',
    run: async (name) => {
      await using trial = await Trial.open({ server: { bookmarkIntervalMs: 20 } })
      await trial.quiet()
      const cost = await trial.costOf(async () => await Bun.sleep(5_000))
      expect(cost.requests).toBe(0)
      expect(cost.cpuSeconds / cost.seconds).toBeLessThan(0.15)
      await trial.kill(0)
      await trial.settle()
      report(name, cost)
    },
  },
  ...(
    [
      ['every event comes twice', { kind: 'duplicate' }],
      ['neighbouring events swap places', { kind: 'reorder' }],
      ['the stream comes byte by byte', { kind: 'chunking', bytes: 1 }],
      [
        'the stream comes in pieces of 7 bytes, which part characters',
        { kind: 'chunking', bytes: 7 },
      ],
    ] as const
  ).map(
    ([name, action]): Named => ({
      name: `${name}, while resources come, change and go`,
      run: async () => {
        await using trial = await Trial.prepare({})
        trial.server.fault({ watch: true }, action)
        await trial.start()
        await trial.settle()
        const { store } = trial.server
        for (let round = 0; round < 20; round++) {
          const name = `plain-${round % 7}`
          if (trial.server.store.get('clusterendpoints', 'default', name))
            store.delete('clusterendpoints', 'default', name)
          else trial.createPlain(name)
          const labels = { round: `${round}`, text: 'x' }
          store.patch('clusterendpoints', 'default', 'web', {
            metadata: { labels, annotations: { 'example.com/text': 'ü€𝄞'.repeat(round) } },
          })
          await Bun.sleep(60)
        }
        await trial.kill(1)
        await trial.settle()
        await eventually(CONVERGE_MAX_MS, () => {
          const wanted = store.list('clusterendpoints').map(({ metadata }) => metadata.name)
          const standing = store.list('endpoints').map(({ metadata }) => metadata.name)
          expect(standing.sort()).toEqual(wanted.sort())
          const service = store.get('services', 'default', 'web')
          expect(service?.metadata.labels).toMatchObject({ round: '19' })
        })
        trial.expectNeverWithout([trial.host(0).host, trial.host(2).host])
      },
    }),
  ),
  {
    name: 'an object of 1 MB, in lists and in watches',
    run: async (name) => {
      const big = (size: number) => ({
        metadata: { annotations: { 'example.com/big': 'ü'.repeat(size / 2) } },
      })
      await using trial = await Trial.prepare({
        prepare: ({ store }) =>
          void store.patch('clusterendpoints', 'default', 'web', big(MEGABYTE)),
      })
      const operator = await trial.start()
      await trial.settle()
      for (let round = 1; round <= 5; round++) {
        trial.server.store.patch('clusterendpoints', 'default', 'web', big(MEGABYTE + 2 * round))
        await eventually(CONVERGE_MAX_MS, () => {
          const service = trial.server.store.get('services', 'default', 'web')
          const { annotations } = readObject(service).metadata
          expect(annotations['example.com/big']).toHaveLength(MEGABYTE / 2 + round)
        })
      }
      await trial.kill(0)
      await trial.settle()
      const { rssMb } = memoryOf(operator.pid)
      expect(rssMb).toBeLessThan(250)
      report(name, { rssMb })
    },
  },
  {
    name: 'a CRD that is not there is waited for and told, and work begins when it appears',
    run: async (name) => {
      await using trial = await Trial.open({ hasCrd: false })
      const { operator } = trial
      const told = 'clusterendpoints is not served; is the CRD installed?'
      await eventually(5_000, () => expect(operator.logs()).toContain(told))
      const readyz = await fetch(`${operator.healthUrl}/readyz`)
      expect([readyz.status, await readyz.text()]).toEqual([
        503,
        `waiting for the first list of clusterendpoints: /apis/sealos.io/v1beta1/${told}\n`,
      ])
      expect((await fetch(`${operator.healthUrl}/healthz`)).status).toBe(200)
      const cost = await trial.costOf(async () => await Bun.sleep(10_000))
      expect(cost.requests).toBeWithin(1, 10)
      trial.applyCrd()
      trial.createCep()
      const sinceMs = performance.now()
      await trial.settle()
      const tookMs = performance.now() - sinceMs
      expect(tookMs).toBeLessThan(10_000)
      expect(operator.logs().split(told)).toHaveLength(2)
      report(name, { ...cost, tookMs })
    },
  },
  {
    name: 'a token that is rotated each second, half swapped in between, costs nothing',
    run: async (name) => {
      let tokenFile = ''
      await using trial = await Trial.open({
        server: { tokens: { 'token-0': 'operator' } },
        kubeconfig: ({ url }) => {
          tokenFile = newFile('token-0')
          return newKubeconfig(url, { tokenFile })
        },
      })
      for (let n = 1; n <= 6; n++) {
        writeFileSync(tokenFile, '')
        trial.server.setTokens({ [`token-${n}`]: 'operator' })
        trial.server.fault({ watch: true }, { kind: 'cutWatch', how: 'end' }).remove()
        await Bun.sleep(200)
        writeFileSync(tokenFile, `token-${n}\n`)
        await Bun.sleep(800)
      }
      const sinceMs = Date.now()
      await trial.kill(0)
      trial.createPlain('late')
      const check = () => expect(trial.publishedAs('late')).toHaveLength(1)
      const convergedMs = await trial.converged(sinceMs, check)
      await throughout(300, () => trial.expectTruth())
      trial.expectNeverWithout([trial.host(1).host, trial.host(2).host])
      report(name, { convergedMs })
    },
  },
  {
    name: `${MANY} ClusterEndpoints in pages, with 410 in the middle of them`,
    run: async (name) => {
      const namespace = 'crowd'
      const ports = [{ name: 'plain', port: 80, hosts: ['127.0.99.1'] }]
      await using trial = await Trial.prepare({
        prepare: ({ store }) => {
          store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
          for (let n = 0; n < MANY; n++)
            store.create(clusterEndpoint(`many-${n}`, { ports }, { namespace }))
        },
      })
      const { server } = trial
      const inTheMiddle = server.fault(
        ({ query, resource }) =>
          resource === 'clusterendpoints' && query.has('continue') && inTheMiddle.hits === 0,
        { kind: 'status', code: 410 },
      )
      const operator = await trial.start()
      const publishedMs = await eventually(120_000, () =>
        expect(server.store.list('endpoints', namespace)).toHaveLength(MANY),
      )
      await trial.settle()
      expect(inTheMiddle.hits).toBe(1)
      const pages = server.count({ verb: 'list', resource: 'clusterendpoints' })
      // 11 pages of 500, the second one twice and the first one with it.
      expect(pages).toBe(Math.ceil((MANY + 1) / 500) + 2)
      const { rssMb } = memoryOf(operator.pid)
      expect(rssMb).toBeLessThan(300)
      report(name, { publishedMs, pages, writes: server.writes().length, rssMb })
    },
  },
]
