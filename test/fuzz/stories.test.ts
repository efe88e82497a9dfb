// Random stories: the API server fails in every way it knows while hosts come and go and resources are
// edited. Whatever happens, a host that was never seen failing is never unpublished; and when it is
// quiet again, what is published is what is true.

import { expect, test } from 'bun:test'
import { createLookup } from '../../dns/lookup.ts'
import { createClient } from '../../k8s/client.ts'
import { loadConfig } from '../../k8s/config.ts'
import { startController } from '../../k8s/controller.ts'
import type { Log } from '../../k8s/log.ts'
import { failed, type Outcome, ok } from '../../probes/target.ts'
import type { FaultAction, FaultFilter } from '../apiserver/faults.ts'
import { type ApiServer, startApiServer } from '../apiserver/server.ts'
import { questionBy } from '../probes/asking.ts'
import type { Random } from '../random.ts'
import { createRandom, SEED } from '../random.ts'
import { publishedIn } from '../soak/model.ts'

const STORIES = Number(process.env.FUZZ_STORIES ?? 60)
/** Stories at the same time; each is mostly waiting. */
const AT_ONCE = 20
const CRD = await Bun.file(`${import.meta.dir}/../../crds/clusterendpoints.yaml`).text()
const HOSTS = ['10.1.0.1', '10.1.0.2', '10.1.0.3', '10.1.0.4', '10.1.0.5']
/** Milliseconds for the world to be put right once it is quiet. */
const CONVERGED_MS = 15_000
const silent: Log = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} }

test(
  'no API fault ever unpublishes a host that was never seen failing, and all comes right in the end',
  async () => {
    const seeds = Array.from({ length: STORIES }, (_, index) => SEED + index)
    const failures: string[] = []
    const worker = async () => {
      for (let seed = seeds.pop(); seed !== undefined; seed = seeds.pop()) {
        const broken = await tell(createRandom(seed))
        if (broken.length > 0)
          failures.push(`FUZZ_SEED=${seed} FUZZ_STORIES=1: ${broken.join('; ')}`)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
    console.log(`${STORIES} stories from seed ${SEED}`)
    expect(failures).toEqual([])
  },
  { timeout: 150_000 },
)

/** One story; returns what was broken in it. */
async function tell(random: Random): Promise<string[]> {
  const server = startApiServer({ bookmarkIntervalMs: 500, logMax: 1 })
  server.store.applyCrd(CRD)
  const stop = new AbortController()
  const down = new Set<string>()
  const everFailed = new Set<string>()
  const broken: string[] = []
  let wanted = someHosts(random)
  let hasChanged = false

  const attempt = async ({ host }: { readonly host: string }): Promise<Outcome> => {
    if (!down.has(host)) return ok
    everFailed.add(host)
    return failed('connect ECONNREFUSED')
  }
  let before: ReadonlySet<string> = new Set()
  server.onEvent(({ type, resource, object }) => {
    if (resource !== 'endpoints') return
    const after = publishedIn(object)
    for (const host of wanted) {
      const address = `${host}:80`
      if (type === 'DELETED' || hasChanged || everFailed.has(host)) continue
      if (before.has(address) && !after.has(address)) broken.push(`${host} was lost`)
    }
    before = after
    hasChanged = false
  })

  server.store.create(manifest(wanted))
  const config = await loadConfig({ kubeconfig: server.kubeconfig() })
  const controller = startController({
    client: createClient(config, { userAgent: 'endpoints-operator/fuzz' }),
    log: silent,
    policy: { allowLoopback: false },
    publish: 'auto',
    lookup: createLookup(() => []),
    concurrency: 4,
    inFlightMax: 64,
    instance: 'fuzz',
    signal: stop.signal,
    questionOf: questionBy(attempt),
  })
  await controller.synced
  const led = controller.lead({ signal: stop.signal, mayWrite: () => true })

  for (let step = 0; step < 12; step++) {
    const dice = random.next()
    if (dice < 0.5) await misfortune(server, random)
    else if (dice < 0.8) turn(down, random.pick(HOSTS))
    else {
      wanted = someHosts(random)
      hasChanged = true
      server.store.update(manifest(wanted))
    }
    await Bun.sleep(random.below(300))
  }

  const truth = () => wanted.filter((host) => !down.has(host)).map((host) => `${host}:80`)
  const isTrue = () => {
    const now = publishedIn(server.store.get('endpoints', 'default', 'story'))
    return now.size === truth().length && truth().every((address) => now.has(address))
  }
  const deadlineMs = performance.now() + CONVERGED_MS
  while (!isTrue() && performance.now() < deadlineMs) await Bun.sleep(20)
  if (!isTrue()) broken.push(`ended with ${[...before]} instead of ${truth()}`)

  stop.abort(new Error('the story is over'))
  await Promise.all([led, controller.done])
  server.stop()
  return broken
}

/** The API server fails at something for a while. */
async function misfortune(server: ApiServer, random: Random): Promise<void> {
  const watch: FaultFilter = { watch: true }
  const write: FaultFilter = { method: 'PATCH' }
  const any: FaultFilter = {}
  const [filter, action] = random.pick<readonly [FaultFilter, FaultAction]>([
    [write, { kind: 'status', code: 500 }],
    [write, { kind: 'status', code: 429, retryAfter: 1 }],
    [write, { kind: 'status', code: 409 }],
    [write, { kind: 'reset' }],
    [write, { kind: 'resetAfterApply' }],
    [any, { kind: 'status', code: 504 }],
    [any, { kind: 'reset' }],
    [any, { kind: 'delay', delayMs: 200 }],
    [watch, { kind: 'cutWatch', how: 'midLine' }],
    [watch, { kind: 'cutWatch', how: { afterBytes: random.below(2_000) } }],
    [watch, { kind: 'expire' }],
    [watch, { kind: 'duplicate' }],
    [watch, { kind: 'chunking', bytes: 1 + random.below(50) }],
  ])
  if (random.next() < 0.2) server.compact()
  const fault = server.fault(filter, action)
  await Bun.sleep(random.below(600))
  fault.remove()
}

function turn(down: Set<string>, host: string): void {
  if (!down.delete(host)) down.add(host)
}

function someHosts(random: Random): string[] {
  return random.shuffle(HOSTS).slice(0, 1 + random.below(HOSTS.length))
}

function manifest(hosts: readonly string[]): unknown {
  return {
    apiVersion: 'sealos.io/v1beta1',
    kind: 'ClusterEndpoint',
    metadata: { name: 'story', namespace: 'default' },
    spec: {
      periodSeconds: 1,
      ports: [{ name: 'p', port: 80, hosts, failureThreshold: 2, tcpSocket: {} }],
    },
  }
}
