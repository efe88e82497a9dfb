// One write and what becomes of it: a line in the log, a state for the status, or an error that passes.

import type { Refusal } from '../crds/service.ts'
import type { SyncState } from '../crds/status.ts'
import { ApiError } from './errors.ts'
import type { Log } from './log.ts'
import type { Named } from './paths.ts'
import type { Writer } from './writer.ts'

export type WriteContext = { readonly writer: Writer; readonly log: Log }

/**
 * Runs writes; that they were refused, by us or by an answer that blames what was asked for, becomes a
 * state. All else is thrown.
 */
export async function attempted(write: () => Promise<Refusal | undefined>): Promise<SyncState> {
  try {
    const refusal = await write()
    return refusal ? refused(refusal) : { ok: true }
  } catch (error) {
    if (!(error instanceof ApiError) || isPassing(error)) throw error
    return { ok: false, reason: error.reason || 'ApplyFailed', message: error.message }
  }
}

export function refused({ reason, message }: Refusal): SyncState {
  return { ok: false, reason, message }
}

export function logWrite(
  { log }: WriteContext,
  message: string,
  { metadata: { namespace, name } }: { readonly metadata: Named },
  drift: readonly string[],
  more: Readonly<Record<string, number | undefined>>,
): void {
  log.info(message, { namespace, name, because: drift.join(), ...more })
}

function isPassing({ status }: ApiError): boolean {
  return status === 401 || status === 409 || status === 429 || status >= 500
}
