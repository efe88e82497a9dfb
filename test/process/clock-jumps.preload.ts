// Loaded before the operator's sources by clocks.test.ts: the time of day jumps by an hour and back, each
// 700 ms, as far as anything that is written in JavaScript can see.

const now = Date.now
const HOUR_MS = 3_600_000
let offsetMs = 0

const RealDate = Date
globalThis.Date = class extends RealDate {
  constructor(...given: [] | [string | number | Date]) {
    if (given.length === 0) super(now() + offsetMs)
    else super(given[0])
  }
  static override now(): number {
    return now() + offsetMs
  }
} as DateConstructor

const JUMPS_MS = [HOUR_MS, 0, -HOUR_MS, 0]
let jumps = 0
setInterval(() => {
  offsetMs = JUMPS_MS[jumps++ % JUMPS_MS.length] ?? 0
}, 700)
