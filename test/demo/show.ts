// How the story is told: what a terminal shows and what a pipe gets have this in common.

import type { Line } from './text.ts'

export type Show = {
  /** What is being done from now on. */
  readonly say: (text: string) => void
  /** Something that happened; a terminal shows it in its tables. */
  readonly tell: (text: string) => void
  /** The cluster as it is now is worth a look. */
  readonly look: () => Promise<void>
  /** Lines that stay, after all that was shown. Nothing moves any more. */
  readonly conclude: (lines: readonly Line[]) => Promise<void>
  /** Goes on after the conclusion, below it. */
  readonly resume: () => void
  /** Ends it, and leaves the terminal as it was. */
  readonly stop: () => Promise<void>
}
