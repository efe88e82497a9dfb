// The EndpointSlices that are ours, by ClusterEndpoint, and whether they can be had at all: a cluster
// may be too old for them, or its role for us older than this version.

import {
  type LiveSlice,
  ownerOfSlice,
  readSlice,
  SLICE_MANAGER,
  SLICE_MANAGER_LABEL,
  type SliceApiVersion,
} from '../crds/slices.ts'
import type { ApiClient } from './client.ts'
import { statusOfError } from './errors.ts'
import { createLiveCache, type LiveOptions } from './live.ts'
import type { Log } from './log.ts'
import { keyOf, type Named, slicesPath } from './paths.ts'
import { type Reflector, startReflector } from './reflector.ts'
import { createSliceVersion } from './slice-version.ts'

export type Slices = {
  /** The version in which they are read and written; undefined as long as they cannot be had. */
  readonly apiVersion: () => SliceApiVersion | undefined
  /** Those of a ClusterEndpoint that stand, in no order. */
  readonly of: (cep: Named) => LiveSlice[]
  /** Reads and remembers the answer to a write. */
  readonly learn: (answer: unknown) => void
  readonly reflector: Reflector
}

export type SlicesOptions = Pick<LiveOptions<LiveSlice>, 'onUnreadable'> & {
  readonly client: ApiClient
  readonly log: Log
  readonly signal: AbortSignal
  /** Whether nothing may go on without them: what is optional is waited for until it is refused. */
  readonly isRequired: boolean
  /** Told of the ClusterEndpoint of a slice when a watch said something that was not known yet. */
  readonly onNews: (key: string) => void
  /** Told when they can be had from now on. */
  readonly onAvailable: () => void
}

/** Starts to watch them; goes on until the signal aborts. */
export function startSlices(options: SlicesOptions): Slices {
  const { client, log, signal, isRequired, onNews, onUnreadable, onAvailable } = options
  const version = createSliceVersion(client, signal)
  let apiVersion: SliceApiVersion | undefined
  /** Keys of slices by the key of their ClusterEndpoint. */
  const keys = new Map<string, Set<string>>()
  let refusal = Promise.withResolvers<void>()

  const cache = createLiveCache({
    read: readSlice,
    onUnreadable,
    onNews: (key) => {
      const cep = cepOf(key)
      if (cache.get(key)) note(cep, key)
      else forget(cep, key)
      onNews(cep)
    },
  })

  function note(cep: string, key: string): void {
    const known = keys.get(cep)
    if (known) known.add(key)
    else keys.set(cep, new Set([key]))
  }

  function forget(cep: string, key: string): void {
    const known = keys.get(cep)
    known?.delete(key)
    if (known?.size === 0) keys.delete(cep)
  }

  let listedAt: SliceApiVersion | undefined
  const reflector = startReflector({
    client,
    log,
    signal,
    path: 'endpointslices of discovery.k8s.io',
    labelSelector: `${SLICE_MANAGER_LABEL}=${SLICE_MANAGER}`,
    locate: async () => {
      listedAt = await version.ask()
      return slicesPath(listedAt)
    },
    onReplace: (objects, resourceVersion) => {
      cache.onReplace(objects, resourceVersion)
      const isNew = apiVersion === undefined
      apiVersion = listedAt
      if (isNew) onAvailable()
    },
    onChange: cache.onChange,
    onTrouble: (error) => {
      if (statusOfError(error) === 404) version.forget()
      if (!isRefusal(error)) return
      refusal.resolve()
      refusal = Promise.withResolvers()
    },
  })
  const firstRefusal = refusal.promise

  return {
    apiVersion: () => apiVersion,
    of: (cep) => [...(keys.get(keyOf(cep)) ?? [])].flatMap((key) => cache.get(key) ?? []),
    learn: (answer) => {
      const key = keyOf(cache.learn(answer).metadata)
      if (cache.get(key)) note(cepOf(key), key)
    },
    reflector: isRequired ? reflector : optional(reflector, firstRefusal, () => refusal.promise),
  }
}

/** `reflector` with a refusal as good as a list: nobody waits for what is not there, or not for us. */
function optional(
  reflector: Reflector,
  firstRefusal: Promise<void>,
  nextRefusal: () => Promise<void>,
): Reflector {
  let isRefused = false
  void firstRefusal.then(() => {
    isRefused = true
  })
  return {
    ...reflector,
    synced: Promise.race([reflector.synced, firstRefusal]),
    refresh: async (ageMaxMs) => await Promise.race([reflector.refresh(ageMaxMs), nextRefusal()]),
    state: () => {
      const state = reflector.state()
      return { ...state, isSynced: state.isSynced || isRefused }
    },
  }
}

function isRefusal(error: unknown): boolean {
  const status = statusOfError(error)
  return status === 403 || status === 404
}

/** `ns/web.http-80-ipv4-0` is a slice of `ns/web`. */
function cepOf(key: string): string {
  const [namespace = '', name = ''] = key.split('/')
  return keyOf({ namespace, name: ownerOfSlice(name) })
}
