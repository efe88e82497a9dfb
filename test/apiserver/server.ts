// An in-process Kubernetes API server: starts it, and gives tests its levers. On node:http rather than
// Bun.serve, which keeps the headers of a watch back until its first byte (Bun 1.4.5); real ones do not.

import { createServer as createHttp, type Server } from 'node:http'
import { createServer as createHttps } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Access, Forbid } from './access.ts'
import { type Cluster, openCluster } from './cluster.ts'
import type { FaultAction, FaultHandle, FaultMatch } from './faults.ts'
import { Faults } from './faults.ts'
import { GarbageCollector } from './gc.ts'
import { Handler } from './handler.ts'
import { writeKubeconfig } from './kubeconfig.ts'
import type { KubeObject } from './object.ts'
import { ObjectStore } from './object-store.ts'
import { type LogFilter, type LoggedRequest, RequestLog } from './request-log.ts'

/** Settings of a server; every one has a default. */
export interface ApiServerOptions {
  /** 0, the default, takes a free one. */
  readonly port?: number
  readonly hostname?: string
  /** Endpoints may be loopback addresses; nothing else of their validation changes. */
  readonly allowLoopback?: boolean
  /** Services may have both families; by default IPv4 alone. */
  readonly isDualStack?: boolean
  /** Changes of each resource that watches can resume from; default 10,000. */
  readonly historyMax?: number
  /** Default 60,000. */
  readonly bookmarkIntervalMs?: number
  /** Time from the end of an owner to that of its dependents; default 20. */
  readonly gcDelayMs?: number
  /** Requests remembered; default 100,000. */
  readonly logMax?: number
  /** Users by bearer token; without it everybody may come. */
  readonly tokens?: Readonly<Record<string, string>>
  readonly forbid?: Forbid
  readonly tls?: { readonly key: string; readonly cert: string }
  /** The server's clock, for timestamps and ages. */
  readonly nowMs?: () => number
}

/** A change as listeners of the server get it. */
export interface StoreEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  /** The plural name. */
  readonly resource: string
  readonly object: KubeObject
  readonly previous: KubeObject | undefined
}

/** A running server. */
export interface ApiServer {
  readonly url: string
  readonly port: number
  /** The objects, without HTTP. */
  readonly store: ObjectStore
  /** Requests so far, oldest first. */
  readonly requests: readonly LoggedRequest[]
  readonly count: (filter?: LogFilter) => number
  /** Every POST, PUT, PATCH and DELETE so far. */
  readonly writes: () => readonly LoggedRequest[]
  readonly clearLog: () => void
  readonly fault: (match: FaultMatch, action: FaultAction) => FaultHandle
  /** Cuts every connection and refuses new ones. */
  readonly pause: () => void
  /** Listens again on the same port. */
  readonly resume: () => void
  /** Forgets the history: older watches and continue tokens get 410. */
  readonly compact: () => void
  /** Changes the tokens from now on; open watches stay. */
  readonly setTokens: (tokens: Readonly<Record<string, string>> | undefined) => void
  readonly setForbid: (forbid: Forbid | undefined) => void
  /** Number of open watches. */
  readonly openWatches: () => number
  /** Calls the listener for every later version of any object. */
  readonly onEvent: (listener: (event: StoreEvent) => void) => () => void
  /** Writes a kubeconfig file (removed by stop) and returns its path. */
  readonly kubeconfig: () => string
  readonly stop: () => void
}

/** Starts a server. It listens when this returns. */
export function startApiServer(options: ApiServerOptions = {}): ApiServer {
  const { historyMax = 10_000, allowLoopback = false, nowMs = Date.now } = options
  const { isDualStack = false } = options
  const { hostname = '127.0.0.1', gcDelayMs = 20, bookmarkIntervalMs = 60_000 } = options
  const cluster = openCluster({ historyMax, allowLoopback, isDualStack, nowMs })
  const gc = new GarbageCollector(cluster, gcDelayMs)
  const log = new RequestLog(options.logMax ?? 100_000)
  const faults = new Faults()
  const access: Access = { tokens: options.tokens, forbid: options.forbid }
  const handler = new Handler({ cluster, gc, log, faults, access, bookmarkIntervalMs })
  const http = listen(handler, options, hostname)
  const { port } = addressOf(http)
  const url = `${options.tls === undefined ? 'http' : 'https'}://${hostname}:${port}`
  const cleanups: (() => void)[] = []
  return {
    url,
    port,
    store: new ObjectStore(cluster, (uid) => gc.orphan(uid)),
    get requests() {
      return log.entries
    },
    count: (filter) => log.count(filter),
    writes: () => log.writes(),
    clearLog: () => log.clear(),
    fault: (match, action) => faults.add(match, action),
    pause: () => shut(http),
    resume: () => void http.listen(port, hostname),
    compact: () => cluster.store.compact(),
    setTokens: (tokens) => {
      access.tokens = tokens
    },
    setForbid: (forbid) => {
      access.forbid = forbid
    },
    openWatches: () => handler.openWatches,
    onEvent: (listener) => listenToEvents(cluster, listener),
    kubeconfig: () => {
      const token = Object.keys(access.tokens ?? {})[0]
      const { path, remove } = writeKubeconfig({ url, token, ca: options.tls?.cert })
      cleanups.push(remove)
      return path
    },
    stop: () => {
      handler.stop()
      gc.stop()
      shut(http)
      for (const cleanup of cleanups.splice(0)) cleanup()
    },
  }
}

function listen(handler: Handler, options: ApiServerOptions, hostname: string): Server {
  const { tls } = options
  const http = tls === undefined ? createHttp() : createHttps({ key: tls.key, cert: tls.cert })
  http.on('request', (request, response) => void handler.handle(request, response))
  // Idle connections stay: a real server waits for minutes, and a client must not race its end.
  http.keepAliveTimeout = 600_000
  http.requestTimeout = 0
  http.headersTimeout = 0
  http.timeout = 0
  http.listen(options.port ?? 0, hostname)
  return http
}

function shut(http: Server): void {
  http.close()
  http.closeAllConnections()
}

function addressOf(http: Server): AddressInfo {
  const address = http.address()
  if (address === null || typeof address === 'string') throw new Error('Cannot tell the port')
  return address
}

function listenToEvents(cluster: Cluster, listener: (event: StoreEvent) => void): () => void {
  return cluster.store.onChange(({ type, collection, current, previous }) => {
    const resource = collection.slice(collection.lastIndexOf('/') + 1)
    listener({ type, resource, object: current.object, previous: previous?.object })
  })
}
