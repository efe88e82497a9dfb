// How an object is written into an answer: whole, metadata only, or as the rows of a table.

import type { JsonMap } from './json.ts'
import type { Resource } from './resource.ts'
import { ApiError } from './status.ts'
import type { Version } from './store.ts'
import { tableOf } from './table.ts'

/** The form that a client accepts. */
export type View = 'full' | 'partial' | 'table'

/** How to write objects of one request. */
export interface Encoding {
  readonly resource: Resource
  readonly view: View
  /** The query's includeObject, for tables. */
  readonly includeObject: string
  readonly nowMs: () => number
}

/** The form that an Accept header asks for; the first one that the server has. Throws 406. */
export function viewOf(accept: string, canBeTable: boolean): View {
  if (accept === '') return 'full'
  for (const part of accept.split(',')) {
    const [media = '', ...params] = part.split(';').map((item) => item.trim())
    if (!['application/json', 'application/*', '*/*'].includes(media)) continue
    const as = params.find((item) => item.startsWith('as='))?.slice(3)
    const isV1 = !params.some((item) => item.startsWith('v=') && item !== 'v=v1')
    if (as === undefined) return 'full'
    if (isV1 && as === 'Table' && canBeTable) return 'table'
    if (isV1 && (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList')) {
      return 'partial'
    }
  }
  const message =
    'only the following media types are accepted: application/json, application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, application/json;as=Table;g=meta.k8s.io;v=v1'
  throw new ApiError(406, 'NotAcceptable', message)
}

/** One object as JSON text; whole and partial forms are written once and kept. */
export function encodeObject(version: Version, encoding: Encoding): string {
  const { resource, view } = encoding
  const { object, encoded } = version
  if (view === 'partial') {
    encoded.partial ??= JSON.stringify(partialOf(object))
    return encoded.partial
  }
  if (view === 'table') {
    return JSON.stringify(tableOf([object], encoding, { resourceVersion: String(version.rv) }))
  }
  if (object.apiVersion !== resource.apiVersion) {
    return JSON.stringify({ ...object, apiVersion: resource.apiVersion })
  }
  encoded.full ??= JSON.stringify(object)
  return encoded.full
}

/** An object that is not stored as such (a dry run, a deleted one). */
export function encodeLoose(object: JsonMap, { resource, view }: Encoding): string {
  if (view === 'partial' && object.kind !== 'Status') return JSON.stringify(partialOf(object))
  return JSON.stringify(
    object.kind === 'Status' ? object : { ...object, apiVersion: resource.apiVersion },
  )
}

/** A list as JSON text. */
export function encodeList(
  versions: readonly Version[],
  encoding: Encoding,
  metadata: JsonMap,
): string {
  const { resource, view } = encoding
  if (view === 'table') {
    const objects = versions.map(({ object }) => object)
    return JSON.stringify(tableOf(objects, encoding, metadata))
  }
  const items = versions.map((version) =>
    view === 'partial' ? encodeObject(version, encoding) : encodeItem(version, encoding),
  )
  const kind = view === 'partial' ? 'PartialObjectMetadataList' : resource.listKind
  const apiVersion = view === 'partial' ? 'meta.k8s.io/v1' : resource.apiVersion
  const head = JSON.stringify({ kind, apiVersion, metadata })
  return `${head.slice(0, -1)},"items":[${items.join(',')}]}`
}

/** Items of built-in lists carry neither kind nor apiVersion, as those of a real server. */
function encodeItem(version: Version, encoding: Encoding): string {
  if (encoding.resource.isCustom) return encodeObject(version, encoding)
  const { kind: _kind, apiVersion: _apiVersion, ...rest } = version.object
  version.encoded.item ??= JSON.stringify(rest)
  return version.encoded.item
}

/** PartialObjectMetadata of an object. */
export function partialOf(object: JsonMap): JsonMap {
  const { metadata = {} } = object
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata }
}
