// A soak run: the operator as its own process, for minutes or hours, while resources come and go, hosts
// flap and the API server fails now and then. Reports what it cost and every promise that was broken.
// `bun run soak --minutes 20 [--seed N] [--resources N] [--hosts N]`

import { readdirSync, readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { startApiServer } from '../apiserver/server.ts'
import { startOperator } from '../integration/operator.ts'
import { samples as scrape } from '../integration/prometheus.ts'
import { createRandom } from '../random.ts'
import { flip, type Host, killAll, startHosts } from './hosts.ts'
import {
  brokenPromises,
  type Cep,
  FAILURE_THRESHOLD,
  PERIOD_SECONDS,
  publishedIn,
  wronglyLost,
} from './model.ts'

/** Milliseconds between two things that happen, and between two looks at the process. */
const STIR_MS = 250
const SAMPLE_MS = 5_000
/** Growth of resident memory from the first tenth of the run to its end that is not a leak. */
const GROWTH_MAX = 1.1
/** Broken promises that are printed; all are counted. */
const PRINTED_MAX = 20

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    resources: { type: 'string', default: '100' },
    hosts: { type: 'string', default: '60' },
  },
})
const minutes = positive('minutes', values.minutes)
const seed = positive('seed', values.seed)
const resourcesMax = positive('resources', values.resources)
const random = createRandom(seed)
console.log(`soak: ${minutes} minutes, seed ${seed} (replay with --seed ${seed})`)

const server = startApiServer({ allowLoopback: true, bookmarkIntervalMs: 10_000, logMax: 1 })
server.store.applyCrd(readFileSync(`${import.meta.dir}/../../crds/clusterendpoints.yaml`, 'utf8'))
const hosts = await startHosts(positive('hosts', values.hosts))
const operator = await startOperator(server.kubeconfig(), ['--allow-loopback'])

// Whatever ends this run, the operator ends with it.
process.on('exit', () => operator.kill('SIGKILL'))

const ceps = new Map<string, Cep>()
const published = new Map<string, ReadonlySet<string>>()
const broken: string[] = []
const counts = { created: 0, edited: 0, deleted: 0, flips: 0, outages: 0, writes: 0 }
let calmSinceMs = performance.now()
let isTroubled = false
let isPaused = false
let created = 0

server.onEvent(({ type, resource, object }) => {
  counts.writes++
  if (resource !== 'endpoints') return
  const { name } = object.metadata
  const before = published.get(name) ?? new Set<string>()
  const after = type === 'DELETED' ? new Set<string>() : publishedIn(object)
  published.set(name, after)
  const cep = ceps.get(name)
  if (cep && type !== 'DELETED') note(wronglyLost(cep, before, after, performance.now()))
})

type Sample = {
  readonly rssMb: number
  readonly anonMb: number
  readonly heapMb: number
  readonly descriptors: number
  readonly requests: number
}
const samples: Sample[] = []
const startedMs = performance.now()
const endMs = startedMs + minutes * 60_000
let nextSampleMs = startedMs

while (performance.now() < endMs) {
  if (await Promise.race([operator.exited.then(() => true), Bun.sleep(STIR_MS)])) {
    note(['the operator ended by itself'])
    break
  }
  await stir()
  for (const cep of isTroubled ? [] : ceps.values()) {
    const now = published.get(cep.name) ?? new Set<string>()
    note(brokenPromises(cep, now, performance.now(), calmSinceMs))
  }
  if (performance.now() < nextSampleMs) continue
  nextSampleMs += SAMPLE_MS
  samples.push(await sample())
  if (samples.length % 12 === 0) console.log(`soak: ${progress()}`)
}

if (isPaused) server.resume()
isPaused = false
const code = await operator.stop()
await killAll(hosts)
server.stop()
process.exit(report(code))

/** One thing happens. */
async function stir(): Promise<void> {
  const dice = random.next()
  if (dice < 0.004) return outage()
  if (isTroubled) return
  if (dice < 0.2) {
    counts.flips++
    return await flip(random.pick(hosts))
  }
  if (ceps.size < resourcesMax && dice < 0.7) return create()
  if (ceps.size === 0) return create()
  if (dice < 0.74) return edit(random.pick([...ceps.values()]))
  if (dice < 0.76) return remove(random.pick([...ceps.values()]))
}

function create(): void {
  const name = `soak-${created++}`
  const cep: Cep = { name, hosts: someHosts(), changedMs: performance.now() }
  ceps.set(name, cep)
  counts.created++
  server.store.create(manifest(cep))
}

function edit(cep: Cep): void {
  cep.hosts = someHosts()
  cep.changedMs = performance.now()
  counts.edited++
  server.store.update(manifest(cep))
}

function remove({ name }: Cep): void {
  ceps.delete(name)
  counts.deleted++
  server.store.delete('clusterendpoints', 'default', name)
}

/** The API server is away for some seconds, or refuses, or forgets. */
function outage(): void {
  if (isTroubled) return
  isTroubled = true
  counts.outages++
  const lengthMs = 1_000 + random.below(15_000)
  const kind = random.pick(['gone', 'failing', 'compacted', 'silent'] as const)
  const end = () => {
    isTroubled = false
    calmSinceMs = performance.now()
  }
  if (kind === 'gone') {
    isPaused = true
    server.pause()
    setTimeout(() => {
      if (isPaused) server.resume()
      isPaused = false
      end()
    }, lengthMs)
    return
  }
  if (kind === 'compacted') {
    server.compact()
    const cut = server.fault({ watch: true }, { kind: 'cutWatch', how: 'midLine' })
    cut.remove()
    end()
    return
  }
  const fault =
    kind === 'failing'
      ? server.fault({ method: 'PATCH' }, { kind: 'status', code: 503 })
      : server.fault({ watch: true }, { kind: 'silenceWatch' })
  setTimeout(() => {
    fault.remove()
    end()
  }, lengthMs)
}

function someHosts(): Host[] {
  const count = 1 + random.below(5)
  return [...new Set(Array.from({ length: count }, () => random.pick(hosts)))]
}

function manifest({ name, hosts }: Cep): unknown {
  return {
    apiVersion: 'sealos.io/v1beta1',
    kind: 'ClusterEndpoint',
    metadata: { name, namespace: 'default' },
    spec: {
      periodSeconds: PERIOD_SECONDS,
      ports: hosts.map(({ backend, probe, protocol }, index) => ({
        name: `p${index}`,
        protocol,
        port: 1000 + index,
        targetPort: backend.port,
        hosts: [backend.host],
        failureThreshold: FAILURE_THRESHOLD,
        ...probe,
      })),
    },
  }
}

function note(found: readonly string[]): void {
  for (const text of found) {
    if (broken.length < PRINTED_MAX) console.error(`soak: BROKEN at ${elapsed()}: ${text}`)
    broken.push(text)
  }
}

async function sample(): Promise<Sample> {
  const status = readFileSync(`/proc/${operator.pid}/status`, 'utf8')
  const kb = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1])
  const descriptors = readdirSync(`/proc/${operator.pid}/fd`).length
  const metrics = await scrape(operator.metricsUrl)
  const total = (name: string) =>
    metrics.reduce((sum, each) => sum + (each.name === name ? each.value : 0), 0)
  return {
    rssMb: kb('VmRSS') / 1000,
    anonMb: kb('RssAnon') / 1000,
    heapMb: total('cep_heap_bytes') / 1e6,
    descriptors,
    requests: total('cep_api_requests_total'),
  }
}

function progress(): string {
  const last = samples.at(-1)
  return `${elapsed()} rss ${last?.rssMb.toFixed(1)} MB, anonymous ${last?.anonMb.toFixed(1)} MB, heap ${last?.heapMb.toFixed(1)} MB, ${last?.descriptors} descriptors, ${last?.requests} requests, ${ceps.size} resources, ${broken.length} broken promises`
}

function report(code: number): number {
  const tenth = Math.max(1, Math.floor(samples.length / 10))
  const early = samples.slice(0, tenth + 1).at(-1)
  const late = samples.slice(-tenth)
  const mean = (of: (each: Sample) => number) =>
    late.reduce((sum, each) => sum + of(each), 0) / late.length
  const growth = early ? mean(({ rssMb }) => rssMb) / early.rssMb : Number.NaN
  const result = {
    minutes,
    seed,
    ...counts,
    requests: samples.at(-1)?.requests,
    resources: ceps.size,
    rssMb: { afterFirstTenth: early?.rssMb, atEnd: mean(({ rssMb }) => rssMb), growth },
    anonymousMb: { afterFirstTenth: early?.anonMb, atEnd: mean(({ anonMb }) => anonMb) },
    heapMb: { afterFirstTenth: early?.heapMb, atEnd: mean(({ heapMb }) => heapMb) },
    descriptors: {
      afterFirstTenth: early?.descriptors,
      atEnd: mean(({ descriptors }) => descriptors),
    },
    brokenPromises: broken.length,
    exitCode: code,
  }
  console.log(JSON.stringify(result, null, 2))
  const isGrowing = minutes >= 10 && growth > GROWTH_MAX
  if (isGrowing)
    console.error(`soak: FAILED, resident memory grew by ${((growth - 1) * 100).toFixed(1)} %`)
  return broken.length > 0 || isGrowing || code !== 0 ? 1 : 0
}

function elapsed(): string {
  return `${((performance.now() - startedMs) / 60_000).toFixed(1)} min`
}

function positive(name: string, text: string): number {
  const value = Number(text)
  if (value > 0) return value
  console.error(`soak: --${name} must be a number above 0, not "${text}"`)
  process.exit(2)
}
