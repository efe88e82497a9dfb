// Failures as the API server words them: an error that carries its `Status` answer.

import { compact, isMap, type Json, type JsonMap } from './json.ts'

/** One reason why a field is refused, with Kubernetes' own cause words. */
export interface FieldError {
  readonly field: string
  readonly reason: string
  readonly message: string
}

/** What a request is about, for the `details` and the words of a Status. */
export interface Subject {
  readonly group: string
  readonly kind: string
  readonly plural: string
}

/** An answer other than success, thrown anywhere while a request is handled. */
export class ApiError extends Error {
  constructor(
    readonly code: number,
    readonly reason: string,
    message: string,
    readonly details?: JsonMap,
    readonly retryAfterSeconds?: number,
  ) {
    super(message)
  }

  /** The Status object that the client gets. */
  toStatus(): JsonMap {
    return compact({
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      reason: this.reason === '' ? undefined : this.reason,
      details: this.details,
      code: this.code,
    })
  }
}

/** 400 */
export function badRequest(message: string): ApiError {
  return new ApiError(400, 'BadRequest', message)
}

/** 404 of a path that nothing serves: real servers answer it in plain text, not with a Status. */
export class NoSuchPath extends Error {}

/** 404 of one object. */
export function notFound(subject: Subject, name: string): ApiError {
  return new ApiError(404, 'NotFound', `${qualified(subject)} "${name}" not found`, {
    name,
    ...groupOf(subject),
    kind: subject.plural,
  })
}

/** 409 of a create whose name is taken. */
export function alreadyExists(subject: Subject, name: string): ApiError {
  return new ApiError(409, 'AlreadyExists', `${qualified(subject)} "${name}" already exists`, {
    name,
    ...groupOf(subject),
    kind: subject.plural,
  })
}

/** 409 of a lost race, in the words of the optimistic lock unless others are given. */
export function conflict(subject: Subject, name: string, why = STALE): ApiError {
  const message = `Operation cannot be fulfilled on ${qualified(subject)} "${name}": ${why}`
  const details = { name, ...groupOf(subject), kind: subject.plural }
  return new ApiError(409, 'Conflict', message, details)
}

const STALE =
  'the object has been modified; please apply your changes to the latest version and try again'

/** 422 with one cause per field. */
export function invalid(subject: Subject, name: string, errors: readonly FieldError[]): ApiError {
  const texts = errors.map((error) => `${error.field}: ${error.message}`)
  const why = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`
  const kind = subject.group === '' ? subject.kind : `${subject.kind}.${subject.group}`
  return new ApiError(422, 'Invalid', `${kind} "${name}" is invalid: ${why}`, {
    ...(name === '' ? {} : { name }),
    ...groupOf(subject),
    kind: subject.kind,
    causes: errors.map(({ field, reason, message }) => ({ reason, message, field })),
  })
}

/** 410: the resource version is older than what is remembered. */
export function expired(message: string): ApiError {
  return new ApiError(410, 'Expired', message)
}

/** 405 */
export function methodNotAllowed(): ApiError {
  const message = 'the server does not allow this method on the requested resource'
  return new ApiError(405, 'MethodNotAllowed', message, {})
}

/** A field whose value breaks a rule. */
export function invalidValue(field: string, value: Json | undefined, rule: string): FieldError {
  return { field, reason: 'FieldValueInvalid', message: `Invalid value: ${show(value)}: ${rule}` }
}

/** A field that must be there. */
export function required(field: string, rule = ''): FieldError {
  const message = rule === '' ? 'Required value' : `Required value: ${rule}`
  return { field, reason: 'FieldValueRequired', message }
}

/** A field that repeats another one. */
export function duplicate(field: string, value: Json): FieldError {
  return { field, reason: 'FieldValueDuplicate', message: `Duplicate value: ${show(value)}` }
}

/** A field outside its list of values. */
export function unsupported(field: string, value: Json, supported: readonly string[]): FieldError {
  const list = supported.map((item) => JSON.stringify(item)).join(', ')
  const message = `Unsupported value: ${show(value)}: supported values: ${list}`
  return { field, reason: 'FieldValueNotSupported', message }
}

/** A field that may not be set. */
export function forbidden(field: string, rule: string): FieldError {
  return { field, reason: 'FieldValueForbidden', message: `Forbidden: ${rule}` }
}

/** A list with too many items. */
export function tooMany(field: string, count: number, max: number): FieldError {
  const message = `Too many: ${count}: must have at most ${max} items`
  return { field, reason: 'FieldValueTooMany', message }
}

function show(value: Json | undefined): string {
  return value === undefined ? 'null' : JSON.stringify(value)
}

function qualified(subject: Subject): string {
  return subject.group === '' ? subject.plural : `${subject.plural}.${subject.group}`
}

function groupOf(subject: Subject): JsonMap {
  return subject.group === '' ? {} : { group: subject.group }
}

/** Whether a JSON value is a failure Status. */
export function isFailure(value: Json): boolean {
  return isMap(value) && value.kind === 'Status' && value.status === 'Failure'
}
