// The two ports: /healthz and /readyz for the kubelet, /metrics for Prometheus.

import { CannotStart } from './errors.ts'
import { type MetricsView, renderMetrics } from './metrics.ts'

/** Why not, in a few words; undefined when all is well. */
export type Complaint = () => string | undefined

export type Listener = { readonly port: number; readonly stop: () => Promise<void> }

/** Bytes after which rendering metrics lets the event loop do something else. */
const METRICS_PIECE_BYTES = 64 * 1024

/** Serves /healthz and /readyz. Throws with what to do when the address cannot be had. */
export function serveHealth(
  address: string,
  checks: { readonly healthz: Complaint; readonly readyz: Complaint },
): Listener {
  return listen(address, '--health-probe-bind-address', (path) => {
    if (path === '/healthz') return verdictOf(checks.healthz())
    if (path === '/readyz') return verdictOf(checks.readyz())
    return undefined
  })
}

/** Serves /metrics. Throws with what to do when the address cannot be had. */
export function serveMetrics(address: string, view: MetricsView): Listener {
  return listen(address, '--metricsaddr', (path) => {
    if (path !== '/metrics') return undefined
    const headers = { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' }
    return new Response(streamed(renderMetrics(view)), { headers })
  })
}

/** `:8080`, `127.0.0.1:0` or `[::1]:9090` as host and port; undefined if it is none of these. */
export function parseBindAddress(
  address: string,
): { readonly hostname: string; readonly port: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(address)
  const port = Number(match?.[3])
  if (!match || port > 65535) return undefined
  return { hostname: match[1] ?? (match[2] || '::'), port }
}

function listen(
  address: string,
  flag: string,
  answer: (path: string) => Response | undefined,
): Listener {
  const bind = parseBindAddress(address)
  if (!bind)
    throw new CannotStart(
      `Cannot use ${flag} "${address}" as it must be like :8080 or 127.0.0.1:8080`,
    )
  const serve = (hostname: string) =>
    Bun.serve({
      hostname,
      port: bind.port,
      development: false,
      // Else, with `development: false`, two processes share a port and its requests (Bun 1.4.5).
      reusePort: false,
      fetch: (request) => {
        if (request.method !== 'GET' && request.method !== 'HEAD') {
          return new Response('method not allowed\n', { status: 405 })
        }
        return answer(new URL(request.url).pathname) ?? new Response('not found\n', { status: 404 })
      },
      error: () => new Response('internal error\n', { status: 500 }),
    })
  try {
    const server = bind.hostname === '::' ? serveAny(serve) : serve(bind.hostname)
    return { port: server.port ?? 0, stop: () => server.stop(true) }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new CannotStart(`Cannot listen on ${flag} "${address}": ${why}`, { cause })
  }
}

/** All addresses of both families; of IPv4 alone where the machine has no IPv6. */
function serveAny<T>(serve: (hostname: string) => T): T {
  try {
    return serve('::')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') throw error
    return serve('0.0.0.0')
  }
}

function verdictOf(complaint: string | undefined): Response {
  return complaint === undefined
    ? new Response('ok\n')
    : new Response(`${complaint}\n`, { status: 503 })
}

/** Text in pieces of a size that neither floods the socket nor holds up the probes. */
function streamed(texts: Iterator<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  return new ReadableStream({
    async pull(controller) {
      let piece = ''
      for (let next = texts.next(); ; next = texts.next()) {
        if (next.done) {
          controller.enqueue(encoder.encode(piece))
          controller.close()
          return
        }
        piece += next.value
        if (piece.length >= METRICS_PIECE_BYTES) break
      }
      controller.enqueue(encoder.encode(piece))
      await Bun.sleep(0)
    },
  })
}
