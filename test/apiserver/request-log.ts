// The requests that a server got: for assertions, and as counters for /metrics.

import type { RequestInfo } from './request-info.ts'

/** One request. `status` is 0 until it is answered, and stays 0 when it never is. */
export interface LoggedRequest {
  readonly method: string
  /** The path without the query. */
  readonly path: string
  readonly query: string
  readonly verb: string
  readonly resource: string
  readonly namespace: string
  readonly name: string
  readonly subresource: string
  readonly userAgent: string
  readonly atMs: number
  status: number
}

/** Which requests to count: a predicate, or those that agree with every given member. */
export type LogFilter = Partial<LoggedRequest> | ((request: LoggedRequest) => boolean)

const MUTATING = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])

/** A bounded log; the oldest entries go first. */
export class RequestLog {
  readonly #max: number
  readonly #totals = new Map<string, number>()
  #entries: LoggedRequest[] = []

  constructor(max: number) {
    this.#max = max
  }

  get entries(): readonly LoggedRequest[] {
    return this.#entries.slice(-this.#max)
  }

  add(info: RequestInfo, userAgent: string): LoggedRequest {
    const { method, path, query, verb, resource, namespace, name, subresource } = info
    const entry = {
      ...{ method, path, verb, resource, namespace, name, subresource, userAgent },
      query: query.toString(),
      atMs: Date.now(),
      status: 0,
    }
    this.#entries.push(entry)
    if (this.#entries.length >= this.#max * 2) this.#entries = this.#entries.slice(-this.#max)
    return entry
  }

  /** Notes the answer of a request. */
  answered(entry: LoggedRequest, status: number): void {
    entry.status = status
    const key = `${entry.verb.toUpperCase()}|${entry.resource}|${status}`
    this.#totals.set(key, (this.#totals.get(key) ?? 0) + 1)
  }

  count(filter: LogFilter = {}): number {
    return this.#entries.filter((entry) => agrees(entry, filter)).length
  }

  writes(): readonly LoggedRequest[] {
    return this.entries.filter((entry) => MUTATING.has(entry.method))
  }

  clear(): void {
    this.#entries = []
  }

  /** Prometheus text of the totals since the start. */
  metrics(): string {
    const lines = [...this.#totals].map(([key, count]) => {
      const [verb, resource, code] = key.split('|')
      const labels = `code="${code}",resource="${resource}",verb="${verb}"`
      return `apiserver_request_total{${labels}} ${count}`
    })
    const head = [
      '# HELP apiserver_request_total Counter of apiserver requests by verb, resource and code.',
      '# TYPE apiserver_request_total counter',
    ]
    return `${[...head, ...lines].join('\n')}\n`
  }
}

function agrees(entry: LoggedRequest, filter: LogFilter): boolean {
  if (typeof filter === 'function') return filter(entry)
  const actual = new Map<string, unknown>(Object.entries(entry))
  return Object.entries(filter).every(([key, value]) => actual.get(key) === value)
}
