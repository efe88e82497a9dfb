// Loaded before the operator's sources by clocks.test.ts: the event loop stands still for 1.5 s in each 3 s.

const STALL_MS = 1_500
setInterval(() => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STALL_MS)
}, 3_000)
