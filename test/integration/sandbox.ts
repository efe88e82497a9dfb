// A namespace of one test's own, with backends that end when the test does.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SERVICE_NAME_LABEL, SLICE_MANAGER, SLICE_MANAGER_LABEL } from '../../crds/slices.ts'
import type { Status } from '../../crds/status.ts'
import type { Backend } from '../backends/backend.ts'
import { startGrpc } from '../backends/grpc.ts'
import { startHttp } from '../backends/http.ts'
import { startTcp } from '../backends/tcp.ts'
import { startUdp } from '../backends/udp.ts'
import { freePorts } from '../controlplane/free-ports.ts'
import type { DeletePolicy, PatchType, Place } from './api.ts'
import { eventually } from './eventually.ts'
import { type CepSpec, clusterEndpoint } from './manifests.ts'
import {
  cepStatus,
  type EventTold,
  type KubeObject,
  published,
  readEvent,
  readSlice,
  type Slice,
  servicePorts,
} from './objects.ts'
import type { Session } from './session.ts'

export type BackendKind = 'tcp' | 'http' | 'udp' | 'grpc'

/** The kinds that make up one ClusterEndpoint's world. */
export type Kept = 'clusterendpoints' | 'services' | 'endpoints' | 'endpointslices'

const STARTERS = { tcp: startTcp, http: startHttp, udp: startUdp, grpc: startGrpc } as const

/** Lines of each kind that a failure shows. */
const REPORT_MAX = 20

let sandboxes = 0

export class Sandbox implements AsyncDisposable {
  readonly session: Session
  readonly namespace: string
  readonly #stack = new AsyncDisposableStack()
  #folder: string | undefined

  private constructor(session: Session, namespace: string) {
    this.session = session
    this.namespace = namespace
  }

  /**
   * Makes a namespace, unless one that exists is given. Dispose of it, or its hosts are probed until
   * the world ends.
   */
  static async open(session: Session, existing?: string): Promise<Sandbox> {
    const namespace = existing ?? `test-${++sandboxes}`
    if (existing === undefined) {
      const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }
      await session.api.create({ plural: 'namespaces' }, object)
    }
    return new Sandbox(session, namespace)
  }

  /** Ends the backends and deletes the ClusterEndpoints. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { api } = this.session
    const { items } = await api.list(this.place('clusterendpoints'))
    for (const { metadata } of items)
      await api.remove(this.place('clusterendpoints', metadata.name))
    await this.#stack.disposeAsync()
  }

  /** An empty folder at first, removed along with this. */
  get folder(): string {
    if (this.#folder !== undefined) return this.#folder
    const folder = mkdtempSync(join(tmpdir(), 'sandbox-'))
    this.#stack.defer(() => rmSync(folder, { recursive: true }))
    this.#folder = folder
    return folder
  }

  /** A backend that answers; on a free port unless one is given. */
  async start(kind: BackendKind, host: string, port?: number): Promise<Backend> {
    const address = { host, port: port ?? freePort() }
    return this.keep(await STARTERS[kind](address))
  }

  /** One backend on each of `hosts`, all on the same port. */
  async startOnEach(kind: BackendKind, hosts: readonly string[]): Promise<Backend[]> {
    const port = freePort()
    return await Promise.all(hosts.map((host) => this.start(kind, host, port)))
  }

  /** Ends `backend` along with this. */
  keep<T extends Pick<Backend, 'kill'>>(backend: T): T {
    this.#stack.defer(() => backend.kill())
    return backend
  }

  readonly place = (plural: Place['plural'], name?: string): Place => {
    return { plural, namespace: this.namespace, ...(name === undefined ? {} : { name }) }
  }

  /** Creates a ClusterEndpoint; `metadata` is merged into its own. */
  async create(
    name: string,
    spec: CepSpec,
    metadata: Readonly<{ [key: string]: unknown }> = {},
  ): Promise<KubeObject> {
    const object = clusterEndpoint(name, spec, metadata)
    return await this.session.api.create(this.place('clusterendpoints'), object)
  }

  async patch(plural: Kept, name: string, patch: unknown, type?: PatchType): Promise<KubeObject> {
    return await this.session.api.patch(this.place(plural, name), patch, type)
  }

  /** Deletes an object; `policy` is for its dependents. */
  async remove(plural: Kept, name: string, policy?: DeletePolicy): Promise<void> {
    await this.session.api.remove(this.place(plural, name), policy)
  }

  /** As eventually(); what it throws then says what the operator thought of this namespace. */
  async eventually(maxMs: number, check: () => unknown): Promise<number> {
    try {
      return await eventually(maxMs, check)
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : error}\n\n${this.#report()}`, {
        cause: error,
      })
    }
  }

  /** As it stands now by the recording; undefined when there is none. */
  latest(plural: Kept, name: string): KubeObject | undefined {
    return this.session.recordings[plural].latest(this.namespace, name)
  }

  /** What the Endpoints publish now. */
  published(name: string): string[] {
    return published(this.latest('endpoints', name))
  }

  /** Our slices of a ClusterEndpoint that stand now, by name. */
  slices(name: string): Slice[] {
    return this.session.recordings.endpointslices
      .all(this.namespace)
      .filter(({ metadata }) => metadata.labels[SERVICE_NAME_LABEL] === name)
      .filter(({ metadata }) => metadata.labels[SLICE_MANAGER_LABEL] === SLICE_MANAGER)
      .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
      .map(readSlice)
  }

  servicePorts(name: string): string[] {
    return servicePorts(this.latest('services', name))
  }

  status(name: string): Status | undefined {
    return cepStatus(this.latest('clusterendpoints', name))
  }

  condition(name: string, type: string): Status['conditions'][number] | undefined {
    return this.status(name)?.conditions.find((condition) => condition.type === type)
  }

  /** The resourceVersions of a ClusterEndpoint, its Service, its Endpoints and its slices. */
  resourceVersions(name: string): string[] {
    const plurals = ['clusterendpoints', 'services', 'endpoints'] as const
    return [
      ...plurals.map((plural) => this.latest(plural, name)?.metadata.resourceVersion ?? 'none'),
      ...this.slices(name).map((slice) => `${slice.name} ${slice.resourceVersion}`),
    ]
  }

  /** Events about a ClusterEndpoint. */
  events(name: string, reason?: string): EventTold[] {
    return this.session.recordings.events
      .all(this.namespace)
      .map(readEvent)
      .filter(({ involvedObject }) => involvedObject.name === name)
      .filter((event) => reason === undefined || event.reason === reason)
  }

  /** What the operator logged about this namespace, and what it told of hosts that are out. */
  #report(): string {
    const { recordings, operator } = this.session
    const lines = operator().logs().split('\n')
    const out = recordings.clusterendpoints
      .all(this.namespace)
      .flatMap((cep) => (cepStatus(cep)?.hosts ?? []).filter(({ healthy }) => !healthy))
    return [
      ...lines.filter((line) => line.includes(`namespace=${this.namespace} `)).slice(-REPORT_MAX),
      ...out.slice(0, REPORT_MAX).map((row) => JSON.stringify(row)),
    ].join('\n')
  }
}

function freePort(): number {
  const [port = 0] = freePorts(1)
  return port
}
