// What can go wrong between us and the API server: classes to branch on, never message texts.

/** An answer of the API server that is not a success. `reason` as in its Status, e.g. `NotFound`. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  constructor(
    readonly status: number,
    readonly reason: string,
    message: string,
    /** What Retry-After asked for, milliseconds; undefined if it was not sent. */
    readonly retryAfterMs?: number | undefined,
  ) {
    super(message)
  }
}

/** No answer: refused, reset, timed out, TLS. The request may have taken effect. */
export class NetworkError extends Error {
  override readonly name = 'NetworkError'
}

/** What keeps the program from starting and a person can mend: the message says how. */
export class CannotStart extends Error {
  override readonly name = 'CannotStart'
}

/** The HTTP status that `error` carries; 0 if it carries none. */
export function statusOfError(error: unknown): number {
  return error instanceof ApiError ? error.status : 0
}

/** Whether answers with `status` only, to everything, mean that the API server does nothing for us. */
export function isOutage(status: number): boolean {
  return status === 401 || status === 403 || status === 429 || status >= 500
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
