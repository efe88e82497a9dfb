// A map from text to text, as labels, annotations and selectors are.

import * as v from 'valibot'

/**
 * Accepts an object whose values are all text. Not `v.record`, which leaves out the keys
 * `constructor` and `prototype`: a Service whose selector is `{ prototype: "2" }` would look like one
 * that has none, and be taken over.
 */
export const stringMap = v.custom<Readonly<Record<string, string>>>(
  isStringMap,
  'Invalid map: every value must be text',
)

function isStringMap(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return Object.values(value).every((each) => typeof each === 'string')
}
