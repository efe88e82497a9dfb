// Run by local.test.ts in a network namespace or under a small descriptor limit: asks what it is told
// to ask, and prints the outcomes as JSON. Arguments: a list of [host, port, kind] and, perhaps, how
// many descriptors it is to leave: it takes all others first.

import { closeSync, openSync } from 'node:fs'
import type { Outcome, ProbeKind } from '../../probes/target.ts'
import { ask, grpc, http, tcp, udp } from './asking.ts'

const probes = { tcp, udp, http: http(), grpc }
// The parent is local.test.ts, which types what it passes.
const rows = JSON.parse(process.argv[2] ?? '[]') as [string, number, ProbeKind][]
const spare = process.argv[3] === undefined ? undefined : Number(process.argv[3])

// Whatever is loaded at the first attempt has to be there before the descriptors are gone.
if (spare !== undefined) {
  for (const probe of Object.values(probes)) await ask({ host: '127.0.0.1', port: 1 }, probe)
}
const taken: number[] = []
const outcomes: Outcome[] = []
for (const [host, port, kind] of rows) {
  if (spare !== undefined) {
    takeAllBut(spare, taken)
    await Bun.sleep(30) // local.ts counts anew after 20 ms
  }
  outcomes.push(await ask({ host, port }, probes[kind]))
}
for (const descriptor of taken) closeSync(descriptor)
process.stdout.write(JSON.stringify(outcomes))

function takeAllBut(count: number, into: number[]): void {
  try {
    for (;;) into.push(openSync('/dev/null', 'r'))
  } catch {
    // EMFILE: there is none left
  }
  for (const descriptor of into.splice(into.length - count)) closeSync(descriptor)
}
