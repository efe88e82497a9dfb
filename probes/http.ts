// HTTP: a host is well when the final status is 200-399. Our own GET over plain sockets, not `fetch`:
// fetch has one process-wide cap of 256 requests (hung hosts would delay the lease), cannot leave out
// User-Agent, joins repeated headers, and decompresses unless told not to.

import { authority, converse } from './dial.ts'
import type { Way } from './dialers.ts'
import {
  filledIn,
  hostHeader,
  type Refused,
  requestBytes,
  requestTemplate,
  type Template,
} from './http-request.ts'
import { type ResponseHead, ResponseReader } from './http-response.ts'
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
export const probeHttp: Prober<HttpProbe> = (address, probe, signal) => {
  const { way, request } = openingOf(address, probe)
  if ('refused' in request) return Promise.resolve(failed(request.refused))
  return exchange(way, request, signal).then((answer) => {
    if ('result' in answer) return answer
    return leadsOn(answer) ? follow(answer, address, probe, signal) : verdict(answer)
  })
}

/** What all hosts of a port are asked alike: the request, and the Host that the spec gives if it does. */
type Asked = {
  readonly template: Template | Refused
  readonly host: string | undefined
  /** How an attempt begins, by target: the same each time. */
  readonly openings: WeakMap<Address, Opening>
}

type Opening = { readonly way: Way; readonly request: Uint8Array | Refused }

const asked = new WeakMap<HttpProbe, Asked>()

function askedBy(probe: HttpProbe): Asked {
  return asked.getOrInsertComputed(probe, ({ headers }) => ({
    template: requestTemplate({ path: pathOf(probe), headers, referer: undefined }),
    host: hostHeader(headers),
    openings: new WeakMap(),
  }))
}

function openingOf(address: Address, probe: HttpProbe): Opening {
  const { openings, template } = askedBy(probe)
  return openings.getOrInsertComputed(address, ({ host, port, name }) => ({
    way: {
      host,
      port,
      via: probe.scheme === 'https' ? 'tls' : 'tcp',
      ...(name !== undefined && { name }),
    },
    request: 'refused' in template ? template : filledIn(template, hostOf(address, probe)),
  }))
}

function pathOf({ path }: HttpProbe): string {
  return path.startsWith('/') ? path : `/${path}`
}

/** A name as browsers say it, without the usual port; an address as the kubelet says it, always with it. */
function hostOf(address: Address, probe: HttpProbe): string {
  const isUsual = address.port === (probe.scheme === 'https' ? 443 : 80)
  const own = address.name !== undefined && isUsual ? address.name : authority(address)
  return askedBy(probe).host ?? own
}

type Redirect = ResponseHead & { readonly location: string }

function leadsOn(answer: ResponseHead): answer is Redirect {
  return REDIRECTS.has(answer.status) && answer.location !== undefined
}

function verdict({ status }: ResponseHead): Outcome {
  return status >= 200 && status < 400 ? ok : failed(`HTTP ${status}`)
}

/** Goes where the first answer leads to. */
async function follow(
  first: Redirect,
  address: Address,
  probe: HttpProbe,
  signal: AttemptSignal,
): Promise<Outcome> {
  let { location } = first
  const path = pathOf(probe)
  const start = new URL(`${probe.scheme}://${authority(address)}${path}`)
  let hop: Hop = { url: start, path, host: hostOf(address, probe), referer: undefined }
  for (let requests = 1; ; requests += 1) {
    const url = URL.parse(location, hop.url.href)
    if (url === null) return failed('malformed Location in a redirect')
    if (url.hostname !== hop.url.hostname) return ok
    if (requests === REQUESTS_MAX) return failed(`stopped after ${REQUESTS_MAX} redirects`)
    if (url.protocol !== 'http:' && url.protocol !== 'https:')
      return failed('redirect to an unsupported scheme')
    hop = nextHop(hop, url, location)
    const request = requestBytes({ ...hop, headers: probe.headers })
    if ('refused' in request) return failed(request.refused)
    const answer = await exchange(wayTo(address, hop.url), request, signal)
    if ('result' in answer) return answer
    if (!leadsOn(answer)) return verdict(answer)
    location = answer.location
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

function wayTo({ host, name }: Address, url: URL): Way {
  const isTls = url.protocol === 'https:'
  const port = url.port === '' ? (isTls ? 443 : 80) : Number(url.port)
  return { host, port, via: isTls ? 'tls' : 'tcp', ...(name !== undefined && { name }) }
}

/** Sends one GET on a connection of its own and resolves to the head of the answer. */
function exchange(
  way: Way,
  request: Uint8Array,
  signal: AttemptSignal,
): Promise<ResponseHead | Outcome> {
  const reader = new ResponseReader()
  return converse<ResponseHead>(way, signal, (done) => {
    let head: ResponseHead | undefined
    let drain: ReturnType<typeof setTimeout> | undefined
    const over = () => {
      clearTimeout(drain)
      if (head !== undefined) done(head)
    }
    return {
      onOpen: (wire) => wire.write(request),
      onData: (chunk) => {
        const reading = reader.read(chunk)
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
