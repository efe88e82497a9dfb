// HTTP: a host is well when the final status is 200-399. Our own GET over plain sockets, not `fetch`:
// fetch has one process-wide cap of 256 requests (hung hosts would delay the lease), cannot leave out
// User-Agent, joins repeated headers, and decompresses unless told not to.

import { authority, type Call, converse, type Talk } from './dial.ts'
import { Way } from './dialers.ts'
import {
  filledIn,
  hostHeader,
  type Refused,
  requestBytes,
  requestTemplate,
  type Template,
} from './http-request.ts'
import { type ResponseHead, ResponseReader } from './http-response.ts'
import type { Octets } from './octets.ts'
import {
  type Address,
  type Asker,
  answered,
  failed,
  type Outcome,
  ok,
  type Probe,
  type Prober,
  type Question,
  type Underway,
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
export const probeHttp: Prober<HttpProbe> = (address, probe) => {
  const { template } = askedBy(probe)
  if ('refused' in template) return refusing(template)
  const request = filledIn(template, hostOf(address, probe))
  if ('refused' in request) return refusing(request)
  return new HttpQuestion(address, probe, request)
}

class HttpQuestion extends Way implements Question {
  readonly #probe: HttpProbe
  readonly #request: Uint8Array

  constructor(address: Address, probe: HttpProbe, request: Uint8Array) {
    super(address, viaOf(probe.scheme))
    this.#probe = probe
    this.#request = request
  }

  ask(asker: Asker): Underway {
    return new Visit(this, this.#probe, asker).ask(this, this.#request)
  }
}

function refusing({ refused }: Refused): Question {
  return answered(failed(refused))
}

function viaOf(scheme: HttpProbe['scheme']): Way['via'] {
  return scheme === 'https' ? 'tls' : 'tcp'
}

/** What all hosts of a port are asked alike: the request, and the Host that the spec gives if it does. */
type Asked = { readonly template: Template | Refused; readonly host: string | undefined }

const asked = new WeakMap<HttpProbe, Asked>()

function askedBy(probe: HttpProbe): Asked {
  return asked.getOrInsertComputed(probe, ({ headers }) => ({
    template: requestTemplate({ path: pathOf(probe), headers, referer: undefined }),
    host: hostHeader(headers),
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

/** One attempt: a request, and those that redirects lead to, one after another. */
class Visit implements Underway, Asker<ResponseHead | Outcome> {
  readonly #address: Address
  readonly #probe: HttpProbe
  readonly #asker: Asker
  #requests = 0
  /** Undefined for the first, which needs none. */
  #hop: Hop | undefined
  #exchange: Underway | undefined

  constructor(address: Address, probe: HttpProbe, asker: Asker) {
    this.#address = address
    this.#probe = probe
    this.#asker = asker
  }

  ask(way: Way, request: Uint8Array): this {
    this.#requests++
    this.#exchange = converse(way, new Get(request), this)
    return this
  }

  cancel(): void {
    this.#exchange?.cancel()
  }

  hear(answer: ResponseHead | Outcome | Promise<Outcome>): void {
    if (answer instanceof Promise || 'result' in answer) this.#asker.hear(answer)
    else if (leadsOn(answer)) this.#follow(answer.location)
    else this.#asker.hear(verdict(answer))
  }

  /** What is broken in us is told, too. */
  #follow(location: string): void {
    let said: Outcome | Promise<Outcome> | undefined
    try {
      said = this.#goOn(location)
    } catch (error) {
      said = Promise.reject(error)
    }
    if (said) this.#asker.hear(said)
  }

  /** Asks where `location` leads to, unless the visit is over with it. */
  #goOn(location: string): Outcome | undefined {
    const address = this.#address
    const from = this.#hop ?? firstHop(address, this.#probe)
    const url = URL.parse(location, from.url.href)
    if (url === null) return failed('malformed Location in a redirect')
    if (url.hostname !== from.url.hostname) return ok
    if (this.#requests === REQUESTS_MAX) return failed(`stopped after ${REQUESTS_MAX} redirects`)
    if (url.protocol !== 'http:' && url.protocol !== 'https:')
      return failed('redirect to an unsupported scheme')
    const hop = nextHop(from, url, location)
    const request = requestBytes({ ...hop, headers: this.#probe.headers })
    if ('refused' in request) return failed(request.refused)
    this.#hop = hop
    this.ask(redirectedWay(address, url), request)
    return undefined
  }
}

function firstHop(address: Address, probe: HttpProbe): Hop {
  const path = pathOf(probe)
  const url = new URL(`${probe.scheme}://${authority(address)}${path}`)
  return { url, path, host: hostOf(address, probe), referer: undefined }
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

/** To the target's own host, whatever the URL says. */
function redirectedWay(address: Address, url: URL): Way {
  const isTls = url.protocol === 'https:'
  const port = url.port === '' ? (isTls ? 443 : 80) : Number(url.port)
  const { host, name } = address
  return new Way({ host, port, name }, viaOf(isTls ? 'https' : 'http'))
}

/** One GET; ends with the head of its answer. */
class Get implements Talk<ResponseHead> {
  readonly #request: Uint8Array
  readonly #reader = new ResponseReader()
  #head: ResponseHead | undefined
  #drain: ReturnType<typeof setTimeout> | undefined

  constructor(request: Uint8Array) {
    this.#request = request
  }

  onOpen(call: Call<ResponseHead>): void {
    call.say(this.#request)
  }

  onData(part: Octets, call: Call<ResponseHead>): void {
    const reading = this.#reader.read(part)
    if (reading.state === 'head') return
    if (reading.state === 'broken') {
      call.end(failed(reading.reason))
      return
    }
    if (this.#head === undefined && reading.state === 'body')
      this.#drain = setTimeout(() => this.onBreak(call), DRAIN_MS)
    this.#head = reading.head
    if (reading.state === 'end') this.onBreak(call)
  }

  /** No more of a body will come, or is waited for. */
  onBreak(call: Call<ResponseHead>): void {
    clearTimeout(this.#drain)
    if (this.#head !== undefined) call.end(this.#head)
  }
}
