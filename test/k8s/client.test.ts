// Requests to the API server, and every way in which one can go wrong.

import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type ApiRequest, createClient, retryAfterMs } from '../../k8s/client.ts'
import type { Credentials } from '../../k8s/credentials.ts'
import { ApiError, messageOf, NetworkError } from '../../k8s/errors.ts'
import { eventually } from '../integration/eventually.ts'
import {
  type Answer,
  configOf,
  hang,
  json,
  reset,
  type ScriptedApi,
  startScriptedApi,
} from './scripted-api.ts'

let api: ScriptedApi
beforeEach(async () => {
  api = await startScriptedApi()
})
afterEach(() => api[Symbol.dispose]())

function clientOf(server = api.url) {
  const config = configOf(server)
  const answers: string[] = []
  const client = createClient(config, {
    userAgent: 'test/1',
    onAnswer: (method, path, status) => answers.push(`${method} ${path} ${status}`),
  })
  return { client, config, answers }
}

const get: ApiRequest = { method: 'GET', path: '/api/v1/services' }
const patch: ApiRequest = { method: 'PATCH', path: '/api/v1/services/x', body: {} }

/** What `promise` rejects with. */
async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('It did not reject')
}

describe('a request', () => {
  test('carries method, path, query, headers and body', async () => {
    const credentials = { headers: { Authorization: 'Bearer t' }, tls: {} }
    const config = configOf(`${api.url}/base`, credentials)
    const client = createClient(config, { userAgent: 'endpoints-operator/1.2.3' })
    const query = { fieldManager: 'a b', force: 'true' }
    const body = { text: 'ü' }
    const contentType = 'application/apply-patch+yaml'
    await client.request({ ...patch, query, body, contentType })
    expect(api.asked).toHaveLength(1)
    expect(api.asked[0]).toMatchObject({
      method: 'PATCH',
      url: '/base/api/v1/services/x?fieldManager=a+b&force=true',
      body: '{"text":"ü"}',
      headers: {
        authorization: 'Bearer t',
        accept: 'application/json',
        'user-agent': 'endpoints-operator/1.2.3',
        'content-type': 'application/apply-patch+yaml',
      },
    })
  })

  test('resolves with the JSON of the answer', async () => {
    api.script(json(201, { a: [1] }))
    expect(await clientOf().client.request(get)).toEqual({ a: [1] })
  })

  test('uses one connection again and again', async () => {
    const { client } = clientOf()
    for (let n = 0; n < 20; n++) await client.request(get)
    expect(api.connections()).toBe(1)
  })

  test('has a connection of its own for the lease and for watches', async () => {
    const { client } = clientOf()
    await client.request(get)
    await client.request({ ...get, channel: 'lease' })
    await client.request({ ...get, channel: 'watch' })
    expect(api.connections()).toBe(3)
  })

  test('does not follow a redirect, which would take the token elsewhere', async () => {
    using elsewhere = await startScriptedApi()
    api.script(json(302, {}, { Location: `${elsewhere.url}/x` }))
    expect(await rejection(clientOf().client.request(get))).toBeInstanceOf(Error)
    expect(elsewhere.asked).toEqual([])
  })

  test('is not sent when its permit is gone by then', async () => {
    const refused = new NetworkError('Cannot write')
    const assertPermitted = () => {
      throw refused
    }
    const { client, answers } = clientOf()
    expect(await rejection(client.request({ ...patch, assertPermitted }))).toBe(refused)
    expect({ asked: api.asked, answers }).toEqual({ asked: [], answers: [] })
  })
})

describe('an answer that is an error', () => {
  const status = { kind: 'Status', reason: 'Conflict', message: 'somebody was faster' }
  const cases: readonly {
    readonly name: string
    readonly answer: Answer
    readonly expected: Partial<ApiError>
  }[] = [
    {
      name: 'with a Status has its reason and message',
      answer: json(409, status),
      expected: { status: 409, reason: 'Conflict', message: 'somebody was faster' },
    },
    {
      name: 'without a Status is told by its number',
      answer: (response) => response.writeHead(502).end('<html>bad gateway</html>'),
      expected: { status: 502, reason: '', message: 'HTTP 502' },
    },
    {
      name: 'with JSON of another form is told by its number',
      answer: json(500, { message: 7 }),
      expected: { status: 500, reason: '', message: 'HTTP 500' },
    },
    {
      name: 'without a body is told by its number',
      answer: (response) => response.writeHead(503).end(),
      expected: { status: 503, message: 'HTTP 503' },
    },
    {
      name: 'with a body that breaks off is told by its number',
      answer: (response, socket) => {
        response.writeHead(500, { 'Content-Length': '1000' })
        response.write('{"reason":"Int')
        setTimeout(() => socket.resetAndDestroy(), 50)
      },
      expected: { status: 500, message: 'HTTP 500' },
    },
    {
      name: 'has a message of at most 512 characters',
      answer: json(400, { ...status, message: 'x'.repeat(5_000) }),
      expected: { status: 400, message: 'x'.repeat(512) },
    },
  ]
  for (const { name, answer, expected } of cases) {
    test(name, async () => {
      api.script(answer)
      const error = await rejection(clientOf().client.request(get))
      expect(error).toBeInstanceOf(ApiError)
      expect(error).toMatchObject(expected)
    })
  }

  test('is read up to 64 KiB and no further, and its connection is closed', async () => {
    let sent = 0
    api.script((response) => {
      response.writeHead(500)
      const more = setInterval(() => {
        if (response.destroyed) clearInterval(more)
        else sent += response.write('x'.repeat(16_384)) ? 16_384 : 0
      }, 1)
    })
    const startMs = performance.now()
    const error = await rejection(clientOf().client.request(get))
    expect(error).toMatchObject({ status: 500, message: 'HTTP 500' })
    expect(performance.now() - startMs).toBeLessThan(2_000)
    await eventually(2_000, () => expect(api.open()).toBe(0))
    expect(sent).toBeLessThan(4_000_000)
  })

  test('401 forgets the credentials; no other status does', async () => {
    for (const status of [400, 403, 404, 409, 429, 500]) {
      api.script(json(status, {}))
      const { client, config } = clientOf()
      await rejection(client.request(get))
      expect(config.forgotten()).toBe(0)
    }
    api.script(json(401, {}))
    const { client, config } = clientOf()
    await rejection(client.request(get))
    expect(config.forgotten()).toBe(1)
  })

  test('does not cast doubt on the credentials; a lost connection does, an abort does not', async () => {
    const { client, config } = clientOf()
    api.script(json(500, {}))
    await rejection(client.request(get))
    expect(config.doubted()).toBe(0)
    api.script(reset)
    await rejection(client.request({ ...get, method: 'POST' }))
    expect(config.doubted()).toBe(1)
    await rejection(client.request({ ...get, signal: AbortSignal.abort() }))
    expect(config.doubted()).toBe(1)
  })

  test('carries Retry-After', async () => {
    api.script(json(429, {}, { 'Retry-After': '7' }))
    const error = await rejection(clientOf().client.request(get))
    expect(error).toMatchObject({ status: 429, retryAfterMs: 7_000 })
  })

  test('is never repeated', async () => {
    for (const status of [401, 409, 429, 500, 504]) {
      const before = api.asked.length
      api.script(json(status, {}))
      await rejection(clientOf().client.request(get))
      expect(api.asked.length - before).toBe(1)
    }
  })

  test('is told of with its status; a lost one with 0', async () => {
    const { client, answers } = clientOf()
    api.script(json(200, {}), json(404, {}), reset)
    await client.request(get)
    await rejection(client.request(get))
    await rejection(client.request({ ...get, method: 'POST', body: {} }))
    expect(answers).toEqual([
      'GET /api/v1/services 200',
      'GET /api/v1/services 404',
      'POST /api/v1/services 0',
    ])
  })
})

describe('retryAfterMs()', () => {
  const now = Date.parse('2026-11-22T12:00:00Z')
  const cases: readonly (readonly [header: string | null, ms: number | undefined])[] = [
    [null, undefined],
    ['', undefined],
    [' ', undefined],
    ['0', 0],
    ['1', 1_000],
    [' 30 ', 30_000],
    ['60', 60_000],
    ['61', 60_000],
    ['999999999999999999999', 60_000],
    ['Sun, 22 Nov 2026 12:00:05 GMT', 5_000],
    ['Sun, 22 Nov 2026 11:00:00 GMT', 0],
    ['Sun, 22 Nov 2099 12:00:00 GMT', 60_000],
    ['soon', undefined],
    ['1s', undefined],
    ['NaN', undefined],
    ['Infinity', undefined],
    ['0x10', undefined],
    ['1.5', undefined],
    ['-1', undefined],
  ]
  for (const [header, ms] of cases) {
    test(`of ${JSON.stringify(header)} is ${ms}`, () => expect(retryAfterMs(header, now)).toBe(ms))
  }
})

describe('a connection that is lost', () => {
  for (const method of ['GET', 'PATCH'] as const) {
    test(`${method} is sent once more, on another connection, and succeeds`, async () => {
      api.script(reset, json(200, { ok: true }))
      const request = { ...get, method }
      expect(await clientOf().client.request(request)).toEqual({ ok: true })
      expect(api.asked).toHaveLength(2)
      expect(api.connections()).toBe(2)
    })
  }

  test('GET is sent twice at most', async () => {
    api.script(reset)
    const error = await rejection(clientOf().client.request(get))
    expect(error).toBeInstanceOf(NetworkError)
    expect(messageOf(error)).toStartWith('GET /api/v1/services: ')
    expect(api.asked).toHaveLength(2)
  })

  for (const method of ['POST', 'DELETE'] as const) {
    test(`${method} is never sent twice`, async () => {
      api.script(reset)
      const error = await rejection(clientOf().client.request({ ...get, method }))
      expect(error).toBeInstanceOf(NetworkError)
      expect(api.asked).toHaveLength(1)
    })
  }

  test('is not sent once more when the permit has gone meanwhile', async () => {
    let permits = 1
    const assertPermitted = () => {
      if (permits-- === 0) throw new NetworkError('the lease is gone')
    }
    api.script(reset, json(200, {}))
    const error = await rejection(clientOf().client.request({ ...patch, assertPermitted }))
    expect(messageOf(error)).toBe('the lease is gone')
    expect(api.asked).toHaveLength(1)
  })

  test('in the middle of the answer is an error, and the body is asked for once more', async () => {
    const half: Answer = (response, socket) => {
      response.writeHead(200, { 'Content-Length': '1000' })
      response.write('{"a":')
      setTimeout(() => socket.resetAndDestroy(), 20)
    }
    api.script(half, json(200, { a: 1 }))
    expect(await clientOf().client.request(get)).toEqual({ a: 1 })
    api.script(half)
    expect(await rejection(clientOf().client.request(get))).toBeInstanceOf(NetworkError)
  })

  test('takes no other request of its channel along', async () => {
    api.script(
      (response) => setTimeout(() => response.end('{"slow":1}'), 300),
      (_, socket) => socket.resetAndDestroy(),
    )
    const { client } = clientOf()
    const slow = client.request(get)
    await eventually(2_000, () => expect(api.asked).toHaveLength(1))
    expect(await rejection(client.request({ ...get, method: 'POST' }))).toBeInstanceOf(NetworkError)
    expect(await slow).toEqual({ slow: 1 })
  })

  test('an answer that is no JSON is an error of the network, as from a proxy in between', async () => {
    api.script((response) => response.end('<html>login here</html>'))
    expect(await rejection(clientOf().client.request(get))).toBeInstanceOf(NetworkError)
  })

  for (const [name, url, text] of [
    ['refuses', 'http://127.0.0.1:1', /ECONNREFUSED/],
    ['has a name that nobody knows', 'http://nosuch.invalid', /ENOTFOUND|EAI_AGAIN|ENODATA/],
  ] as const) {
    test(`a server that ${name} is told by its code`, async () => {
      const error = await rejection(clientOf(url).client.request(get))
      expect(error).toBeInstanceOf(NetworkError)
      expect(messageOf(error)).toMatch(text)
      expect(messageOf(error)).not.toContain('\n')
    }, 20_000)
  }
})

describe('time', () => {
  test('an answer that never comes ends the request, and its connection', async () => {
    api.script(hang)
    const { client } = clientOf()
    const error = await rejection(client.request({ ...get, timeoutMs: 100 }))
    expect(messageOf(error)).toBe('GET /api/v1/services: no answer in 0.1s')
    expect(error).toBeInstanceOf(NetworkError)
    await eventually(2_000, () => expect(api.open()).toBe(0))
    expect(api.asked).toHaveLength(1)
  })

  test('a body that never ends counts too', async () => {
    api.script((response) => {
      response.writeHead(200)
      response.write('{"a":')
    })
    const error = await rejection(clientOf().client.request({ ...get, timeoutMs: 150 }))
    expect(error).toBeInstanceOf(NetworkError)
    await eventually(2_000, () => expect(api.open()).toBe(0))
  })

  test('credentials that never come end the request', async () => {
    const config = { ...configOf(api.url), credentials: () => new Promise<Credentials>(() => {}) }
    const client = createClient(config, { userAgent: 'test' })
    const error = await rejection(client.request({ ...get, timeoutMs: 100 }))
    expect(messageOf(error)).toBe('GET /api/v1/services: no answer in 0.1s')
    const reason = new Error('stopping')
    expect(await rejection(client.stream('/w', {}, AbortSignal.abort(reason)))).toBe(reason)
    expect(api.asked).toEqual([])
  })

  test('the next request after one that hung has a fresh connection', async () => {
    api.script(hang, json(200, { fresh: 1 }))
    const { client } = clientOf()
    await rejection(client.request({ ...get, timeoutMs: 100 }))
    expect(await client.request(get)).toEqual({ fresh: 1 })
    expect(api.connections()).toBe(2)
  })

  test('an aborted request rejects with the reason of its signal, and says nothing of the network', async () => {
    api.script(hang)
    const { client, answers } = clientOf()
    const stop = new AbortController()
    const reason = new Error('stopping')
    const requested = rejection(client.request({ ...get, signal: stop.signal }))
    await eventually(2_000, () => expect(api.asked).toHaveLength(1))
    stop.abort(reason)
    expect(await requested).toBe(reason)
    expect(answers).toEqual([])
    await eventually(2_000, () => expect(api.open()).toBe(0))
  })
})

describe('a stream', () => {
  const never = new AbortController().signal
  const watch = (signal = never) => clientOf().client.stream('/w', { watch: 'true' }, signal)

  test('hands over what comes, as it comes', async () => {
    api.script((response) => {
      response.writeHead(200)
      response.write('one')
      setTimeout(() => response.end('two'), 100)
    })
    const pieces: string[] = []
    for await (const chunk of await watch()) pieces.push(new TextDecoder().decode(chunk))
    expect(pieces).toEqual(['one', 'two'])
    expect(api.asked[0]?.url).toBe('/w?watch=true')
  })

  test('that is refused rejects as a request does', async () => {
    api.script(json(410, { reason: 'Expired', message: 'too old' }))
    expect(await rejection(watch())).toMatchObject({ status: 410, reason: 'Expired' })
  })

  test('that is cut throws NetworkError after what had come', async () => {
    api.script((response, socket) => {
      response.writeHead(200)
      response.write('half')
      setTimeout(() => socket.resetAndDestroy(), 50)
    })
    const pieces: string[] = []
    const reading = async () => {
      for await (const chunk of await watch()) pieces.push(new TextDecoder().decode(chunk))
    }
    expect(await rejection(reading())).toBeInstanceOf(NetworkError)
    expect(pieces).toEqual(['half'])
  })

  test('that is aborted throws the reason, and closes its connection', async () => {
    api.script((response) => {
      response.writeHead(200)
      response.write('x')
    })
    const stop = new AbortController()
    const reason = new Error('enough')
    const reading = async () => {
      for await (const _ of await watch(stop.signal)) stop.abort(reason)
    }
    expect(await rejection(reading())).toBe(reason)
    await eventually(2_000, () => expect(api.open()).toBe(0))
  })

  test('whose reader leaves closes its connection', async () => {
    api.script((response) => {
      response.writeHead(200)
      response.write('x')
    })
    for await (const _ of await watch()) break
    await eventually(2_000, () => expect(api.open()).toBe(0))
  })
})

describe('whenReachable()', () => {
  const cases: readonly (readonly [
    name: string,
    ms: number,
    back: Answer,
    lost: Answer,
    isSo: boolean,
  ])[] = [
    ['an answer after 2.6 s without one', 2_600, json(200, {}), reset, true],
    ['an answer that says no after 2.6 s without one', 2_600, json(404, {}), reset, true],
    ['an answer after 2.6 s of 500', 2_600, json(200, {}), json(500, {}), true],
    ['an answer after 2.6 s of 403', 2_600, json(200, {}), json(403, {}), true],
    ['403 after 2.6 s without an answer', 2_600, json(403, {}), reset, false],
    ['an answer after 2.6 s of 429', 2_600, json(200, {}), json(429, {}), true],
    ['an answer after a blip', 100, json(200, {}), reset, false],
    ['500 after 2.6 s without an answer', 2_600, json(500, {}), reset, false],
    ['429 after 2.6 s without an answer', 2_600, json(429, {}), reset, false],
    [
      'an answer after 2.6 s in which nothing was wrong',
      2_600,
      json(200, {}),
      json(404, {}),
      false,
    ],
  ]
  for (const [name, ms, back, lost, isSo] of cases) {
    test.concurrent(`${isSo ? 'resolves with' : 'does not resolve with'} ${name}`, async () => {
      // Each its own server: these run beside each other.
      using own = await startScriptedApi()
      const { client } = clientOf(own.url)
      const stop = new AbortController()
      let isBack = false
      const waiting = client.whenReachable(stop.signal).then(() => {
        isBack = true
      })
      own.script(lost)
      await rejection(client.request({ ...get, method: 'POST' }))
      await Bun.sleep(ms)
      own.script(back)
      await client.request(get).catch(() => {})
      await Bun.sleep(0)
      expect(isBack).toBe(isSo)
      stop.abort()
      await waiting
    })
  }

  test('resolves when its signal aborts, and at once if it has', async () => {
    const { client } = clientOf()
    await client.whenReachable(AbortSignal.abort())
    await client.whenReachable(AbortSignal.timeout(10))
  })
})

describe('proxies', () => {
  const variables = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'ALL_PROXY']

  test('named by the environment are ignored', async () => {
    const asked: string[] = []
    const proxy = createServer((socket) => {
      asked.push('connection')
      socket.destroy()
    })
    const { promise, resolve } = Promise.withResolvers<void>()
    proxy.listen(0, '127.0.0.1', resolve)
    await promise
    const address = proxy.address()
    const port = typeof address === 'object' ? address?.port : undefined
    for (const name of variables) process.env[name] = `http://127.0.0.1:${port}`
    try {
      api.script(json(200, { direct: 1 }))
      expect(await clientOf().client.request(get)).toEqual({ direct: 1 })
    } finally {
      for (const name of variables) delete process.env[name]
      proxy.close()
    }
    expect(asked).toEqual([])
  })

  test('named by the kubeconfig are used', async () => {
    using proxy = await startScriptedApi()
    proxy.script(json(200, { through: 'proxy' }))
    const config = configOf('http://10.255.255.1:80', { headers: {}, tls: {} }, proxy.url)
    const client = createClient(config, { userAgent: 'test' })
    expect(await client.request(get)).toEqual({ through: 'proxy' })
    expect(proxy.asked[0]?.url).toContain('/api/v1/services')
  })
})

describe('TLS', () => {
  const pem = (name: string) => readFileSync(join(import.meta.dir, '../backends', name), 'utf8')
  const cert = pem('self-signed.crt')
  const key = pem('self-signed.key')
  const cases: readonly {
    readonly name: string
    readonly tls: Credentials['tls']
    readonly isGood: boolean
  }[] = [
    {
      name: 'an authority that knows the server',
      tls: { ca: cert, serverName: 'test.invalid' },
      isGood: true,
    },
    { name: 'an authority, but another name', tls: { ca: cert }, isGood: false },
    { name: 'no authority', tls: { serverName: 'test.invalid' }, isGood: false },
    { name: 'verification off', tls: { rejectUnauthorized: false }, isGood: true },
    { name: 'an authority that is no PEM', tls: { ca: 'garbage' }, isGood: false },
    {
      name: 'half a client certificate',
      tls: { ca: cert, serverName: 'test.invalid', cert: '-----BEGIN', key },
      isGood: false,
    },
  ]
  for (const { name, tls, isGood } of cases) {
    test(`${isGood ? 'answers with' : 'is refused with'} ${name}`, async () => {
      using secure = await startScriptedApi({ key, cert })
      secure.script(json(200, { secure: 1 }))
      const client = createClient(configOf(secure.url, { headers: {}, tls }), { userAgent: 'test' })
      if (isGood) {
        expect(await client.request(get)).toEqual({ secure: 1 })
        return
      }
      const error = await rejection(client.request(get))
      expect(error).toBeInstanceOf(NetworkError)
      expect(messageOf(error)).not.toContain('BEGIN')
      expect(secure.asked).toEqual([])
    })
  }

  test('of a server that does not speak it is an error of the network', async () => {
    const url = api.url.replace('http:', 'https:')
    const error = await rejection(clientOf(url).client.request({ ...get, timeoutMs: 2_000 }))
    expect(error).toBeInstanceOf(NetworkError)
  })
})
