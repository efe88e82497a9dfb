// The machine that a benchmark ran on, in one line, without its name.

import { cpus, freemem, loadavg, release, totalmem } from 'node:os'

/** `Linux 6.1, 2 cores (...), 24 GB of memory (20 free), load 0.31, Bun 1.4.5`. */
export function describeMachine(): string {
  const [first] = cpus()
  const gb = (bytes: number) => Math.round(bytes / 1e9)
  return [
    `Linux ${release().replace(/-.*/, '')}`,
    `${cpus().length} cores (${first?.model.trim()})`,
    `${gb(totalmem())} GB of memory (${gb(freemem())} free)`,
    `load ${loadavg()[0]?.toFixed(2)}`,
    `Bun ${Bun.version}`,
  ].join(', ')
}
