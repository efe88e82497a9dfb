// A plain HTTP client for the tests of this folder: requests as text, watches line by line.

import { isMap, type Json, type JsonMap, textAt } from './json.ts'
import type { ApiServer } from './server.ts'

/** An answer. */
export interface Reply {
  readonly status: number
  readonly body: JsonMap
  readonly headers: Headers
}

/** What a request may bring. */
export interface RequestParts {
  readonly body?: unknown
  readonly contentType?: string
  readonly accept?: string
  readonly token?: string
  readonly userAgent?: string
}

/** Sends one request; the connection is not kept. */
export async function send(
  server: ApiServer,
  method: string,
  path: string,
  parts: RequestParts = {},
): Promise<Reply> {
  const headers = new Headers({ 'User-Agent': parts.userAgent ?? 'tester/1.0' })
  if (parts.contentType !== undefined) headers.set('Content-Type', parts.contentType)
  if (parts.accept !== undefined) headers.set('Accept', parts.accept)
  if (parts.token !== undefined) headers.set('Authorization', `Bearer ${parts.token}`)
  const { body } = parts
  const text = typeof body === 'string' || body === undefined ? body : JSON.stringify(body)
  const init = { method, headers, keepalive: false }
  const reply = await fetch(server.url + path, text === undefined ? init : { ...init, body: text })
  const plain = await reply.text()
  const answer: Json =
    reply.headers.get('content-type') === 'application/json' ? JSON.parse(plain) : { text: plain }
  return { status: reply.status, body: isMap(answer) ? answer : {}, headers: reply.headers }
}

/** A PATCH of the given type. */
export function patch(
  server: ApiServer,
  path: string,
  type: 'apply-patch+yaml' | 'merge-patch+json' | 'json-patch+json' | 'strategic-merge-patch+json',
  body: unknown,
): Promise<Reply> {
  return send(server, 'PATCH', path, { body, contentType: `application/${type}` })
}

/** One line of a watch. */
export interface WatchEvent {
  readonly type: string
  readonly object: JsonMap
}

/** An open watch. */
export interface OpenWatch {
  /** The next event; undefined at the end. Rejects when nothing comes within the deadline. */
  readonly next: (deadlineMs?: number) => Promise<WatchEvent | undefined>
  /** The chunks as they came, for tests of chunking. */
  readonly chunks: readonly Uint8Array[]
  readonly close: () => void
}

/** Opens a watch. */
export async function openWatch(
  server: ApiServer,
  path: string,
  accept = 'application/json',
): Promise<OpenWatch> {
  const abort = new AbortController()
  const url = `${server.url}${path}${path.includes('?') ? '&' : '?'}watch=true`
  const reply = await fetch(url, { headers: { Accept: accept }, signal: abort.signal })
  if (reply.body === null || reply.status !== 200) throw new Error(`watch: ${reply.status}`)
  const reader = reply.body.getReader()
  const decoder = new TextDecoder()
  const chunks: Uint8Array[] = []
  let text = ''
  const read = async (): Promise<WatchEvent | undefined> => {
    for (;;) {
      const end = text.indexOf('\n')
      if (end >= 0) {
        const line: Json = JSON.parse(text.slice(0, end))
        text = text.slice(end + 1)
        const object = isMap(line) && isMap(line.object) ? line.object : {}
        return { type: textAt(line, 'type'), object }
      }
      const { done, value } = await reader.read()
      if (done) {
        if (text !== '') throw new Error(`watch ended inside a line: ${text}`)
        return undefined
      }
      chunks.push(value)
      text += decoder.decode(value, { stream: true })
    }
  }
  let pending: Promise<WatchEvent | undefined> | undefined
  const next = async (deadlineMs = 2000) => {
    pending ??= read()
    const timer = Promise.withResolvers<never>()
    const late = () => timer.reject(new Error(`no event within ${deadlineMs} ms`))
    const timeout = setTimeout(late, deadlineMs)
    try {
      const event = await Promise.race([pending, timer.promise])
      pending = undefined
      return event
    } finally {
      clearTimeout(timeout)
    }
  }
  return { next, chunks, close: () => abort.abort() }
}

/** Asks again until the answer is yes. */
export async function until(isTrue: () => boolean, deadlineMs = 2000): Promise<void> {
  const end = performance.now() + deadlineMs
  while (!isTrue()) {
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms`)
    await Bun.sleep(2)
  }
}
