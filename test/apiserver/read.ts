// GET of one object, and LIST with selectors and pages that are cut from one consistent snapshot.

import type { Cluster } from './cluster.ts'
import { type Encoding, encodeList, encodeObject } from './encode.ts'
import { compact, isMap, type Json, textAt } from './json.ts'
import type { RequestInfo } from './request-info.ts'
import type { Resource } from './resource.ts'
import { everything, parseFieldSelector, parseLabelSelector, type Selector } from './selector.ts'
import { ApiError, badRequest, expired, notFound } from './status.ts'
import { keyOf, type Snapshot, type Version } from './store.ts'

/** The JSON of one object. Throws 404. */
export function getObject(cluster: Cluster, info: RequestInfo, encoding: Encoding): string {
  const { resource } = encoding
  const found = cluster.store.get(resource.collection, info.namespace, info.name)
  if (found === undefined) throw notFound(resource, info.name)
  return encodeObject(found, encoding)
}

/** The JSON of a list, or of one page of it. Throws 410 when the page's snapshot is forgotten. */
export function listObjects(cluster: Cluster, info: RequestInfo, encoding: Encoding): string {
  const { resource } = encoding
  const { query, namespace } = info
  const limit = numberIn(query, 'limit')
  const token = query.get('continue') ?? ''
  const { snapshot, start } =
    token === ''
      ? { snapshot: freshSnapshot(cluster, resource, query), start: '' }
      : resume(cluster, resource, token)
  const selects = selectorOf(query, resource)
  const page: Version[] = []
  let next: string | undefined
  let remaining = 0
  for (const version of snapshot.versions) {
    if (version.key <= start || !isIn(version, namespace) || !selects(version.object)) continue
    if (limit === 0 || page.length < limit) page.push(version)
    else if (selects === everything) remaining += 1
    else remaining = 1
    if (remaining > 0) {
      next = page.at(-1)?.key
      if (selects !== everything) break
    }
  }
  if (next !== undefined) cluster.store.keepSnapshot(resource.collection, snapshot)
  const metadata = compact({
    resourceVersion: String(snapshot.rv),
    continue: next === undefined ? undefined : tokenOf(snapshot.rv, next),
    remainingItemCount: next !== undefined && selects === everything ? remaining : undefined,
  })
  return encodeList(page, encoding, metadata)
}

/** What the selectors of a query select together. Throws 400. */
export function selectorOf(query: URLSearchParams, resource: Resource): Selector {
  const byLabel = parseLabelSelector(query.get('labelSelector') ?? '')
  const byField = parseFieldSelector(query.get('fieldSelector') ?? '', resource)
  if (byLabel === everything) return byField
  if (byField === everything) return byLabel
  return (object) => byLabel(object) && byField(object)
}

/** A resourceVersion in a query; 0 when absent. Throws 400. */
export function versionIn(query: URLSearchParams): number {
  const text = query.get('resourceVersion') ?? ''
  if (text === '') return 0
  if (/^\d+$/.test(text)) return Number(text)
  throw badRequest(
    `invalid resource version "${text}": strconv.ParseUint: parsing "${text}": invalid syntax`,
  )
}

function freshSnapshot(cluster: Cluster, resource: Resource, query: URLSearchParams): Snapshot {
  const { store } = cluster
  const wanted = versionIn(query)
  if (wanted > store.rv) throw tooLarge(wanted, store.rv)
  if (query.get('resourceVersionMatch') !== 'Exact' || wanted === store.rv) {
    return store.snapshot(resource.collection)
  }
  const kept = store.keptSnapshot(resource.collection, wanted)
  if (kept === undefined) throw expired(`The resourceVersion for the provided list is too old.`)
  return kept
}

function tooLarge(wanted: number, current: number): ApiError {
  const message = `Timeout: Too large resource version: ${wanted}, current: ${current}`
  const causes = [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }]
  return new ApiError(504, 'Timeout', message, { causes, retryAfterSeconds: 1 }, 1)
}

function resume(cluster: Cluster, resource: Resource, token: string) {
  const { rv, start } = readToken(token)
  const snapshot = cluster.store.keptSnapshot(resource.collection, rv)
  if (snapshot !== undefined) return { snapshot, start }
  throw expired(
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.',
  )
}

function tokenOf(rv: number, start: string): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv, start })).toString('base64url')
}

function readToken(token: string): { readonly rv: number; readonly start: string } {
  try {
    const json: Json = JSON.parse(Buffer.from(token, 'base64url').toString())
    const rv = isMap(json) ? json.rv : undefined
    if (typeof rv === 'number') return { rv, start: textAt(json, 'start') }
  } catch {
    // Refused below, like any other text that is no token of ours.
  }
  throw badRequest('continue key is not valid: not a token of this server')
}

function isIn(version: Version, namespace: string): boolean {
  return namespace === '' || version.key.startsWith(keyOf(namespace, ''))
}

function numberIn(query: URLSearchParams, name: string): number {
  const value = Number(query.get(name) ?? '0')
  return Number.isInteger(value) && value > 0 ? value : 0
}
