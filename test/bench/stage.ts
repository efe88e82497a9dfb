// One scenario's processes: an API server, hosts, and the compiled operator between them.

import { clusterEndpoint, tcpPort } from '../integration/manifests.ts'
import { type Spawned, spawnOperator } from '../process/spawn.ts'
import { type HostKind, type Hosts, startHosts } from './hosts.ts'
import { type Watch, watchEndpoints } from './watch.ts'
import { openWorld, type World } from './world.ts'

/** How a run is asked for; what a scenario may depend on. */
export type BenchOptions = {
  readonly isQuick: boolean
  readonly isReal: boolean
  /** Paths of the compiled programs. */
  readonly operator: string
  readonly floor: string
}

/** ClusterEndpoints to make: `resources` of them with `hostsEach` hosts, all behind one port. */
export type Fleet = {
  /** Beginning of their names. */
  readonly name: string
  readonly kind: HostKind
  readonly port: number
  readonly resources: number
  readonly hostsEach: number
  readonly periodSeconds: number
  /** The first address; the others follow it. */
  readonly from: number
  /** Addresses in use, when the resources share them; as many as there are hosts otherwise. */
  readonly addresses?: number
  readonly more?: Readonly<Record<string, unknown>>
}

const NAMESPACE = '/apis/sealos.io/v1beta1/namespaces/default/clusterendpoints'
/** Requests under way at once. */
const AT_ONCE = 50
const POLL_MS = 10
/** Milliseconds that anything may take to be published. */
const PUBLISH_MAX_MS = 120_000

const PROBES: Readonly<Record<HostKind, Readonly<Record<string, unknown>>>> = {
  tcp: {},
  rhythm: {},
  http: { tcpSocket: undefined, httpGet: { path: '/' } },
  udp: { tcpSocket: undefined, protocol: 'UDP', udpSocket: { enable: true, data: 'ping' } },
  grpc: { tcpSocket: undefined, grpc: { enable: true } },
}

export class Stage implements AsyncDisposable {
  readonly world: World
  readonly hosts: Hosts
  readonly watch: Watch
  readonly #options: BenchOptions
  readonly #stack: AsyncDisposableStack

  private constructor(
    options: BenchOptions,
    parts: readonly [World, Hosts, Watch],
    stack: AsyncDisposableStack,
  ) {
    ;[this.world, this.hosts, this.watch] = parts
    this.#options = options
    this.#stack = stack
  }

  static async open(options: BenchOptions): Promise<Stage> {
    await using stack = new AsyncDisposableStack()
    const world = stack.use(await openWorld(options.isReal))
    const hosts = stack.use(startHosts())
    const watch = stack.use(await watchEndpoints(world))
    return new Stage(options, [world, hosts, watch], stack.move())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }

  /** Ends `part` before the rest. */
  keep<T extends AsyncDisposable>(part: T): T {
    return this.#stack.use(part)
  }

  /** Starts the compiled operator, behind `prefix`, with more `args`; resolves when it is ready. */
  async startOperator(
    prefix: readonly string[] = [],
    args: readonly string[] = [],
  ): Promise<Spawned> {
    const { kubeconfig, operatorArgs } = this.world
    const command = [this.#options.operator]
    const all = [...operatorArgs, ...args]
    return this.keep(await spawnOperator({ kubeconfig, args: all, prefix, command }))
  }

  /** `count` addresses from the `from`-th on. */
  addresses(from: number, count: number): string[] {
    return Array.from({ length: count }, (_, n) => this.world.hostOf(from + n))
  }

  async create(fleet: Fleet): Promise<void> {
    const { hostsEach, resources, kind, port, periodSeconds } = fleet
    const total = fleet.addresses ?? hostsEach * resources
    const bodies = Array.from({ length: resources }, (_, n) => {
      const from = fleet.from + ((n * hostsEach) % total)
      const hosts = this.addresses(from, hostsEach)
      const ports = [tcpPort('web', port, hosts, { ...PROBES[kind], ...fleet.more })]
      return clusterEndpoint(`${fleet.name}-${n}`, { periodSeconds, ports })
    })
    await this.send(bodies)
  }

  /** Creates ClusterEndpoints, many at once. */
  async send(bodies: readonly unknown[]): Promise<void> {
    const headers = { 'Content-Type': 'application/json' }
    for (let at = 0; at < bodies.length; at += AT_ONCE) {
      await Promise.all(
        bodies.slice(at, at + AT_ONCE).map(async (body) => {
          const init = { method: 'POST', headers, body: JSON.stringify(body) }
          const answer = await this.world.request(NAMESPACE, init)
          const text = await answer.text()
          if (!answer.ok) throw new Error(`Cannot create a ClusterEndpoint: ${text}`)
        }),
      )
    }
  }

  /** Resolves when so many addresses are published, with the moment by the shared clock. */
  async untilPublished(count: number): Promise<number> {
    const deadlineMs = performance.now() + PUBLISH_MAX_MS
    while (this.watch.size() !== count) {
      if (performance.now() > deadlineMs) {
        throw new Error(`Only ${this.watch.size()} of ${count} addresses were published in time`)
      }
      await Bun.sleep(POLL_MS)
    }
    return this.watch.lastMs()
  }
}
