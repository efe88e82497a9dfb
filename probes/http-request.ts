// The bytes of one GET as the kubelet (Go's net/http) writes them. Pure.
// Nothing that a spec can say gets out of its place in the request: see `requestBytes`.

import { version } from '../package.json'
import type { HttpHeader } from './target.ts'

/** Sent by HTTP and gRPC attempts. Servers know the kubelet by the part before the slash. */
export const USER_AGENT = `kube-probe/${version}`

/** What one request asks for. */
export type Get = {
  /** Value of the Host header. */
  readonly host: string
  /** Path and query, begins with `/`; encoded here. */
  readonly path: string
  readonly headers: readonly HttpHeader[]
  /** Where a redirect led here from. */
  readonly referer: string | undefined
}

/** Go keeps these out of what it copies: the first two have their own lines, a GET has no body. */
const HEADERS_NOT_COPIED: ReadonlySet<string> = new Set([
  'Host',
  'User-Agent',
  'Content-Length',
  'Transfer-Encoding',
  'Trailer',
])

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it refuses
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/
/** What Go takes as a Host: the characters of RFC 3986's authority. */
const HOST = /^[A-Za-z0-9\-._~!$&'()*+,;=:[\]%@]+$/

/** A request but for its Host, which goes between the two. */
export type Template = { readonly start: string; readonly rest: string }

export type Refused = { readonly refused: string }

/**
 * The whole request, or the reason why it cannot be sent. Names and values with characters that could
 * end a line are refused, as Go refuses them; the path is percent-encoded, as Go encodes it.
 * Order, too, is Go's: Host, User-Agent, the rest sorted by name (repeats in their order), Connection.
 * Source: Kubernetes pkg/probe/http/request.go; Go net/http Request.write, httpguts, textproto.
 */
export function requestBytes(get: Get): Uint8Array | Refused {
  const template = requestTemplate(get)
  return 'refused' in template ? template : filledIn(template, get.host)
}

/** What of a request is the same for all hosts, or the reason why it cannot be sent to any. */
export function requestTemplate(get: Omit<Get, 'host'>): Template | Refused {
  if (get.headers.some((header) => !TOKEN.test(header.name)))
    return { refused: 'invalid HTTP header name' }
  if (get.headers.some((header) => CONTROL.test(header.value)))
    return { refused: 'invalid HTTP header value' }
  return {
    start: `GET ${encodePath(get.path)} HTTP/1.1\r\nHost: `,
    rest: ['', ...headerLines(get), '\r\n'].join('\r\n'),
  }
}

/** The request to one host, or the reason why it cannot be sent. */
export function filledIn({ start, rest }: Template, host: string): Uint8Array | Refused {
  if (!HOST.test(host)) return { refused: 'invalid Host header' }
  return Buffer.from(start + host + rest, 'utf8')
}

/** The first non-empty `Host` among the headers, if any: an empty one means none, as in the kubelet. */
export function hostHeader(headers: readonly HttpHeader[]): string | undefined {
  const value = headers.find((header) => canonical(header.name) === 'Host')?.value.trim()
  return value === '' ? undefined : value
}

function headerLines(get: Omit<Get, 'host'>): string[] {
  const headers = get.headers.map(({ name, value }) => ({
    name: canonical(name),
    value: value.replace(/^[ \t]+|[ \t]+$/g, ''),
  }))
  const first = (name: string) => headers.find((header) => header.name === name)
  const userAgent = (first('User-Agent') ?? { value: USER_AGENT }).value
  const accept = first('Accept')
  const rest = headers.filter(
    ({ name }) => !HEADERS_NOT_COPIED.has(name) && !(name === 'Accept' && accept?.value === ''),
  )
  if (accept === undefined) rest.push({ name: 'Accept', value: '*/*' })
  if (get.referer !== undefined && first('Referer') === undefined)
    rest.push({ name: 'Referer', value: get.referer })
  rest.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)) // stable: repeats stay put
  if (!rest.some(({ name, value }) => name === 'Connection' && /close|upgrade/i.test(value)))
    rest.push({ name: 'Connection', value: 'close' })
  if (userAgent !== '') rest.unshift({ name: 'User-Agent', value: userAgent })
  return rest.map(({ name, value }) => `${name}: ${value}`)
}

/** `x-request-id` to `X-Request-Id`, as Go's textproto does. Only for names that are tokens. */
function canonical(name: string): string {
  return name.toLowerCase().replace(/(^|-)[a-z]/g, (start) => start.toUpperCase())
}

/** Drops a fragment; encodes all that is not visible ASCII, a lone `%`, and what Go encodes in a path. */
function encodePath(text: string): string {
  const [whole = ''] = text.split('#', 1)
  const query = whole.indexOf('?')
  const path = query < 0 ? whole : whole.slice(0, query)
  const rest = query < 0 ? '' : whole.slice(query)
  return (
    encode(path.replace(/%(?![0-9A-Fa-f]{2})/g, '%25'), /[^!-~]|["<>\\^`{|}]/gu) +
    encode(rest, /[^!-~]/gu)
  )
}

function encode(text: string, unsafe: RegExp): string {
  return text.replace(unsafe, (character) =>
    Buffer.from(character, 'utf8').reduce(
      (encoded, byte) => `${encoded}%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
      '',
    ),
  )
}
