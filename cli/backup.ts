// What `migrate` is about to change, in a file that kubectl can apply again.

import { closeSync, fsyncSync, openSync, writeFileSync } from 'node:fs'
import * as v from 'valibot'
import { CannotStart, messageOf } from '../k8s/errors.ts'
import { UsageError } from './flags.ts'

/** Fields of metadata that the API server fills, and that would make it refuse the object, or take it for another's. */
const FILLED = [
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'managedFields',
  'selfLink',
  // Names owners by uid: were one of them made anew meanwhile, the garbage collector would delete the object.
  'ownerReferences',
]

const objectSchema = v.looseObject({ metadata: v.looseObject({}) })

/** The text of a backup of `objects`. */
export function backupText(objects: readonly unknown[]): string {
  const items = objects.map((object) => {
    const { status: _, metadata, ...rest } = v.parse(objectSchema, object)
    const kept = Object.entries(metadata).filter(([field]) => !FILLED.includes(field))
    return { ...rest, metadata: Object.fromEntries(kept) }
  })
  return `${JSON.stringify({ apiVersion: 'v1', kind: 'List', items }, null, 2)}\n`
}

/** A name for a backup that is made at `now`. */
export function backupName(now: Date): string {
  return `endpoints-operator-backup-${now.toISOString().replace(/[-:]|\.\d+/g, '')}.json`
}

/**
 * Writes `text` to a new file that only its owner may read: header values of probes are in it. It is on
 * the disk when this returns. Throws UsageError if the file is there already, CannotStart if it cannot be written.
 */
export function writeBackup(path: string, text: string): void {
  try {
    const file = openSync(path, 'wx', 0o600)
    try {
      writeFileSync(file, text)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') {
      throw new UsageError(`Cannot write the backup "${path}" as it is there already; name another`)
    }
    throw new CannotStart(`Cannot write the backup "${path}": ${messageOf(cause)}`)
  }
}
