// The time that everything we build counts as made at, so that the same sources give the same bytes.

import { run } from './run.ts'

/** Seconds since 1970: $SOURCE_DATE_EPOCH, else the last commit's time, else 0. */
export async function sourceDate(): Promise<number> {
  const given = process.env.SOURCE_DATE_EPOCH
  if (given !== undefined) {
    if (/^\d{1,11}$/.test(given)) return Number(given)
    throw new Error(`Cannot use SOURCE_DATE_EPOCH "${given}" as it must be seconds since 1970`)
  }
  try {
    return Number(await run(['git', 'log', '-1', '--format=%ct'], { cwd: import.meta.dir }))
  } catch {
    // An unpacked source archive, or a machine without git.
    return 0
  }
}
