// HTTP: a host is well when the final status is 200-399. Our own GET over plain sockets, not `fetch`:
// fetch has one process-wide cap of 256 requests (hung hosts would delay the lease), cannot leave out
// User-Agent, joins repeated headers, and decompresses unless told not to.

import { authority, converse, type Way } from './dial.ts'
import { hostHeader, requestBytes } from './http-request.ts'
import { type ResponseHead, responseReader } from './http-response.ts'
import {
  type Address,
  type AttemptSignal,
  failed,
  type Outcome,
  ok,
  type Probe,
  type Prober,
} from './target.ts'

type HttpProbe = Extract<Probe, { kind: 'http' }>

/** One request of the chain. The connection always goes to the target's own host. */
type Hop = {
  /** What a Location is resolved against; its hostname is the target's. */
  readonly url: URL
  /** Path and query as they are asked for: the first one is the spec's, not normalised. */
  readonly path: string
  readonly host: string
  readonly referer: string | undefined
}

/** Requests in one attempt, the first included. Source: Go net/http, Kubernetes pkg/probe/http. */
const REQUESTS_MAX = 10

/** Statuses that redirect a GET; 300, 304 and the like are answers. Source: Go net/http. */
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/**
 * How long the rest of a body is waited for once the status is known, so that a server can finish and
 * does not log a broken pipe at every attempt. The status has decided by then: no body fails a host.
 */
const DRAIN_MS = 50

/**
 * GET with the kubelet's rules: redirects are followed on the same host (port and scheme may change),
 * one to another host counts as success, certificates are never verified, every request has a new
 * connection. Differs in two things: HTTP/1.1 only, and a body that breaks off changes nothing.
 * Source: Kubernetes pkg/probe/http; Go net/http Client.do.
 */
export const probeHttp: Prober<HttpProbe> = async (address, probe, signal, isSettled) => {
  let hop = firstHop(address, probe)
  for (let requests = 1; ; requests += 1) {
    const way = wayTo(address, hop.url)
    const isKnown = isSettled && requests === 1
    const answer = await exchange(
      way,
      requestBytes({ ...hop, headers: probe.headers }),
      signal,
      isKnown,
    )
    if ('result' in answer) return answer
    const { status, location } = answer
    if (!REDIRECTS.has(status) || location === undefined)
      return status >= 200 && status < 400 ? ok : failed(`HTTP ${status}`)
    const url = URL.parse(location, hop.url.href)
    if (url === null) return failed('malformed Location in a redirect')
    if (url.hostname !== hop.url.hostname) return ok
    if (requests === REQUESTS_MAX) return failed(`stopped after ${REQUESTS_MAX} redirects`)
    if (url.protocol !== 'http:' && url.protocol !== 'https:')
      return failed('redirect to an unsupported scheme')
    hop = nextHop(hop, url, location)
  }
}

function firstHop(address: Address, probe: HttpProbe): Hop {
  const path = probe.path.startsWith('/') ? probe.path : `/${probe.path}`
  const url = new URL(`${probe.scheme}://${authority(address)}${path}`)
  // A name as browsers say it, without the usual port; an address as the kubelet says it, always with it.
  const own = address.name === undefined ? authority(address) : url.host
  return {
    url,
    path,
    host: hostHeader(probe.headers) ?? own,
    referer: undefined,
  }
}

/** A Host header of the spec outlives relative redirects only; https does not tell http where it was. */
function nextHop(from: Hop, url: URL, location: string): Hop {
  const isAbsolute = /^[a-z][a-z0-9+.-]*:/i.test(location)
  const namesHost = isAbsolute || (location.startsWith('//') && from.host === from.url.host)
  const referer = new URL(from.url)
  referer.username = referer.password = referer.hash = ''
  const leavesTls = from.url.protocol === 'https:' && url.protocol === 'http:'
  return {
    url,
    path: url.pathname + url.search,
    host: namesHost ? url.host : from.host,
    referer: leavesTls ? undefined : referer.href,
  }
}

/** A redirect may have led to another port, about which nothing is known. */
function wayTo(address: Address, url: URL): Way {
  const isTls = url.protocol === 'https:'
  return { ...address, port: url.port === '' ? (isTls ? 443 : 80) : Number(url.port), isTls }
}

/** Sends one GET on a connection of its own and resolves to the head of the answer. */
function exchange(
  way: Way,
  request: ReturnType<typeof requestBytes>,
  signal: AttemptSignal,
  isSettled: boolean,
): Promise<ResponseHead | Outcome> {
  if ('refused' in request) return Promise.resolve(failed(request.refused))
  const read = responseReader()
  return converse<ResponseHead>(way, signal, isSettled, (done) => {
    let head: ResponseHead | undefined
    let drain: ReturnType<typeof setTimeout> | undefined
    const over = () => {
      clearTimeout(drain)
      if (head !== undefined) done(head)
    }
    return {
      onOpen: (wire) => wire.write(request),
      onData: (chunk) => {
        const reading = read(chunk)
        if (reading.state === 'broken') return done(failed(reading.reason))
        if (reading.state === 'head') return
        if (head === undefined && reading.state === 'body') drain = setTimeout(over, DRAIN_MS)
        head = reading.head
        if (reading.state === 'end') over()
      },
      onBreak: over,
    }
  })
}
