// WATCH: which changes a client hears of and in which form. How the lines reach it is in stream.ts.

import type { Cluster } from './cluster.ts'
import { type Encoding, encodeObject } from './encode.ts'
import type { KubeObject } from './object.ts'
import { withMeta } from './object.ts'
import { selectorOf, versionIn } from './read.ts'
import type { RequestInfo } from './request-info.ts'
import type { Selector } from './selector.ts'
import { expired, forbidden, invalid } from './status.ts'
import type { Change, Version } from './store.ts'
import { tableOf } from './table.ts'

/** Where the lines of a watch go. */
export interface LineSink {
  readonly push: (line: string) => void
  /** Writes what was pushed and ends the stream. */
  readonly end: () => void
}

/** A watch in progress. */
export interface Watch {
  /** Sends a bookmark, if the client wants any. */
  readonly bookmark: () => void
  /** Hears no more changes. */
  readonly close: () => void
}

/** What a watch asks for; reading it can throw 400 or 422 before the stream begins. */
export interface WatchRequest {
  readonly since: number
  readonly isFromStart: boolean
  readonly wantsBookmarks: boolean
  readonly selects: Selector
  readonly namespace: string
  readonly name: string
  readonly timeoutSeconds: number
}

/** Reads the query of a watch. */
export function parseWatch(
  { query, namespace, name }: RequestInfo,
  encoding: Encoding,
): WatchRequest {
  if (query.has('sendInitialEvents')) {
    const subject = { group: 'meta.k8s.io', kind: 'ListOptions', plural: 'listoptions' }
    const rule =
      'sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled'
    throw invalid(subject, '', [forbidden('sendInitialEvents', rule)])
  }
  const since = versionIn(query)
  const seconds = Number(query.get('timeoutSeconds') ?? '0')
  return {
    since,
    isFromStart: since === 0,
    wantsBookmarks: query.get('allowWatchBookmarks') === 'true',
    selects: selectorOf(query, encoding.resource),
    namespace,
    name,
    timeoutSeconds: seconds > 0 ? seconds : 1800 + Math.random() * 1800,
  }
}

/** Starts to send: the present state or the missed changes first, then whatever happens. */
export function startWatch(
  cluster: Cluster,
  request: WatchRequest,
  encoding: Encoding,
  sink: LineSink,
): Watch {
  const { store } = cluster
  const { collection } = encoding.resource
  const deliver = (change: Change) => {
    if (change.rv <= request.since) return
    const line = lineOf(change, request, encoding)
    if (line !== undefined) sink.push(line)
  }
  if (request.isFromStart) {
    for (const version of store.snapshot(collection).versions) {
      if (matches(version.object, request))
        sink.push(eventLine('ADDED', encodeObject(version, encoding)))
    }
  } else {
    const missed = store.changesSince(collection, request.since)
    if (missed === undefined) {
      sink.push(expiredLine(`too old resource version: ${request.since} (${store.rv})`))
      sink.end()
      return { bookmark: () => undefined, close: () => undefined }
    }
    missed.forEach(deliver)
  }
  const close = store.subscribe(collection, deliver)
  const bookmark = () => {
    if (request.wantsBookmarks) sink.push(bookmarkLine(store.rv, encoding))
  }
  return { bookmark, close }
}

/** The line that tells a client to list again. */
export function expiredLine(message: string): string {
  return eventLine('ERROR', JSON.stringify(expired(message).toStatus()))
}

function lineOf(change: Change, request: WatchRequest, encoding: Encoding): string | undefined {
  const { type, current, previous } = change
  const was = previous !== undefined && matches(previous.object, request)
  const is = type !== 'DELETED' && matches(current.object, request)
  if (is) return eventLine(was ? 'MODIFIED' : 'ADDED', encodeObject(current, encoding))
  if (!was) return undefined
  if (type === 'DELETED') return eventLine('DELETED', encodeObject(current, encoding))
  return eventLine('DELETED', encodeObject(asOf(previous, change.rv), encoding))
}

/** An object that stops matching is sent as it was, under the version of the change. */
function asOf(version: Version, rv: number): Version {
  const { metadata } = version.object
  const object: KubeObject = {
    ...version.object,
    metadata: { ...metadata, resourceVersion: String(rv) },
  }
  return { ...version, rv, object, encoded: {} }
}

function matches(object: KubeObject, { namespace, name, selects }: WatchRequest): boolean {
  const { metadata } = object
  if (namespace !== '' && metadata.namespace !== namespace) return false
  return (name === '' || metadata.name === name) && selects(object)
}

function bookmarkLine(rv: number, encoding: Encoding): string {
  const { resource, view } = encoding
  const metadata = { resourceVersion: String(rv) }
  if (view === 'table')
    return eventLine('BOOKMARK', JSON.stringify(tableOf([], encoding, metadata)))
  const isPartial = view === 'partial'
  const kind = isPartial ? 'PartialObjectMetadata' : resource.kind
  const apiVersion = isPartial ? 'meta.k8s.io/v1' : resource.apiVersion
  const bare = withMeta(
    { kind, apiVersion, metadata: {} },
    { ...metadata, creationTimestamp: null },
  )
  return eventLine('BOOKMARK', JSON.stringify(bare))
}

function eventLine(type: string, objectJson: string): string {
  return `{"type":"${type}","object":${objectJson}}\n`
}
