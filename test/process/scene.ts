// An API server in this process, one operator beside it, and a record of what that publishes.

import { readFileSync } from 'node:fs'
import { type ApiServer, startApiServer } from '../apiserver/server.ts'
import { clusterEndpoint } from '../integration/manifests.ts'
import { type Sample, samples } from '../integration/prometheus.ts'
import { Published } from './published.ts'
import { type Spawned, type SpawnOptions, spawnOperator } from './spawn.ts'

const CRD = readFileSync(`${import.meta.dir}/../../crds/clusterendpoints.yaml`, 'utf8')

export type SceneOptions = Omit<SpawnOptions, 'kubeconfig'> & {
  /** The kubeconfig to give to the operator, made of that of the server. */
  readonly kubeconfig?: (path: string) => string
}

export class Scene implements AsyncDisposable {
  readonly server: ApiServer
  readonly published: Published
  readonly operator: Spawned
  readonly #stack = new AsyncDisposableStack()

  private constructor(server: ApiServer, operator: Spawned) {
    this.server = server
    this.operator = operator
    this.published = new Published(server)
  }

  /** Starts both; `before` may put objects into the API server that the operator is to find there. */
  static async open(
    { kubeconfig = (path) => path, ...options }: SceneOptions = {},
    before: (server: ApiServer) => void = () => {},
  ): Promise<Scene> {
    const server = startApiServer({ allowLoopback: true })
    server.store.applyCrd(CRD)
    before(server)
    try {
      const operator = await spawnOperator({
        ...options,
        kubeconfig: kubeconfig(server.kubeconfig()),
        args: ['--allow-loopback', ...(options.args ?? [])],
      })
      return new Scene(server, operator)
    } catch (error) {
      server.stop()
      throw error
    }
  }

  /** Kills the operator, whatever state it is in, and then all that was kept. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.operator[Symbol.asyncDispose]()
    this.published[Symbol.dispose]()
    await this.#stack.disposeAsync()
    this.server.stop()
  }

  /** Ends `backend` along with this. */
  keep<T extends { kill(): Promise<void> }>(backend: T): T {
    this.#stack.defer(() => backend.kill())
    return backend
  }

  create(name: string, spec: unknown): void {
    this.server.store.create(clusterEndpoint(name, spec))
  }

  remove(name: string): void {
    this.server.store.delete('clusterendpoints', 'default', name)
  }

  async metrics(): Promise<readonly Sample[]> {
    return await samples(this.operator.metricsUrl)
  }

  /** The sum of a metric over all its series. */
  async metric(name: string): Promise<number> {
    const all = await this.metrics()
    return all.reduce((sum, sample) => sum + (sample.name === name ? sample.value : 0), 0)
  }
}
