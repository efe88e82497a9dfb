// The two ports: what they answer, what they listen on, and that a scrape holds nothing up.

import { afterEach, describe, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { CannotStart, messageOf } from '../../k8s/errors.ts'
import type { MetricsView } from '../../k8s/metrics.ts'
import { newCounters } from '../../k8s/metrics.ts'
import { type Listener, parseBindAddress, serveHealth, serveMetrics } from '../../k8s/ports.ts'
import { eventually } from '../integration/eventually.ts'
import { parsePrometheus } from './prometheus-text.ts'

const listeners: Listener[] = []
afterEach(async () => {
  for (const listener of listeners.splice(0)) await listener.stop()
})

function health(healthz: () => string | undefined = () => undefined, address = '127.0.0.1:0') {
  const listener = serveHealth(address, { healthz, readyz: () => 'waiting for the first list' })
  listeners.push(listener)
  return `http://127.0.0.1:${listener.port}`
}

function metrics(view: Partial<MetricsView> = {}) {
  const { scalars = () => [], resources = () => [] } = view
  const listener = serveMetrics('127.0.0.1:0', { scalars, resources })
  listeners.push(listener)
  return listener.port
}

/** As many resources with 20 hosts each. */
const many = (count: number) =>
  Array.from({ length: count }, (_, n) => ({
    namespace: 'ns',
    name: `web-${n}`,
    healthy: 20,
    targets: 20,
    counters: Array.from({ length: 20 }, (_, host) => newCounters(`10.0.0.${host}:80`, 'tcp')),
  }))

describe('parseBindAddress()', () => {
  const cases: readonly (readonly [address: string, expected: object | undefined])[] = [
    [':8080', { hostname: '::', port: 8080 }],
    [':0', { hostname: '::', port: 0 }],
    ['0.0.0.0:9090', { hostname: '0.0.0.0', port: 9090 }],
    ['127.0.0.1:1', { hostname: '127.0.0.1', port: 1 }],
    ['localhost:65535', { hostname: 'localhost', port: 65535 }],
    ['[::1]:9090', { hostname: '::1', port: 9090 }],
    ['[::]:9090', { hostname: '::', port: 9090 }],
    [':65536', undefined],
    [':99999', undefined],
    [':', undefined],
    ['8080', undefined],
    ['', undefined],
    ['::1:9090', undefined],
    ['[::1]', undefined],
    ['[]:80', undefined],
    [':80x', undefined],
    [':-1', undefined],
    ['http://x:80', undefined],
    ['x:80\n', undefined],
  ]
  for (const [address, expected] of cases) {
    test(`of ${JSON.stringify(address)}`, () => {
      const parsed = parseBindAddress(address)
      if (expected === undefined) expect(parsed).toBeUndefined()
      else expect(parsed).toMatchObject(expected)
    })
  }
})

describe('serveHealth()', () => {
  test('answers 200 when all is well, 503 with the reason when not', async () => {
    let complaint: string | undefined
    const url = health(() => complaint)
    const ok = await fetch(`${url}/healthz`)
    expect([ok.status, await ok.text()]).toEqual([200, 'ok\n'])
    complaint = 'the tick is 12s late'
    const red = await fetch(`${url}/healthz`)
    expect([red.status, await red.text()]).toEqual([503, 'the tick is 12s late\n'])
    const readyz = await fetch(`${url}/readyz?verbose`)
    expect([readyz.status, await readyz.text()]).toEqual([503, 'waiting for the first list\n'])
  })

  for (const [method, path, status] of [
    ['HEAD', '/healthz', 200],
    ['POST', '/healthz', 405],
    ['DELETE', '/readyz', 405],
    ['GET', '/', 404],
    ['GET', '/metrics', 404],
    ['GET', '/healthz/', 404],
  ] as const) {
    test(`answers ${status} to ${method} ${path}`, async () => {
      expect((await fetch(`${health()}${path}`, { method })).status).toBe(status)
    })
  }

  test('a check that throws is 500, without its text', async () => {
    const url = health(() => {
      throw new Error('SECRET')
    })
    const answer = await fetch(`${url}/healthz`)
    expect([answer.status, await answer.text()]).toEqual([500, 'internal error\n'])
  })

  test('listens on all addresses of both families for :0', async () => {
    const url = health(() => undefined, ':0')
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    const port = new URL(url).port
    const v6 = await fetch(`http://[::1]:${port}/healthz`).catch(() => undefined)
    // Where there is no IPv6, there is none.
    if (v6) expect(v6.status).toBe(200)
  })

  const bad: readonly (readonly [address: string, text: RegExp])[] = [
    ['8080', /^Cannot use --health-probe-bind-address "8080" as it must be like :8080 or/],
    ['10.255.255.1:80', /^Cannot listen on --health-probe-bind-address "10.255.255.1:80": /],
  ]
  for (const [address, text] of bad) {
    test(`tells in one line why it cannot use ${address}`, () => {
      expect(() => health(() => undefined, address)).toThrow(CannotStart)
      expect(() => health(() => undefined, address)).toThrow(text)
    })
  }

  test('tells in one line that the port is taken, for all addresses too', () => {
    const { port } = new URL(health(() => undefined, '0.0.0.0:0'))
    for (const address of [`0.0.0.0:${port}`, `:${port}`]) {
      try {
        health(() => undefined, address)
        throw new Error('It listens')
      } catch (error) {
        expect(messageOf(error)).toMatch(/^Cannot listen on --health-probe-bind-address "/)
        expect(messageOf(error)).not.toContain('\n')
      }
    }
  })
})

describe('serveMetrics()', () => {
  test('answers with Prometheus text', async () => {
    const answer = await fetch(`http://127.0.0.1:${metrics({ resources: () => many(3) })}/metrics`)
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    const text = await answer.text()
    expect(parsePrometheus(text).get('cep_num_checked')?.samples.size).toBe(60)
    expect((await fetch(`http://127.0.0.1:${metrics()}/`)).status).toBe(404)
  })

  test('a scrape of 10,000 targets comes in pieces, and the event loop goes on meanwhile', async () => {
    const port = metrics({ resources: () => many(500) })
    let longestMs = 0
    let lastMs = performance.now()
    const timer = setInterval(() => {
      longestMs = Math.max(longestMs, performance.now() - lastMs)
      lastMs = performance.now()
    }, 1)
    const child = Bun.spawn(
      [
        process.execPath,
        '-e',
        `let bytes = 0; for await (const chunk of (await fetch('http://127.0.0.1:${port}/metrics')).body) bytes += chunk.length; console.log(bytes)`,
      ],
      { stdout: 'pipe' },
    )
    const bytes = Number(await new Response(child.stdout).text())
    clearInterval(timer)
    expect(bytes).toBeGreaterThan(5_000_000)
    expect(longestMs).toBeLessThan(200)
  })

  test('a reader that stalls costs one piece or two, and is let go', async () => {
    let rendered = 0
    function* resources() {
      for (const resource of many(500)) {
        rendered++
        yield resource
      }
    }
    const port = metrics({ resources })
    const socket = connect({ host: '127.0.0.1', port })
    socket.on('error', () => {})
    socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n')
    socket.pause()
    await eventually(5_000, () => expect(rendered).toBeGreaterThan(0))
    const whole = 500 * 7
    let before = -1
    // Until it makes no progress any more.
    await eventually(10_000, async () => {
      before = rendered
      await Bun.sleep(300)
      expect(rendered).toBe(before)
    })
    expect(rendered).toBeLessThan(whole)
    socket.destroy()
  }, 20_000)
})
