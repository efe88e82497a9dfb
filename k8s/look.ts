// One look at an object that a watch does not show.

import type { ApiClient } from './client.ts'
import { statusOfError } from './errors.ts'

/** What stands at `path` now; undefined when there is nothing. */
export async function lookAt<T>(
  { client, signal }: { readonly client: ApiClient; readonly signal: AbortSignal },
  path: string,
  read: (object: unknown) => T,
): Promise<T | undefined> {
  try {
    return read(await client.request({ method: 'GET', path, signal }))
  } catch (error) {
    if (statusOfError(error) === 404) return undefined
    throw error
  }
}
