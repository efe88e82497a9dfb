// What the server knows about one resource: its names, its schema and its rules. The built-in ones are
// listed in builtins.ts, those of CRDs are made in crd.ts.

import type { JsonMap } from './json.ts'
import type { NameRule } from './names.ts'
import type { Schema } from './schema.ts'
import type { FieldError, Subject } from './status.ts'

/** A printer column of `kubectl get`. */
export interface Column {
  readonly name: string
  readonly type: string
  readonly format: string
  readonly description: string
  readonly priority: number
  /** The cell of an object; undefined prints as nothing (a date: as <unknown>). */
  readonly cell: (object: JsonMap, nowMs: number) => string | number | boolean | undefined
}

/** What a kind does beyond its schema. Each step returns the object to go on with. */
export interface Rules {
  readonly name: NameRule
  /** Defaults of the versioned type, before ownership is settled. */
  readonly fillDefaults: (object: JsonMap) => JsonMap
  /** Server-made fields of a new object. Nothing may be taken for good here: see `claim`. */
  readonly prepareCreate: (object: JsonMap) => JsonMap
  readonly prepareUpdate: (object: JsonMap, live: JsonMap) => JsonMap
  readonly validate: (object: JsonMap, live: JsonMap | undefined) => readonly FieldError[]
  /** Takes what the object holds exclusively (addresses), after validation; returns it complete. */
  readonly claim: (object: JsonMap, live: JsonMap | undefined) => JsonMap
}

/** One served version of one resource. */
export interface Resource extends Subject {
  readonly version: string
  readonly apiVersion: string
  /** Where its objects are stored: the same for every version of the resource. */
  readonly collection: string
  readonly singular: string
  readonly listKind: string
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  readonly isNamespaced: boolean
  readonly isCustom: boolean
  readonly hasStatus: boolean
  /** metadata.generation counts changes of anything but metadata and status. */
  readonly hasGeneration: boolean
  /** PUT of a name that does not exist creates it. */
  readonly createsOnUpdate: boolean
  /** PUT without a resourceVersion overwrites. */
  readonly updatesUnconditionally: boolean
  readonly deleteReturnsObject: boolean
  readonly schema: Schema
  readonly openapi: JsonMap
  /** What a zero value of the Go type contains: those parts have no owner of their own. */
  readonly skeleton: JsonMap
  readonly columns: readonly Column[]
  readonly rules: Rules
}

/** Rules that let everything pass. */
export const noRules: Omit<Rules, 'name'> = {
  fillDefaults: (object) => object,
  prepareCreate: (object) => object,
  prepareUpdate: (object) => object,
  validate: () => [],
  claim: (object) => object,
}
