// How the demo fails: something did not happen, or somebody ended it.

/** What was promised and did not happen, or what a person can mend: one line, exit code 1. */
export class DemoFailed extends Error {
  override readonly name = 'DemoFailed'
}

/** Somebody ended the demo by a signal; `code` is what the process ends with. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  constructor(readonly code: number) {
    super('Interrupted')
  }
}
