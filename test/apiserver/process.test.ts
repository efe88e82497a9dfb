// The server as others start it: over TLS, from a kubeconfig, as a process of its own.

import { afterAll, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Json, mapAt, textAt } from './json.ts'
import { startApiServer } from './server.ts'

const folder = mkdtempSync(join(tmpdir(), 'apiserver-test-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('a server with a certificate speaks TLS to those who trust it', async () => {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const made = Bun.spawnSync([
    ...['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
    ...['-nodes', '-days', '1', '-keyout', key, '-out', cert, '-subj', '/CN=test'],
    ...['-addext', 'subjectAltName=IP:127.0.0.1'],
  ])
  expect(made.exitCode).toBe(0)
  const tls = { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
  const server = startApiServer({ tls, tokens: { secret: 'me' } })
  const config: Json = JSON.parse(readFileSync(server.kubeconfig(), 'utf8'))
  const headers = { Authorization: 'Bearer secret' }
  const url = `${server.url}/api/v1/namespaces`
  expect(server.url).toStartWith('https://')
  expect(JSON.stringify(config)).toContain(Buffer.from(tls.cert).toString('base64'))
  expect((await fetch(url, { headers, tls: { ca: tls.cert } })).status).toBe(200)
  await expect(fetch(url, { headers })).rejects.toThrow()
  server.stop()
})

test('stop() removes the kubeconfig and frees the port', async () => {
  const server = startApiServer()
  const path = server.kubeconfig()
  expect(existsSync(path)).toBe(true)
  server.stop()
  expect(existsSync(path)).toBe(false)
  const again = startApiServer({ port: server.port })
  expect(again.port).toBe(server.port)
  again.stop()
})

test('main.ts prints one JSON line when it listens, and ends on SIGTERM', async () => {
  const kubeconfig = join(folder, 'kubeconfig')
  const main = join(import.meta.dir, 'main.ts')
  const command = [process.execPath, main, '--allow-loopback', '--kubeconfig-out', kubeconfig]
  const child = Bun.spawn(command, { stdout: 'pipe' })
  const reader = child.stdout.getReader()
  const line: Json = JSON.parse(new TextDecoder().decode((await reader.read()).value))
  const version: Json = JSON.parse(await (await fetch(`${textAt(line, 'url')}/version`)).text())
  expect(textAt(version, 'gitVersion')).toBe('v1.36.2')
  const config: Json = JSON.parse(readFileSync(kubeconfig, 'utf8'))
  expect(mapAt(config)['current-context']).toBe('test')
  child.kill('SIGTERM')
  expect(await child.exited).toBe(0)
})

test('main.ts refuses a port that is none', () => {
  const main = join(import.meta.dir, 'main.ts')
  const { exitCode, stderr } = Bun.spawnSync([process.execPath, main, '--port', 'x'])
  expect(exitCode).toBe(2)
  expect(stderr.toString()).toContain('Cannot use --port "x"')
})
