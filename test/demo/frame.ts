// What a terminal shows at one moment, cut to its size. Pure.

import { scoreTable } from './act.ts'
import { hostTable, kubectlLines, type Picture } from './picture.ts'
import { INTRODUCTION, type Scene, TITLE } from './scene.ts'
import { indented, type Line, line, span } from './text.ts'

export type FrameOptions = {
  readonly picture: Picture | undefined
  readonly columns: number
  /** Lines at most; without a limit nothing is left out. */
  readonly rows: number
  /** Monotonic and wall clock, milliseconds. */
  readonly nowMs: number
  readonly wallMs: number
  /** The last frame: what the conclusion repeats is not in it. */
  readonly isLast: boolean
}

/** Columns left of everything in a terminal. */
export const MARGIN = 2

/** Lines that belong together; the highest rank goes first where there is no room, 0 stays. */
type Block = { readonly rank: number; readonly lines: readonly Line[] }

/** Lines of the conclusion that stay in sight above the frames of a story that is over. */
const CONCLUSION_ROWS = 8

/** The lines of one frame. */
export function frame(scene: Scene, options: FrameOptions): Line[] {
  const { nowMs, isLast } = options
  const { acts, now, isOver } = scene
  const head: Block[] = [
    { rank: 0, lines: [titleOf(scene, nowMs)] },
    { rank: 3, lines: INTRODUCTION.map((text) => line(text)) },
  ]
  const foot: Block[] = [
    { rank: 1, lines: acts.length === 0 || isOver ? [] : scoreTable(acts, nowMs) },
    { rank: 0, lines: [line(now, 'bold')] },
  ]
  const blocks = [...(isOver ? [] : head), ...body(scene, options), ...(isLast ? [] : foot)]
  const rows = isOver ? options.rows - CONCLUSION_ROWS : options.rows
  return indented(joined(fitting(blocks, rows)).slice(-options.rows), MARGIN)
}

function body(scene: Scene, { picture, columns, wallMs }: FrameOptions): Block[] {
  const hosts = scene.hosts()
  const width = columns - MARGIN
  return [
    { rank: 2, lines: picture === undefined ? [] : kubectlLines(picture, width) },
    { rank: 0, lines: hosts.length === 0 ? [] : hostTable(hosts, width, wallMs) },
  ]
}

function titleOf({ place, startedMs }: Scene, nowMs: number): Line {
  const where = place === '' ? '' : ` · ${place}`
  const elapsed = Math.floor((nowMs - startedMs) / 1000)
  return [span(TITLE, 'bold'), span(` · ${elapsed} s${where}`, 'dim')]
}

function fitting(blocks: readonly Block[], rows: number): readonly Block[] {
  let kept = blocks.filter(({ lines }) => lines.length > 0)
  for (let rank = 3; rank > 0 && joined(kept).length > rows; rank--) {
    kept = kept.filter((block) => block.rank !== rank)
  }
  return kept
}

function joined(blocks: readonly Block[]): Line[] {
  return blocks.flatMap(({ lines }, index) => (index === 0 ? lines : [line(), ...lines]))
}
