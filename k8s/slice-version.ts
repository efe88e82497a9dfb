// In which version the API server has EndpointSlices: asked once, and again when it is found to have changed.

import * as v from 'valibot'
import type { SliceApiVersion } from '../crds/slices.ts'
import type { ApiClient } from './client.ts'
import { ApiError } from './errors.ts'

const GROUP_PATH = '/apis/discovery.k8s.io'

/** Best first. */
const KNOWN = ['discovery.k8s.io/v1', 'discovery.k8s.io/v1beta1'] as const

const groupSchema = v.object({ versions: v.array(v.object({ groupVersion: v.string() })) })

export type SliceVersion = {
  /** Throws an ApiError with status 404 where no version that we know is served. */
  readonly ask: () => Promise<SliceApiVersion>
  /** Has the next ask() ask the API server: what it told last is served no more. */
  readonly forget: () => void
}

export function createSliceVersion(client: ApiClient, signal: AbortSignal): SliceVersion {
  let asked: Promise<SliceApiVersion> | undefined

  async function discover(): Promise<SliceApiVersion> {
    const answer = await client.request({ method: 'GET', path: GROUP_PATH, signal })
    const served = new Set(v.parse(groupSchema, answer).versions.map((each) => each.groupVersion))
    const best = KNOWN.find((version) => served.has(version))
    if (best === undefined) throw new ApiError(404, 'NotFound', `${KNOWN.join(', ')}: not served`)
    return best
  }

  return {
    ask: async () => {
      asked ??= discover()
      try {
        return await asked
      } catch (error) {
        asked = undefined
        throw error
      }
    },
    forget: () => {
      asked = undefined
    },
  }
}
