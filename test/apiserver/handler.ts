// One HTTP request from socket to socket: log, faults, access, then an answer or an open watch.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { type Access, authenticate, authorize } from './access.ts'
import type { Cluster } from './cluster.ts'
import type { Faults, RequestFault } from './faults.ts'
import type { GarbageCollector } from './gc.ts'
import { parseRequest, type RequestInfo } from './request-info.ts'
import type { LoggedRequest, RequestLog } from './request-log.ts'
import { type Answer, answer, type Exchange, encodingOf, resourceOf } from './routes.ts'
import { ApiError, NoSuchPath } from './status.ts'
import { WatchStream } from './stream.ts'
import { parseWatch, startWatch } from './watch.ts'

/** What requests are handled with. */
export interface HandlerParts {
  readonly cluster: Cluster
  readonly gc: GarbageCollector
  readonly log: RequestLog
  readonly faults: Faults
  readonly access: Access
  readonly bookmarkIntervalMs: number
}

/** Answers larger than this are compressed for clients that can take it, as real servers do. */
const GZIP_BYTES_MIN = 128 * 1024

/** Timers past this fire at once. */
const TIMER_MAX_MS = 2 ** 31 - 1

/** Handles requests and keeps the open watches. */
export class Handler {
  readonly #parts: HandlerParts
  readonly #closers = new Set<() => void>()

  constructor(parts: HandlerParts) {
    this.#parts = parts
  }

  get openWatches(): number {
    return this.#closers.size
  }

  /** Ends all watches. */
  stop(): void {
    for (const close of [...this.#closers]) close()
  }

  /** Never rejects: what goes wrong is answered with 500. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const info = parseRequest(request.method ?? 'GET', request.url ?? '/')
    const entry = this.#parts.log.add(info, headerOf(request, 'user-agent'))
    try {
      const body = await readBody(request)
      const fault = this.#parts.faults.take(info)
      if (fault !== undefined && (await this.#suffer(fault, entry, request, response))) return
      const exchange = this.#admit(info, request, body)
      if (info.isWatch) {
        this.#watch(exchange, entry, response)
        return
      }
      const { cluster, gc, log } = this.#parts
      const orphan = (uid: string) => gc.orphan(uid)
      const result = answer({ cluster, orphan, metrics: () => log.metrics() }, exchange)
      if (fault?.kind === 'resetAfterApply') reset(request)
      else this.#send(entry, response, result, canGzip(request))
    } catch (error) {
      if (!response.headersSent) this.#sendError(entry, response, error)
    }
  }

  /** Whether that was the end of the request. */
  async #suffer(
    fault: RequestFault,
    entry: LoggedRequest,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<boolean> {
    switch (fault.kind) {
      case 'delay':
        await Bun.sleep(fault.delayMs)
        return false
      case 'resetAfterApply':
        return false
      case 'hang':
        return true
      case 'reset':
        reset(request)
        return true
      case 'status': {
        const { code, retryAfter, body } = fault
        if (retryAfter !== undefined) response.setHeader('Retry-After', String(retryAfter))
        const message = `fault injected: ${code}`
        const status = body ?? new ApiError(code, REASONS[code] ?? '', message).toStatus()
        const text = typeof status === 'string' ? status : JSON.stringify(status)
        const contentType = 'application/json'
        this.#send(entry, response, { code, body: text, contentType, warnings: [] }, false)
        return true
      }
    }
  }

  #admit(info: RequestInfo, request: IncomingMessage, body: Uint8Array): Exchange {
    const { access } = this.#parts
    const isOpen = /^\/(healthz|livez|readyz|version)(\/|$)/.test(info.path)
    const user = isOpen ? '' : authenticate(access, headerOf(request, 'authorization'))
    authorize(access, user, info)
    return {
      info,
      user,
      body,
      accept: headerOf(request, 'accept'),
      contentType: headerOf(request, 'content-type'),
      userAgent: headerOf(request, 'user-agent'),
    }
  }

  #watch(exchange: Exchange, entry: LoggedRequest, response: ServerResponse): void {
    const { cluster, faults, log, bookmarkIntervalMs } = this.#parts
    const { info } = exchange
    const resource = resourceOf(cluster, info)
    const encoding = encodingOf(cluster, exchange, resource)
    const request = parseWatch(info, encoding)
    response.writeHead(200, { 'Content-Type': 'application/json' })
    response.flushHeaders()
    log.answered(entry, 200)
    const stream = new WatchStream(info, response)
    const unfollow = faults.follow(stream)
    const watch = startWatch(cluster, request, encoding, stream)
    const leave = () => {
      watch.bookmark()
      stream.end()
    }
    const ticking = setInterval(watch.bookmark, bookmarkIntervalMs)
    const timeout = setTimeout(leave, Math.min(request.timeoutSeconds * 1000, TIMER_MAX_MS))
    const ofCrd = cluster.store.onChange(() => {
      if (!cluster.registry.byPath(info.group, info.version, info.resource)) leave()
    })
    const close = () => {
      clearInterval(ticking)
      clearTimeout(timeout)
      for (const release of [ofCrd, unfollow, watch.close]) release()
      this.#closers.delete(closeNow)
    }
    const closeNow = () => {
      close()
      stream.cut()
    }
    this.#closers.add(closeNow)
    response.on('close', close)
  }

  #send(entry: LoggedRequest, response: ServerResponse, result: Answer, gzip: boolean): void {
    this.#parts.log.answered(entry, result.code)
    if (result.warnings.length > 0) {
      const texts = result.warnings.map((text) => `299 - ${JSON.stringify(text)}`)
      response.setHeader('Warning', texts)
    }
    response.setHeader('Content-Type', result.contentType)
    if (gzip && result.body.length > GZIP_BYTES_MIN) {
      response.setHeader('Content-Encoding', 'gzip')
      response.writeHead(result.code)
      response.end(gzipSync(result.body, { level: 1 }))
      return
    }
    response.writeHead(result.code)
    response.end(result.body)
  }

  #sendError(entry: LoggedRequest, response: ServerResponse, error: unknown): void {
    if (error instanceof NoSuchPath) {
      const text = { body: '404 page not found\n', contentType: 'text/plain; charset=utf-8' }
      this.#send(entry, response, { code: 404, warnings: [], ...text }, false)
      return
    }
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    const failure = error instanceof ApiError ? error : new ApiError(500, 'InternalError', text)
    if (failure.retryAfterSeconds !== undefined) {
      response.setHeader('Retry-After', String(failure.retryAfterSeconds))
    }
    const body = JSON.stringify(failure.toStatus())
    const contentType = 'application/json'
    this.#send(entry, response, { code: failure.code, body, contentType, warnings: [] }, false)
  }
}

const REASONS: { readonly [code: number]: string } = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Expired',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
}

async function readBody(request: IncomingMessage): Promise<Uint8Array> {
  if (request.method === 'GET') return new Uint8Array()
  const chunks: Uint8Array[] = []
  for await (const chunk of request) chunks.push(chunk)
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)
}

function headerOf(request: IncomingMessage, name: string): string {
  const value = request.headers[name]
  return typeof value === 'string' ? value : ''
}

function canGzip(request: IncomingMessage): boolean {
  return request.method === 'GET' && headerOf(request, 'accept-encoding').includes('gzip')
}

function reset(request: IncomingMessage): void {
  request.socket.destroy()
}
