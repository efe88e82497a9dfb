// meta.k8s.io/v1 Table: what `kubectl get` prints.

import type { Json, JsonMap } from './json.ts'
import { textAt } from './json.ts'
import type { Resource } from './resource.ts'

/** What a table needs to know besides its objects. */
export interface Tabulation {
  readonly resource: Resource
  /** None, Metadata (also when empty) or Object. */
  readonly includeObject: string
  readonly nowMs: () => number
}

/** The table of some objects. */
export function tableOf(
  objects: readonly JsonMap[],
  { resource, includeObject, nowMs }: Tabulation,
  metadata: JsonMap,
): JsonMap {
  const now = nowMs()
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: [NAME, ...resource.columns.map(({ cell: _, ...definition }) => definition)],
    rows: objects.map((object) => ({
      cells: [
        textAt(object, 'metadata', 'name'),
        ...resource.columns.map((column) => column.cell(object, now) ?? null),
      ],
      ...rowObject(object, includeObject),
    })),
  }
}

const NAME: Json = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name must be unique within a namespace.',
  priority: 0,
}

function rowObject(object: JsonMap, includeObject: string): JsonMap {
  if (includeObject === 'None') return {}
  if (includeObject === 'Object') return { object }
  const { metadata = {} } = object
  return { object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata } }
}
