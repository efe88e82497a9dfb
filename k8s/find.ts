// One object, which may not be there.

import type { ApiClient } from './client.ts'
import { statusOfError } from './errors.ts'

/** The object at `path`; undefined when there is none. Throws as ApiClient.request does. */
export async function find(client: Pick<ApiClient, 'request'>, path: string): Promise<unknown> {
  try {
    return await client.request({ method: 'GET', path })
  } catch (error) {
    if (statusOfError(error) === 404) return undefined
    throw error
  }
}
