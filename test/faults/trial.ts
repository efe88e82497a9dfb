// One operator against one in-process API server, with three hosts that the test lets die and live, and
// a record of every version of what is published.

import { expect } from 'bun:test'
import { readFileSync } from 'node:fs'
import { type ApiServer, type ApiServerOptions, startApiServer } from '../apiserver/server.ts'
import type { Backend } from '../backends/backend.ts'
import { startTcp } from '../backends/tcp.ts'
import { freePorts } from '../controlplane/free-ports.ts'
import { eventually } from '../integration/eventually.ts'
import { clusterEndpoint, tcpPort } from '../integration/manifests.ts'
import { cepStatus, published, readObject } from '../integration/objects.ts'
import { type Operator, startOperator } from '../integration/operator.ts'
import { samples } from '../integration/prometheus.ts'
import { cpuSecondsOf, memoryOf } from '../process/vitals.ts'

const CRD = readFileSync(`${import.meta.dir}/../../crds/clusterendpoints.yaml`, 'utf8')
const START_MAX_MS = 30_000
/** Milliseconds between the first request that succeeds and the published state being the true one. */
export const CONVERGE_MAX_MS = 5_000

/** Every trial has addresses of its own, so that none is ever told of another's hosts. */
let trials = 0

export type TrialOptions = {
  readonly server?: ApiServerOptions
  readonly args?: readonly string[]
  /** What the operator is given instead of the server's own kubeconfig. */
  readonly kubeconfig?: (server: ApiServer) => string | Promise<string>
  /** Before the operator starts. */
  readonly prepare?: (server: ApiServer) => void
  readonly hasCrd?: boolean
}

/** What a stretch of time cost the operator. */
export type Cost = {
  readonly seconds: number
  readonly requests: number
  readonly cpuSeconds: number
  readonly rssMb: number
}

export class Trial implements AsyncDisposable {
  readonly server: ApiServer
  readonly hosts: readonly Backend[]
  readonly #stack: AsyncDisposableStack
  readonly #up = new Set<string>()
  /** What the Endpoints published, version by version. */
  readonly versions: { readonly atMs: number; readonly hosts: readonly string[] }[] = []
  /** Those that run; the first was started with the trial. */
  readonly operators: Operator[] = []

  private constructor(server: ApiServer, hosts: readonly Backend[], stack: AsyncDisposableStack) {
    this.server = server
    this.hosts = hosts
    this.#stack = stack
    for (const { host } of hosts) this.#up.add(host)
    server.onEvent(({ resource, type, object }) => {
      if (resource !== 'endpoints' || object.metadata.name !== 'web') return
      const hosts = type === 'DELETED' ? [] : hostsIn(object)
      this.versions.push({ atMs: Date.now(), hosts })
    })
  }

  /** Starts all; resolves when the three hosts are published. */
  static async open(options: TrialOptions = {}): Promise<Trial> {
    const trial = await Trial.prepare(options)
    try {
      await trial.start(options)
      if (options.hasCrd !== false) await trial.settle()
      return trial
    } catch (error) {
      await trial[Symbol.asyncDispose]()
      throw error
    }
  }

  /** All but the operator. */
  static async prepare({ server: serverOptions, prepare, hasCrd }: TrialOptions): Promise<Trial> {
    const stack = new AsyncDisposableStack()
    const server = startApiServer({ allowLoopback: true, ...serverOptions })
    stack.defer(() => server.stop())
    const [port = 0] = freePorts(1)
    const prefix = `127.2.${++trials}`
    const hosts = await Promise.all(
      [1, 2, 3].map((n) => startTcp({ host: `${prefix}.${n}`, port })),
    )
    for (const host of hosts) stack.defer(() => host.kill())
    const trial = new Trial(server, hosts, stack)
    if (hasCrd !== false) {
      server.store.applyCrd(CRD)
      trial.createCep()
    }
    prepare?.(server)
    return trial
  }

  applyCrd(): void {
    this.server.store.applyCrd(CRD)
  }

  createCep(): void {
    const [first] = this.hosts
    const addresses = this.hosts.map(({ host }) => host)
    const more = { failureThreshold: 2, timeoutSeconds: 1 }
    const ports = [tcpPort('web', first?.port ?? 0, addresses, more)]
    this.server.store.create(clusterEndpoint('web', { periodSeconds: 1, ports }))
  }

  /** A ClusterEndpoint whose only host needs no probe: it is published as soon as it is seen. */
  createPlain(name: string): void {
    const ports = [{ name: 'plain', port: 80, hosts: ['127.0.99.1'] }]
    this.server.store.create(clusterEndpoint(name, { ports }))
  }

  /** The addresses that the Endpoints called `name` publish; undefined when there are none. */
  publishedAs(name: string): string[] | undefined {
    const object = this.server.store.get('endpoints', 'default', name)
    return object && hostsIn(object)
  }

  /** The labels of the Service called `name`. */
  labelsOf(name: string): Readonly<Record<string, string>> {
    const service = this.server.store.get('services', 'default', name)
    return service ? readObject(service).metadata.labels : {}
  }

  /** Starts an operator; more of them are replicas. */
  async start({ kubeconfig, args = [] }: TrialOptions = {}): Promise<Operator> {
    const { server } = this
    const path = kubeconfig ? await kubeconfig(server) : server.kubeconfig()
    const operator = await startOperator(path, ['--allow-loopback', ...args])
    this.operators.push(operator)
    this.#stack.defer(async () => {
      operator.kill('SIGKILL')
      await operator.exited
    })
    return operator
  }

  get operator(): Operator {
    const [operator] = this.operators
    if (!operator) throw new Error('No operator was started')
    return operator
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }

  /** Ends `it` along with this. */
  defer(end: () => unknown): void {
    this.#stack.defer(async () => void (await end()))
  }

  async kill(n: number): Promise<void> {
    const host = this.host(n)
    this.#up.delete(host.host)
    await host.kill()
  }

  async revive(n: number): Promise<void> {
    const host = this.host(n)
    this.#up.add(host.host)
    await host.restart()
  }

  host(n: number): Backend {
    const host = this.hosts[n]
    if (!host) throw new Error(`There is no host ${n}`)
    return host
  }

  /** The hosts that answer, sorted. */
  get truth(): string[] {
    return [...this.#up].sort()
  }

  /** The hosts that are published, sorted. */
  get published(): string[] {
    return hostsIn(this.server.store.get('endpoints', 'default', 'web'))
  }

  /** The published state and the status are the true ones. */
  expectTruth(): void {
    const object = this.server.store.get('clusterendpoints', 'default', 'web')
    const status = object && cepStatus(readObject(object))
    const { truth, published } = this
    expect({ published, ready: status?.ready }).toEqual({
      published: truth,
      ready: `${truth.length}/${this.hosts.length}`,
    })
  }

  async settle(): Promise<void> {
    await this.#explaining(() => eventually(START_MAX_MS, () => this.expectTruth()))
  }

  /** Resolves when the operator has asked for nothing for a second: Events and the rest are out. */
  async quiet(): Promise<void> {
    let lastMs = performance.now()
    let requests = await this.metric('cep_api_requests_total')
    await eventually(20_000, async () => {
      const now = await this.metric('cep_api_requests_total')
      if (now !== requests) lastMs = performance.now()
      requests = now
      expect(performance.now() - lastMs).toBeGreaterThan(1_000)
    })
  }

  /** The operator knows of `count` healthy hosts, whatever it could write of it. */
  async noticed(count: number): Promise<void> {
    await this.#explaining(() =>
      eventually(30_000, async () =>
        expect(await this.metric('cep_healthy_hosts', { of: 'web' })).toBe(count),
      ),
    )
  }

  /** The sum of all samples of `name`, or of those of one ClusterEndpoint. */
  async metric(
    name: string,
    { operator = this.operator, of }: { operator?: Operator; of?: string } = {},
  ): Promise<number> {
    const found = await samples(operator.metricsUrl)
    return found
      .filter((sample) => sample.name === name)
      .filter(({ labels }) => of === undefined || labels.get('name') === of)
      .reduce((sum, { value }) => sum + value, 0)
  }

  /** What passes while `run` does. */
  async costOf(run: () => Promise<unknown>): Promise<Cost> {
    const before = { ...(await this.#meter()), atMs: performance.now() }
    await run()
    const after = await this.#meter()
    return {
      seconds: (performance.now() - before.atMs) / 1_000,
      requests: after.requests - before.requests,
      cpuSeconds: after.cpuSeconds - before.cpuSeconds,
      rssMb: after.rssMb,
    }
  }

  async #meter() {
    const { pid } = this.operator
    return {
      requests: await this.metric('cep_api_requests_total'),
      cpuSeconds: cpuSecondsOf(pid),
      rssMb: memoryOf(pid).rssMb,
    }
  }

  /**
   * Milliseconds from the first request that succeeded since `sinceMs` until the published state was
   * the true one and `check` no longer threw. Fails when that takes too long.
   */
  async converged(sinceMs: number, check: () => void, maxMs = 70_000): Promise<number> {
    await this.#explaining(() =>
      eventually(maxMs, () => {
        this.expectTruth()
        check()
      }),
    )
    const doneMs = Date.now()
    const first = this.server.requests.find(
      ({ atMs, status, userAgent }) =>
        atMs >= sinceMs && status >= 200 && status < 300 && userAgent.startsWith('endpoints-'),
    )
    // Nothing had to be asked any more.
    const tookMs = first ? Math.max(0, doneMs - first.atMs) : 0
    await this.#explaining(async () => expect(tookMs).toBeLessThan(CONVERGE_MAX_MS))
    return tookMs
  }

  /** No version since `sinceMs` lacked one of `hosts`. */
  expectNeverWithout(hosts: readonly string[], sinceMs = 0): void {
    const lacking = this.versions
      .filter(({ atMs }) => atMs >= sinceMs)
      .flatMap((version) => hosts.filter((host) => !version.hosts.includes(host)))
    expect(lacking).toEqual([])
  }

  /** No version since `sinceMs` had one of `hosts`. */
  expectNeverWith(hosts: readonly string[], sinceMs: number): void {
    const back = this.versions
      .filter(({ atMs }) => atMs >= sinceMs)
      .flatMap((version) => hosts.filter((host) => version.hosts.includes(host)))
    expect(back).toEqual([])
  }

  /** What `run` throws tells what the operators said. */
  async #explaining<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (error) {
      const logs = this.operators.map((operator) =>
        operator.logs().split('\n').slice(-25).join('\n'),
      )
      throw new Error(
        `${error instanceof Error ? error.message : error}\n${logs.join('\n---\n')}`,
        {
          cause: error,
        },
      )
    }
  }
}

function hostsIn(object: unknown): string[] {
  if (object === undefined) return []
  const addresses = published(readObject(object)).map((text) => /([\d.]+):\d+$/.exec(text)?.[1])
  return [...new Set(addresses.flatMap((address) => address ?? []))].sort()
}
