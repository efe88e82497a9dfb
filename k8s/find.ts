// One object, which may not be there.

import type { ApiClient } from './client.ts'
import { statusOfError } from './errors.ts'

type Asking = { readonly client: Pick<ApiClient, 'request'>; readonly signal?: AbortSignal }

/** The object at `path`, as it came; undefined when there is none. Throws as ApiClient.request does. */
export async function find({ client, signal }: Asking, path: string): Promise<unknown> {
  try {
    return await client.request({ method: 'GET', path, signal })
  } catch (error) {
    if (statusOfError(error) === 404) return undefined
    throw error
  }
}

/** As `find`, read by `read`. */
export async function lookAt<T>(
  asking: Asking,
  path: string,
  read: (object: unknown) => T,
): Promise<T | undefined> {
  const object = await find(asking, path)
  return object === undefined ? undefined : read(object)
}
