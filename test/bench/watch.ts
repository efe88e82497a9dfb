// What stands in the Endpoints of the API server, as a watch of our own tells it, and when it came.

import * as v from 'valibot'
import type { World } from './world.ts'

const COLLECTION = '/api/v1/endpoints'

const eventSchema = v.object({
  type: v.string(),
  object: v.object({
    metadata: v.object({ name: v.optional(v.string(), ''), namespace: v.optional(v.string(), '') }),
    subsets: v.nullish(
      v.array(
        v.object({
          addresses: v.nullish(v.array(v.object({ ip: v.string() })), []),
          ports: v.nullish(v.array(v.object({ port: v.number() })), []),
        }),
      ),
      [],
    ),
  }),
})

export type Watch = Disposable & {
  /** Addresses published in all. */
  readonly size: () => number
  /** When `ip:port` was last published or unpublished (the shared clock); undefined while it is not so. */
  readonly sinceMs: (address: string, isPublished: boolean) => number | undefined
  /** Writes to each Endpoints so far. */
  readonly writes: () => ReadonlyMap<string, number>
  /** When the last event came, by the shared clock. */
  readonly lastMs: () => number
}

/** Follows the namespace `default`. Two objects must not publish the same address. */
export async function watchEndpoints(world: World): Promise<Watch> {
  const stop = new AbortController()
  const byName = new Map<string, ReadonlySet<string>>()
  const since = new Map<string, { readonly isPublished: boolean; readonly atMs: number }>()
  const writes = new Map<string, number>()
  let lastMs = 0
  let size = 0
  const take = (line: string) => {
    const { type, object } = v.parse(eventSchema, JSON.parse(line))
    const { name, namespace } = object.metadata
    if (type === 'BOOKMARK' || namespace !== 'default' || name === 'kubernetes') return
    lastMs = performance.timeOrigin + performance.now()
    const before = byName.get(name) ?? new Set()
    const after = new Set(
      object.subsets.flatMap(({ addresses, ports }) =>
        (addresses ?? []).flatMap(({ ip }) => (ports ?? []).map(({ port }) => `${ip}:${port}`)),
      ),
    )
    for (const each of before.difference(after)) {
      since.set(each, { isPublished: false, atMs: lastMs })
    }
    for (const each of after.difference(before)) {
      since.set(each, { isPublished: true, atMs: lastMs })
    }
    byName.set(name, after)
    size += after.size - before.size
    writes.set(name, (writes.get(name) ?? 0) + 1)
  }
  const answer = await world.request(`${COLLECTION}?watch=true&resourceVersion=0`, {
    signal: stop.signal,
  })
  if (!answer.ok || !answer.body) throw new Error(`Cannot watch Endpoints: HTTP ${answer.status}`)
  void follow(answer.body, take, stop.signal)
  return {
    size: () => size,
    sinceMs: (address, isPublished) => {
      const known = since.get(address)
      return known?.isPublished === isPublished ? known.atMs : undefined
    },
    writes: () => new Map(writes),
    lastMs: () => lastMs,
    [Symbol.dispose]: () => stop.abort(),
  }
}

async function follow(
  body: NonNullable<Response['body']>,
  take: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  let text = ''
  try {
    for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
      const lines = `${text}${chunk}`.split('\n')
      text = lines.pop() ?? ''
      for (const line of lines) if (line !== '') take(line)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
