// A whole collection, page by page.

import * as v from 'valibot'
import type { ApiClient } from './client.ts'

/** Objects a page. Source: client-go tools/pager: 500. */
const PAGE_SIZE = 500
/** Milliseconds for one page. */
const LIST_TIMEOUT_MS = 30_000

const pageSchema = v.object({
  metadata: v.object({
    resourceVersion: v.optional(v.string(), ''),
    continue: v.optional(v.string(), ''),
  }),
  items: v.nullish(v.array(v.unknown()), []),
})

export type Listed = {
  readonly items: readonly unknown[]
  /** At which a watch goes on from here. */
  readonly resourceVersion: string
}

export type ListOptions = {
  readonly query?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
  readonly onPage?: () => void
}

/** Lists the collection at `path`. Throws as ApiClient.request does. */
export async function listAll(
  client: Pick<ApiClient, 'request'>,
  path: string,
  { query = {}, signal, onPage = () => {} }: ListOptions = {},
): Promise<Listed> {
  const objects: unknown[] = []
  let token = ''
  for (;;) {
    const answer = await client.request({
      method: 'GET',
      path,
      query: { ...query, limit: String(PAGE_SIZE), ...(token ? { continue: token } : {}) },
      timeoutMs: LIST_TIMEOUT_MS,
      signal,
    })
    const { metadata, items } = v.parse(pageSchema, answer)
    // Not by push(...): a server may take no notice of the limit.
    for (const item of items) objects.push(item)
    onPage()
    token = metadata.continue
    if (token === '') return { items: objects, resourceVersion: metadata.resourceVersion }
  }
}
