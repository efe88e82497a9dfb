// The story in a terminal: one frame that is drawn over itself a few times a second.

import type { WriteStream } from 'node:tty'
import { pause } from '../../k8s/backoff.ts'
import { frame, MARGIN } from './frame.ts'
import type { Picture } from './picture.ts'
import type { Scene } from './scene.ts'
import type { Show } from './show.ts'
import { indented, type Line, line, rendered } from './text.ts'

/** Milliseconds between frames: fast enough for tenths of seconds to run, slow enough to be calm. */
const FRAME_MS = 200
/** Milliseconds between looks at the API server. */
const PICTURE_MS = 1_000

const HIDE_CURSOR = '\x1b[?25l'
const SHOW_CURSOR = '\x1b[?25h'
const ERASE_BELOW = '\x1b[J'
const ERASE_ALL = '\x1b[H\x1b[J'
/** Begin and end of an update that is shown at once; terminals that do not know it ignore it. */
const BEGIN_UPDATE = '\x1b[?2026h'
const END_UPDATE = '\x1b[?2026l'

export function showTerminal(scene: Scene, out: WriteStream): Show {
  const stop = new AbortController()
  const isColoured = !process.env.NO_COLOR
  let picture: Picture | undefined
  let pictureMs = Number.NEGATIVE_INFINITY
  /** Lines of the frame that stands there, which the next one covers. */
  let drawn = 0
  let isPaused = false

  function size(): { readonly columns: number; readonly rows: number } {
    // One line less than there are: the cursor stands in the last one.
    return { columns: out.columns || 80, rows: Math.max(1, (out.rows || 24) - 1) }
  }

  function write(lines: readonly Line[], columns: number): void {
    const text = lines.map((each) => `${rendered(each, { columns, isColoured })}\x1b[K\n`).join('')
    const up = drawn === 0 ? '' : `\x1b[${drawn}A`
    out.write(`${BEGIN_UPDATE}\r${up}${text}${ERASE_BELOW}${END_UPDATE}`)
    drawn = lines.length
  }

  function draw({ isLast }: { readonly isLast: boolean }): void {
    const { columns, rows } = size()
    const limits = { columns, rows: isLast ? Number.POSITIVE_INFINITY : rows, isLast }
    const clocks = { nowMs: performance.now(), wallMs: Date.now() }
    write(frame(scene, { picture, ...limits, ...clocks }), columns)
  }

  async function refresh(): Promise<void> {
    if (!scene.takePicture) return
    pictureMs = performance.now()
    try {
      picture = await scene.takePicture()
    } catch {
      // Out of reach for a moment: the last picture stays. What must happen is watched elsewhere.
    }
  }

  async function run(): Promise<void> {
    while (!stop.signal.aborted) {
      if (performance.now() - pictureMs > PICTURE_MS) await refresh()
      if (stop.signal.aborted) return
      if (!isPaused) draw({ isLast: false })
      await pause(FRAME_MS, stop.signal)
    }
  }

  const onResize = () => {
    // The terminal has wrapped what stood there: nobody knows on how many lines.
    out.write(ERASE_ALL)
    drawn = 0
  }
  const showCursor = () => void out.write(SHOW_CURSOR)
  process.on('exit', showCursor)
  out.on('resize', onResize)
  out.write(HIDE_CURSOR)
  const running = run()
  return {
    say: (text) => {
      scene.now = text
    },
    tell: () => {},
    look: refresh,
    conclude: async (lines) => {
      await refresh()
      isPaused = true
      draw({ isLast: true })
      drawn = 0
      write([line(), ...indented(lines, MARGIN), line()], Number.POSITIVE_INFINITY)
      drawn = 0
    },
    resume: () => {
      isPaused = false
    },
    stop: async () => {
      stop.abort(new Error('over'))
      await running
      out.off('resize', onResize)
      process.off('exit', showCursor)
      showCursor()
    },
  }
}
