// A process that logs as fast as it can to a standard error that nobody reads; says each 50 ms on
// standard output how it fares, and ends when its standard input does.

import { createLog } from '../../k8s/log.ts'

const log = createLog({ format: 'json', verbosity: 0 })
const text = 'x'.repeat(1_000)
let lines = 0
setInterval(() => {
  for (let n = 0; n < 200; n++, lines++) log.info('a line that nobody reads', { lines, text })
}, 1)
setInterval(() => {
  console.log(JSON.stringify({ lines, rss: process.memoryUsage.rss(), atMs: performance.now() }))
}, 50)
for await (const _ of Bun.stdin.stream());
process.exit(0)
