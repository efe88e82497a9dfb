// A manifest's documents as tests look at them.

import * as v from 'valibot'

const objectSchema = v.looseObject({
  apiVersion: v.string(),
  kind: v.string(),
  metadata: v.looseObject({
    name: v.string(),
    namespace: v.optional(v.string()),
    labels: v.optional(v.record(v.string(), v.string())),
    annotations: v.optional(v.record(v.string(), v.string())),
  }),
})

export type Document = v.InferOutput<typeof objectSchema>

const nodeSchema = v.record(v.string(), v.unknown())

/** The objects in a text of several documents, but for empty ones. Throws on what is no object. */
export function documentsOf(text: string): Document[] {
  const parsed: unknown = Bun.YAML.parse(text)
  const all = Array.isArray(parsed) ? parsed : [parsed]
  return all.filter((each) => each !== null).map((each) => v.parse(objectSchema, each))
}

/** All maps in `value`, itself among them. */
export function nodesIn(value: unknown): Readonly<Record<string, unknown>>[] {
  if (Array.isArray(value)) return value.flatMap(nodesIn)
  const node = v.safeParse(nodeSchema, value)
  if (!node.success) return []
  return [node.output, ...Object.values(node.output).flatMap(nodesIn)]
}
