// The story in a pipe: lines as things happen, each with the seconds since the start.

import { hostTable, kubectlLines } from './picture.ts'
import { INTRODUCTION, type Scene, TITLE } from './scene.ts'
import type { Show } from './show.ts'
import { type Line, line, rendered } from './text.ts'

/** Columns in which `12.3s` is written. */
const TIME_WIDTH = 6

export function showLines(scene: Scene, out: { write: (text: string) => unknown }): Show {
  function print(lines: readonly Line[]): void {
    const texts = lines.map((each) =>
      rendered(each, { columns: Number.POSITIVE_INFINITY, isColoured: false }),
    )
    out.write(`${texts.join('\n')}\n`)
  }

  function tell(text: string): void {
    const elapsed = `${((performance.now() - scene.startedMs) / 1000).toFixed(1)}s`
    print([line(`${elapsed.padStart(TIME_WIDTH)}  ${text}`)])
  }

  print([line(TITLE), line(), ...INTRODUCTION.map((text) => line(text)), line()])
  return {
    say: tell,
    tell,
    look: async () => {
      const picture = await scene.takePicture?.()
      const columns = Number.POSITIVE_INFINITY
      const hosts = hostTable(scene.hosts(), columns, Date.now())
      const tables = picture ? [...kubectlLines(picture, columns), line()] : []
      print([line(), ...tables, ...hosts, line()])
    },
    conclude: async (lines) => print([line(), ...lines]),
    resume: () => {},
    stop: async () => {},
  }
}
