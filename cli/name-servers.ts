// Which name servers a command asks: those of its flag, else those of the machine.

import { createLookup, type Lookup } from '../dns/lookup.ts'
import { parseServers, systemServers } from '../dns/servers.ts'
import { type Flag, type ParsedFlags, UsageError } from './flags.ts'

export const DNS_SERVERS_FLAG: Flag = {
  name: 'dns-servers',
  value: 'LIST',
  fallback: '',
  help: 'name servers; /etc/resolv.conf if absent',
}

/** The look-up that `flags` ask for. Throws UsageError. */
export function lookupOf(flags: ParsedFlags): Lookup {
  const text = flags.get(DNS_SERVERS_FLAG.name)
  if (!flags.has(DNS_SERVERS_FLAG.name)) return createLookup(systemServers())
  const servers = parseServers(text)
  if (servers) return createLookup(() => servers)
  throw new UsageError(
    `--dns-servers must be addresses, each with or without a port, like 10.96.0.10,[fd00::a]:5353, not "${text}"`,
  )
}
