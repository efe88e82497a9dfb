// The kubelet's HTTP semantics, row by row, down to the bytes that the server received. The expected
// bytes were compared with those of Go's net/http doing what Kubernetes pkg/probe/http does.

import { describe, expect, test } from 'bun:test'
import { createServer } from 'node:net'
import { version } from '../../package.json'
import { type Address, failed, type Outcome, ok, type Probe, unknown } from '../../probes/target.ts'
import { startHttp } from '../backends/http.ts'
import {
  startClosing,
  startDripping,
  startEndlessBody,
  startEndlessHeaders,
  startEndlessInterim,
  startRedirectLoop,
  startResetting,
} from '../backends/misbehaving.ts'
import { type ScriptedHttp, startScriptedHttp } from '../backends/scripted-http.ts'
import { startTcp } from '../backends/tcp.ts'
import { ask, http } from './asking.ts'

const LOOPBACK: Address = { host: '127.0.0.1', port: 0 }
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'
const HOST = 'Host: 127.0.0.1:$PORT'
const AGENT = `User-Agent: kube-probe/${version}`
const ACCEPT = 'Accept: */*'
const CLOSE = 'Connection: close'

/** Asks a backend that answers as scripted; the outcome and what the backend received. */
async function exchange(
  probe: Probe,
  answers: readonly string[] = [OK],
  options: Partial<Parameters<typeof startScriptedHttp>[0]> = {},
): Promise<{ outcome: Outcome; requests: readonly string[] }> {
  const backend = await startScriptedHttp({ ...LOOPBACK, ...options, answers })
  try {
    return { outcome: await ask(backend, probe), requests: backend.requests() }
  } finally {
    await backend.kill()
  }
}

function request(target: string, ...lines: string[]): string {
  return [`GET ${target} HTTP/1.1`, ...lines, '', ''].join('\r\n')
}

describe('the request line', () => {
  test.each<[sentence: string, path: string, target: string]>([
    ['carries the path', '/healthz', '/healthz'],
    ['carries the query', '/healthz?full=1&x', '/healthz?full=1&x'],
    ['keeps an empty query', '/a?', '/a?'],
    ['begins with a slash even when the path does not', 'healthz', '/healthz'],
    ['is not normalised', '/a/../b//c', '/a/../b//c'],
    ['keeps two leading slashes, which Go takes for a host', '//x/y', '//x/y'],
    ['leaves escapes alone', '/a%2Fb%20c', '/a%2Fb%20c'],
    ['escapes a lone percent sign', '/100%', '/100%25'],
    ['escapes spaces', '/a b', '/a%20b'],
    ['escapes spaces in the query', '/?a b', '/?a%20b'],
    ['escapes what is not ASCII, as UTF-8', '/ü/😀?ü', '/%C3%BC/%F0%9F%98%80?%C3%BC'],
    ['survives half a surrogate pair', '/\ud83d', '/%EF%BF%BD'],
    ['drops a fragment', '/a?b#c', '/a?b'],
    [
      'cannot be ended by the path',
      '/ HTTP/1.1\r\nX: y\r\n\r\n',
      '/%20HTTP/1.1%0D%0AX:%20y%0D%0A%0D%0A',
    ],
    ['cannot be ended by the query', '/?\r\nX: y', '/?%0D%0AX:%20y'],
    ['carries no control character', '/\0\t\x7f', '/%00%09%7F'],
    ['keeps what a path may contain', "/~!$&'()*+,;=:@", "/~!$&'()*+,;=:@"],
    ['escapes what Go escapes', '/"<>\\^`{|}', '/%22%3C%3E%5C%5E%60%7B%7C%7D'],
  ])('%s', async (_sentence, path, target) => {
    const { outcome, requests } = await exchange(http(path))
    expect(outcome).toEqual(ok)
    expect(requests).toEqual([request(target, HOST, AGENT, ACCEPT, CLOSE)])
  })
})

describe('the headers', () => {
  test.each<[sentence: string, headers: [string, string][], lines: string[]]>([
    ['are four by default', [], [HOST, AGENT, ACCEPT, CLOSE]],
    ['are canonical', [['x-request-ID', '1']], [HOST, AGENT, ACCEPT, 'X-Request-Id: 1', CLOSE]],
    [
      'are sorted, repeats on lines of their own',
      [
        ['X-A', '1'],
        ['B', '2'],
        ['x-a', '0'],
      ],
      [HOST, AGENT, ACCEPT, 'B: 2', 'X-A: 1', 'X-A: 0', CLOSE],
    ],
    [
      'name another host',
      [['host', 'db.internal:99']],
      ['Host: db.internal:99', AGENT, ACCEPT, CLOSE],
    ],
    [
      'name only the first host of two',
      [
        ['Host', 'a'],
        ['Host', 'b'],
      ],
      ['Host: a', AGENT, ACCEPT, CLOSE],
    ],
    ['keep the address when Host is empty', [['Host', '']], [HOST, AGENT, ACCEPT, CLOSE]],
    [
      'name another user agent',
      [['user-agent', 'me/1']],
      [HOST, 'User-Agent: me/1', ACCEPT, CLOSE],
    ],
    [
      'name only the first user agent of two',
      [
        ['User-Agent', 'a'],
        ['User-Agent', 'b'],
      ],
      [HOST, 'User-Agent: a', ACCEPT, CLOSE],
    ],
    ['leave out an empty User-Agent', [['User-Agent', '']], [HOST, ACCEPT, CLOSE]],
    [
      'accept something else',
      [
        ['accept', 'text/html'],
        ['Accept', 'a/b'],
      ],
      [HOST, AGENT, 'Accept: text/html', 'Accept: a/b', CLOSE],
    ],
    ['leave out an empty Accept', [['Accept', '']], [HOST, AGENT, CLOSE]],
    [
      'leave out every Accept when the first is empty',
      [
        ['Accept', ''],
        ['Accept', 'a/b'],
      ],
      [HOST, AGENT, CLOSE],
    ],
    [
      'ask for an encoding only when told to',
      [['Accept-Encoding', 'gzip']],
      [HOST, AGENT, ACCEPT, 'Accept-Encoding: gzip', CLOSE],
    ],
    [
      'keep an empty value of any other name',
      [['X-Empty', '']],
      [HOST, AGENT, ACCEPT, 'X-Empty: ', CLOSE],
    ],
    ['are trimmed', [['X-Trim', ' \ta b\t ']], [HOST, AGENT, ACCEPT, 'X-Trim: a b', CLOSE]],
    ['may carry UTF-8', [['X-V', 'ü']], [HOST, AGENT, ACCEPT, 'X-V: ü', CLOSE]],
    ['may carry a tab', [['X-V', 'a\tb']], [HOST, AGENT, ACCEPT, 'X-V: a\tb', CLOSE]],
    [
      'announce no body',
      [
        ['Content-Length', '5'],
        ['Transfer-Encoding', 'chunked'],
        ['Trailer', 'x'],
      ],
      [HOST, AGENT, ACCEPT, CLOSE],
    ],
    [
      'ask to close even when told to keep alive',
      [['Connection', 'keep-alive']],
      [HOST, AGENT, ACCEPT, 'Connection: keep-alive', CLOSE],
    ],
    ['ask to close once', [['Connection', 'Close']], [HOST, AGENT, ACCEPT, 'Connection: Close']],
    [
      'may ask for an upgrade',
      [
        ['Connection', 'Upgrade'],
        ['Upgrade', 'websocket'],
      ],
      [HOST, AGENT, ACCEPT, 'Connection: Upgrade', 'Upgrade: websocket'],
    ],
    [
      'may authorise',
      [['authorization', 'Bearer x']],
      [HOST, AGENT, ACCEPT, 'Authorization: Bearer x', CLOSE],
    ],
  ])('%s', async (_sentence, headers, lines) => {
    const { outcome, requests } = await exchange(http('/', headers))
    expect(outcome).toEqual(ok)
    expect(requests).toEqual([request('/', ...lines)])
  })

  test('carry an IPv6 address in brackets', async () => {
    const { outcome, requests } = await exchange(http(), [OK], { host: '::1' })
    expect(outcome).toEqual(ok)
    expect(requests).toEqual([request('/', 'Host: [::1]:$PORT', AGENT, ACCEPT, CLOSE)])
  })

  const name = failed('invalid HTTP header name')
  const value = failed('invalid HTTP header value')
  const host = failed('invalid Host header')
  test.each<[sentence: string, header: [string, string], outcome: Outcome]>([
    ['a line break in a value', ['X-V', 'a\r\nX: y'], value],
    ['a bare line feed in a value', ['X-V', 'a\nX: y'], value],
    ['a bare carriage return in a value', ['X-V', 'a\rX: y'], value],
    ['a line break in Host', ['Host', 'a\r\nX: y'], value],
    ['a line break in User-Agent', ['User-Agent', 'a\r\nX: y'], value],
    ['a NUL in a value', ['X-V', 'a\0'], value],
    ['a line break in a name', ['X\r\nX: y', 'a'], name],
    ['a colon in a name', ['X:', 'a'], name],
    ['a space in a name', ['X Y', 'a'], name],
    ['an empty name', ['', 'a'], name],
    ['a name that is not ASCII', ['X-Ü', 'a'], name],
    ['a space in Host', ['Host', 'a b'], host],
    ['a path in Host', ['Host', 'a/b'], host],
    ['a Host that is not ASCII', ['Host', 'ü.example'], host],
  ])('send nothing at all for %s', async (_sentence, header, expected) => {
    const { outcome, requests } = await exchange(http('/', [header]))
    expect(outcome).toEqual(expected)
    expect(requests).toEqual([])
  })
})

describe('the status', () => {
  test.each<[status: number, outcome: Outcome]>([
    [199, failed('connection closed before the response')], // interim: the answer never comes
    [101, failed('HTTP 101')],
    [200, ok],
    [204, ok],
    [299, ok],
    [300, ok],
    [302, ok], // without a Location
    [304, ok],
    [399, ok],
    [400, failed('HTTP 400')],
    [404, failed('HTTP 404')],
    [500, failed('HTTP 500')],
    [503, failed('HTTP 503')],
    [599, failed('HTTP 599')],
    [999, failed('HTTP 999')],
    [0, failed('HTTP 0')],
  ])('%d decides', async (status, expected) => {
    const head = `HTTP/1.1 ${String(status).padStart(3, '0')} X\r\n\r\n`
    expect((await exchange(http(), [head])).outcome).toEqual(expected)
  })

  test.each([
    ['an HTTP/1.0 answer', 'HTTP/1.0 200 OK\r\n\r\n'],
    ['an answer without a reason', 'HTTP/1.1 200\r\n\r\n'],
    ['bare line feeds', 'HTTP/1.1 200 OK\nA: b\n\n'],
    ['a folded header', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n'],
    [
      '100 Continue and hints in front',
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n',
    ],
    ['a body shorter than announced', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc'],
    ['a broken chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz'],
    ['a header of 60,000 bytes', `HTTP/1.1 200 OK\r\nA: ${'x'.repeat(60_000)}\r\n\r\n`],
  ])('is read from %s', async (_sentence, answer) => {
    expect((await exchange(http(), [answer])).outcome).toEqual(ok)
  })

  test.each([
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['another protocol with a short greeting', 'H\0'],
    ['a lower-case protocol', 'http/1.1 200 OK\r\n\r\n'],
    ['an empty line in front', '\r\nHTTP/1.1 200 OK\r\n\r\n'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
    ['a status that is no number', 'HTTP/1.1 abc OK\r\n\r\n'],
    ['a signed status', 'HTTP/1.1 +20 OK\r\n\r\n'],
    ['a version that is none', 'HTTP/3 200 OK\r\n\r\n'],
    ['a header without a colon', 'HTTP/1.1 200 OK\r\nno colon\r\n\r\n'],
    ['a header without a name', 'HTTP/1.1 200 OK\r\n: x\r\n\r\n'],
    ['a fold before any header', 'HTTP/1.1 200 OK\r\n A: x\r\n\r\n'],
  ])('cannot be read from %s', async (_sentence, answer) => {
    expect((await exchange(http(), [answer])).outcome).toEqual(failed('malformed HTTP response'))
  })

  test.each([
    ['nothing', ''],
    ['half a status line', 'HTTP/1.1 200'],
    ['half a head', 'HTTP/1.1 200 OK\r\nA: b\r\n'],
  ])('is missing when the host closes after %s', async (_sentence, answer) => {
    const expected = failed('connection closed before the response')
    expect((await exchange(http(), [answer])).outcome).toEqual(expected)
  })
})

describe('a redirect', () => {
  const to = (location: string, status = '302 Found') =>
    `HTTP/1.1 ${status}\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`
  const referer = 'Referer: http://127.0.0.1:$PORT/start/page'
  const followed = (target: string, ...lines: string[]) =>
    request(target, ...(lines.length > 0 ? lines : [HOST, AGENT, ACCEPT, referer, CLOSE]))

  test.each([301, 302, 303, 307, 308])('of status %d is followed', async (status) => {
    const { outcome, requests } = await exchange(http('/start/page'), [
      to('/next', `${status} X`),
      OK,
    ])
    expect(outcome).toEqual(ok)
    expect(requests.slice(1)).toEqual([followed('/next')])
  })

  test.each([300, 304, 305, 306])('of status %d is not followed and is ok', async (status) => {
    const { outcome, requests } = await exchange(http('/start/page'), [to('/next', `${status} X`)])
    expect(outcome).toEqual(ok)
    expect(requests).toHaveLength(1)
  })

  test.each<[sentence: string, location: string, target: string]>([
    ['to a path', '/next?a=b', '/next?a=b'],
    ['to a relative path', 'next', '/start/next'],
    ['to a parent', '../next', '/next'],
    ['to a query', '?a=b', '/start/page?a=b'],
    ['to a fragment', '#there', '/start/page'],
    ['to its own address', 'http://127.0.0.1:$PORT/next', '/next'],
    ['to its own address, in capitals', 'HTTP://127.0.0.1:$PORT/next', '/next'],
    ['to its own address without a scheme', '//127.0.0.1:$PORT/next', '/next'],
    ['with user and password, which are not sent', 'http://u:p@127.0.0.1:$PORT/next', '/next'],
    ['with spaces', '/a b?c d', '/a%20b?c%20d'],
    ['in UTF-8', '/ü', '/%C3%BC'],
    ['with a bad escape', '/%zz', '/%25zz'],
  ])('%s is followed', async (_sentence, location, target) => {
    const { outcome, requests } = await exchange(http('/start/page'), [to(location), OK])
    expect(outcome).toEqual(ok)
    expect(requests.slice(1)).toEqual([followed(target)])
  })

  test.each([
    ['to another address', 'http://192.0.2.1/'],
    ['to another address without a scheme', '//192.0.2.1/'],
    ['to a name', 'http://localhost:$PORT/'],
    ['to no host', 'mailto:a@example.org'],
    ['to another host over another protocol', 'ftp://192.0.2.1/'],
  ])('%s is not followed and is ok', async (_sentence, location) => {
    const { outcome, requests } = await exchange(http('/start/page'), [to(location)])
    expect(outcome).toEqual(ok)
    expect(requests).toHaveLength(1)
  })

  test.each([
    ['to an address that is none', 'http://[::1', failed('malformed Location in a redirect')],
    [
      'to a port that is none',
      'http://127.0.0.1:99999/',
      failed('malformed Location in a redirect'),
    ],
    ['over another protocol', 'ftp://127.0.0.1/', failed('redirect to an unsupported scheme')],
    ['to port 0', 'http://127.0.0.1:0/', failed('connect ECONNREFUSED')],
  ])('%s fails', async (_sentence, location, expected) => {
    expect((await exchange(http('/start/page'), [to(location)])).outcome).toEqual(expected)
  })

  test('without a Location is ok', async () => {
    const { outcome } = await exchange(http(), ['HTTP/1.1 302 Found\r\nLocation: \r\n\r\n'])
    expect(outcome).toEqual(ok)
  })

  test('goes where the first of two Locations says', async () => {
    const two = 'HTTP/1.1 302 Found\r\nLocation: /one\r\nlocation: /two\r\n\r\n'
    const { requests } = await exchange(http('/start/page'), [two, OK])
    expect(requests.slice(1)).toEqual([followed('/one')])
  })

  test('keeps the headers, and Host while the Location is relative', async () => {
    const probe = http('/s', [
      ['Host', 'db.internal'],
      ['X-Keep', '1'],
    ])
    const url = 'http://127.0.0.1:$PORT'
    const { requests } = await exchange(probe, [
      ...[to('/relative'), to('//127.0.0.1:$PORT/bare'), to(`${url}/absolute`), to('/again'), OK],
    ])
    const lines = (host: string, from: string) => [
      ...[host, AGENT, ACCEPT, `Referer: ${url}${from}`, 'X-Keep: 1', CLOSE],
    ]
    expect(requests).toEqual([
      request('/s', 'Host: db.internal', AGENT, ACCEPT, 'X-Keep: 1', CLOSE),
      request('/relative', ...lines('Host: db.internal', '/s')),
      request('/bare', ...lines('Host: db.internal', '/relative')),
      request('/absolute', ...lines(HOST, '/bare')),
      request('/again', ...lines(HOST, '/absolute')),
    ])
  })

  test('tells the next host neither a password nor a fragment', async () => {
    const answers = [to('http://u:p@127.0.0.1:$PORT/a#b'), to('c'), OK]
    const { requests } = await exchange(http('/start/page'), answers)
    expect(requests[2]).toContain('\r\nReferer: http://127.0.0.1:$PORT/a\r\n')
  })

  test('keeps a Referer of the spec', async () => {
    const { requests } = await exchange(http('/', [['Referer', 'http://r/']]), [to('/next'), OK])
    expect(requests[1]).toContain('\r\nReferer: http://r/\r\n')
  })

  test('may lead to nine more requests, the last of which decides', async () => {
    const { outcome, requests } = await exchange(http(), [
      ...Array.from({ length: 9 }, () => to('/next')),
      'HTTP/1.1 503 Unavailable\r\n\r\n',
    ])
    expect(outcome).toEqual(failed('HTTP 503'))
    expect(requests).toHaveLength(10)
  })

  test('may not lead to an eleventh request', async () => {
    const backend = await startRedirectLoop(LOOPBACK)
    expect(await ask(backend, http())).toEqual(failed('stopped after 10 redirects'))
    expect(backend.hits()).toBe(10)
    await backend.kill()
  })

  test('to another host is ok even as the tenth answer', async () => {
    const { outcome, requests } = await exchange(http(), [
      ...Array.from({ length: 9 }, () => to('/next')),
      to('http://192.0.2.1/'),
    ])
    expect(outcome).toEqual(ok)
    expect(requests).toHaveLength(10)
  })

  test('may change the port', async () => {
    const other = await startHttp(LOOPBACK)
    const { outcome } = await exchange(http(), [to(`http://127.0.0.1:${other.port}/`)])
    expect(outcome).toEqual(ok)
    expect(other.hits()).toBe(1)
    await other.kill()
  })

  test('follows an IPv6 address on the same host', async () => {
    const answers = [to('http://[0:0:0:0:0:0:0:1]:$PORT/next'), OK]
    const { outcome, requests } = await exchange(http(), answers, { host: '::1' })
    expect(outcome).toEqual(ok)
    expect(requests[1]).toStartWith('GET /next HTTP/1.1\r\nHost: [::1]:$PORT\r\n')
  })

  test.each([
    ['http', 'https', true],
    ['https', 'https', true],
    ['https', 'http', false],
  ] as const)('from %s to %s is followed', async (from, scheme, tellsWhereItWas) => {
    const next: ScriptedHttp = await startScriptedHttp({
      ...LOOPBACK,
      answers: [OK],
      tls: scheme === 'https',
    })
    const location = to(`${scheme}://127.0.0.1:${next.port}/`)
    const { outcome } = await exchange(http('/', [], from), [location], { tls: from === 'https' })
    expect(outcome).toEqual(ok)
    expect(next.requests()).toHaveLength(1)
    expect(next.requests()[0]?.includes('Referer: ')).toBe(tellsWhereItWas)
    await next.kill()
  })
})

describe('a host that was found by a name', () => {
  const name = 'db.example.com'
  const HOST_BY_NAME = `Host: ${name}:$PORT`
  async function exchangeByName(probe: Probe, answers: readonly string[] = [OK]) {
    const backend = await startScriptedHttp({ ...LOOPBACK, answers })
    const { host, port } = backend
    const outcome = await ask({ host, port, name }, probe)
    await backend.kill()
    return { outcome, requests: backend.requests() }
  }

  test('is asked for it', async () => {
    const { outcome, requests } = await exchangeByName(http('/'))
    expect(outcome).toEqual(ok)
    expect(requests).toEqual([request('/', HOST_BY_NAME, AGENT, ACCEPT, CLOSE)])
  })

  test('is asked for what a Host header says, if there is one', async () => {
    const { requests } = await exchangeByName(http('/', [['Host', 'other.internal']]))
    expect(requests).toEqual([request('/', 'Host: other.internal', AGENT, ACCEPT, CLOSE)])
  })

  test('is asked again where it redirects to its own name, and not where it names another', async () => {
    const to = (location: string) => `HTTP/1.1 302 Found\r\nLocation: ${location}\r\n\r\n`
    const own = await exchangeByName(http('/'), [to(`http://${name}:$PORT/on`), OK])
    expect(own.requests).toHaveLength(2)
    const other = await exchangeByName(http('/'), [to('http://other.internal:$PORT/on'), OK])
    expect(other.outcome).toEqual(ok)
    expect(other.requests).toHaveLength(1)
  })
})

describe('https', () => {
  test('takes a self-signed certificate for another name', async () => {
    const { outcome, requests } = await exchange(http('/', [], 'https'), [OK], { tls: true })
    expect(outcome).toEqual(ok)
    expect(requests).toEqual([request('/', HOST, AGENT, ACCEPT, CLOSE)])
  })

  test('names no server: not the address, not the Host header', async () => {
    const { promise, resolve } = Promise.withResolvers<Uint8Array>()
    const backend = await startTcp(LOOPBACK, (socket) => {
      socket.once('data', (hello: Uint8Array) => {
        resolve(hello)
        socket.destroy()
      })
    })
    await ask(backend, http('/', [['Host', 'db.internal']], 'https'))
    const hello = Buffer.from(await promise).toString('latin1')
    expect(hello).toStartWith('\x16\x03') // a TLS handshake
    expect(hello).not.toContain('db.internal')
    expect(hello).not.toContain('127.0.0.1')
    await backend.kill()
  })

  test('names the server by which the host was found, whatever the Host header', async () => {
    const { promise, resolve } = Promise.withResolvers<Uint8Array>()
    const backend = await startTcp(LOOPBACK, (socket) => {
      socket.once('data', (hello: Uint8Array) => {
        resolve(hello)
        socket.destroy()
      })
    })
    const target = { host: backend.host, port: backend.port, name: 'db.example.com' }
    await ask(target, http('/', [['Host', 'other.internal']], 'https'))
    const hello = Buffer.from(await promise).toString('latin1')
    expect(hello).toContain('db.example.com')
    expect(hello).not.toContain('other.internal')
    await backend.kill()
  })

  test('fails when the host speaks plain HTTP', async () => {
    const backend = await startTcp(LOOPBACK, (socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    })
    const expected = failed('TLS WRONG_VERSION_NUMBER')
    expect(await ask(backend, http('/', [], 'https'))).toEqual(expected)
    await backend.kill()
  })

  test('fails when the host closes in the handshake', async () => {
    const backend = await startClosing(LOOPBACK)
    expect((await ask(backend, http('/', [], 'https'))).result).toBe('failed')
    await backend.kill()
  })

  test('ends when it is aborted in the handshake', async () => {
    const backend = await startTcp(LOOPBACK)
    expect(await ask(backend, http('/', [], 'https'), 50)).toEqual(unknown('aborted'))
    await backend.kill()
  })
})

describe('a host that misbehaves', () => {
  test('with a head without end fails at 64 KiB', async () => {
    const backend = await startEndlessHeaders(LOOPBACK)
    expect(await ask(backend, http())).toEqual(failed('response header too large'))
    await backend.kill()
  })

  test('with interim answers without end fails at 64 KiB of them', async () => {
    const backend = await startEndlessInterim(LOOPBACK)
    expect(await ask(backend, http())).toEqual(failed('response header too large'))
    await backend.kill()
  })

  test('with a body without end is ok', async () => {
    const backend = await startEndlessBody(LOOPBACK)
    expect(await ask(backend, http())).toEqual(ok)
    await backend.kill()
  })

  test('that drips its answer is ok once the head is whole', async () => {
    const backend = await startDripping(LOOPBACK, 2)
    expect(await ask(backend, http())).toEqual(ok)
    await backend.kill()
  })

  test('that resets before the status fails', async () => {
    const backend = await startResetting(LOOPBACK, 'head')
    expect(await ask(backend, http())).toEqual(failed('read ECONNRESET'))
    await backend.kill()
  })

  test('that resets in the body is ok', async () => {
    const backend = await startResetting(LOOPBACK, 'body')
    expect(await ask(backend, http())).toEqual(ok)
    await backend.kill()
  })

  test('that sends its body after its head can finish without an error', async () => {
    const { promise, resolve } = Promise.withResolvers<string>()
    const server = createServer((socket) => {
      socket.on('error', (error) => resolve(error.message))
      socket.on('close', () => resolve('closed'))
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n')
        setTimeout(() => socket.end('x'.repeat(2_000)), 10)
      })
    })
    await new Promise<void>((resolve) => server.listen({ ...LOOPBACK }, resolve))
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('No TCP address')
    expect(await ask({ host: '127.0.0.1', port: address.port }, http())).toEqual(ok)
    expect(await promise).toBe('closed')
    server.close()
  })

  test('that keeps a silent body open holds the attempt no longer than the drain', async () => {
    const backend = await startTcp(LOOPBACK, (socket) => {
      socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n'))
    })
    // Would be unknown('aborted') if the body were waited for.
    expect(await ask(backend, http(), 2_000)).toEqual(ok)
    await backend.kill()
  })
})
