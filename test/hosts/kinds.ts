// Every way to misbehave, how it is met, and what the operator must make of it.

import type { Address } from '../../probes/target.ts'
import type { Backend } from '../backends/backend.ts'
import { startGrpc } from '../backends/grpc.ts'
import {
  startClosing,
  startDripping,
  startEndlessBody,
  startEndlessHeaders,
  startEndlessHttp2,
  startEndlessInterim,
  startFloodingUdp,
  startGarbage,
  startGoaway,
  startRedirectLoop,
  startResetting,
  startSilentHttp2,
  startSilentTcp,
  startSilentUdp,
} from '../backends/misbehaving.ts'
import { startScriptedHttp } from '../backends/scripted-http.ts'

export type BadHost = {
  readonly name: string
  readonly start: (address: Address) => Promise<Backend>
  /** The part of a port entry that says how it is asked. */
  readonly probe: Readonly<Record<string, unknown>>
  /** What its row in the status says, or `healthy`: a host is well when what decides came through. */
  readonly verdict: 'healthy' | RegExp
}

const http = { httpGet: { path: '/' } }
const https = { httpGet: { path: '/', scheme: 'HTTPS' } }
const grpc = { grpc: { enable: true } }
const udp = { protocol: 'UDP', udpSocket: { enable: true, data: 'ping' } }

const TIMEOUT = /^timeout after 1s$/
/** A reset is met while writing, while reading or after it. */
const BROKEN_OFF = /^(?:read|send|connect) E(?:CONNRESET|PIPE)$|^connection closed/

const reset = (stage: Parameters<typeof startResetting>[1]) => (address: Address) =>
  startResetting(address, stage)

/** The kinds, in the order in which bad hosts are made of them. */
export const BAD_HOSTS: readonly BadHost[] = [
  { name: 'HTTP, never answers', start: startSilentTcp, probe: http, verdict: TIMEOUT },
  { name: 'TLS, never answers', start: startSilentTcp, probe: https, verdict: TIMEOUT },
  { name: 'gRPC, never answers', start: startSilentTcp, probe: grpc, verdict: TIMEOUT },
  { name: 'UDP, never answers', start: startSilentUdp, probe: udp, verdict: TIMEOUT },
  { name: 'one byte a second', start: startDripping, probe: http, verdict: TIMEOUT },
  { name: 'one byte a second of TLS', start: startDripping, probe: https, verdict: /TLS|^timeout/ },
  { name: 'endless body', start: startEndlessBody, probe: http, verdict: 'healthy' },
  {
    ...{ name: 'endless headers', start: startEndlessHeaders, probe: http },
    verdict: /^response header too large$/,
  },
  {
    ...{ name: 'endless 100 Continue', start: startEndlessInterim, probe: http },
    verdict: /^response header too large$/,
  },
  {
    ...{ name: 'redirects to itself', start: startRedirectLoop, probe: http },
    verdict: /^stopped after 10 redirects$/,
  },
  {
    name: 'redirects to nowhere, over TLS',
    start: (address) =>
      startScriptedHttp({
        ...address,
        tls: true,
        answers: ['HTTP/1.1 302 \r\nLocation: https://[\r\n\r\n'],
      }),
    probe: https,
    verdict: /^malformed Location in a redirect$/,
  },
  {
    ...{ name: 'garbage for HTTP', start: startGarbage, probe: http },
    verdict: /^malformed HTTP response$/,
  },
  { name: 'garbage for TLS', start: startGarbage, probe: https, verdict: /^TLS / },
  {
    ...{ name: 'garbage for gRPC', start: startGarbage, probe: grpc },
    verdict: /^malformed HTTP\/2 response$/,
  },
  { name: 'reset on accept', start: reset('accept'), probe: http, verdict: BROKEN_OFF },
  { name: 'reset at the request', start: reset('request'), probe: http, verdict: BROKEN_OFF },
  { name: 'reset at the TLS hello', start: reset('request'), probe: https, verdict: BROKEN_OFF },
  { name: 'reset in the head', start: reset('head'), probe: http, verdict: BROKEN_OFF },
  { name: 'reset in the body', start: reset('body'), probe: http, verdict: 'healthy' },
  { name: 'closed at the call', start: startClosing, probe: grpc, verdict: BROKEN_OFF },
  { name: 'UDP flood', start: startFloodingUdp, probe: udp, verdict: 'healthy' },
  { name: 'GOAWAY', start: startGoaway, probe: grpc, verdict: /^HTTP\/2 GOAWAY$/ },
  { name: 'gRPC call, never answered', start: startSilentHttp2, probe: grpc, verdict: TIMEOUT },
  {
    ...{ name: 'gRPC answer without end', start: startEndlessHttp2, probe: grpc },
    verdict: /^gRPC response too large$/,
  },
  { name: 'gRPC, never closes', start: startGrpc, probe: grpc, verdict: 'healthy' },
]
