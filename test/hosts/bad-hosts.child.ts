// A process of misbehaving hosts, so that what they cost is not taken for the operator's lateness.
// Argument: how many. Prints their ports as one line of JSON; ends when its standard input does.

import { badAddress } from './bad-hosts.ts'
import { BAD_HOSTS } from './kinds.ts'

const count = Number(process.argv[2])
const ports: number[] = []
for (let index = 0; index < count; index++) {
  const kind = BAD_HOSTS[index % BAD_HOSTS.length]
  if (kind) ports.push((await kind.start({ host: badAddress(index), port: 0 })).port)
}
console.log(JSON.stringify(ports))
for await (const _ of Bun.stdin.stream());
process.exit(0)
