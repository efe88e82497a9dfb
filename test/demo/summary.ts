// The last lines: what was promised, what was measured.

import { type Act, scoreTable } from './act.ts'
import { BACK_MAX_SECONDS, OUT_MAX_SECONDS } from './plan.ts'
import { REST_SECONDS, type Rest } from './rest.ts'
import { type Memory, megabytes } from './sizes.ts'
import { table } from './table.ts'
import { type Line, line } from './text.ts'

export type Measured = {
  readonly acts: readonly Act[]
  readonly rest: Rest
  readonly resources: number
  readonly memory: Memory | undefined
  /** Bytes; undefined when it could not be built. */
  readonly bundle: number | undefined
  /** Bytes; undefined when the operator ran from its sources. */
  readonly binary: number | undefined
}

/** What the demo ends with. */
export function summary({ acts, rest, resources, memory, bundle, binary }: Measured): Line[] {
  const { writes, source } = rest
  const facts = [
    ['Promised', `out within ${OUT_MAX_SECONDS} s, back within ${BACK_MAX_SECONDS} s`],
    ['At rest', `${writes} writes to the API server in ${REST_SECONDS} s, counted in ${source}`],
    ['Memory', memoryText(memory, resources)],
    ['Size', sizeText(bundle, binary)],
  ]
  return [...scoreTable(acts, 0), line(), ...table(facts)]
}

function memoryText(memory: Memory | undefined, resources: number): string {
  const what = `with ${resources} ClusterEndpoints`
  if (!memory) return `not told by this system, ${what}`
  const { rss, anonymous } = memory
  const own = anonymous === undefined ? '' : `, ${megabytes(anonymous)} of it anonymous`
  return `RSS ${megabytes(rss)}${own}, ${what}`
}

function sizeText(bundle: number | undefined, binary: number | undefined): string {
  const ours = bundle === undefined ? 'no bundle' : `bundle ${megabytes(bundle)} (ours)`
  if (binary === undefined) return `${ours}; ran from its sources, without --binary`
  return `${ours}, binary ${megabytes(binary)} (with Bun's runtime)`
}
