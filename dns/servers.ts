// Which name servers are asked: those that are given, or those of resolv.conf.

import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'

export type NameServer = { readonly host: string; readonly port: number }

const PORT = 53
/** As glibc: more are not looked at. */
const SERVERS_MAX = 3
/** Milliseconds that what was read of resolv.conf serves: a node's may change, a pod's does not. */
const FRESH_MS = 10_000

/** Name servers from text like `10.96.0.10,[fd00::a]:5353`; undefined if it is none. */
export function parseServers(text: string): readonly NameServer[] | undefined {
  const servers = text.split(',').map((each) => parseServer(each.trim()))
  const known = servers.filter((server) => server !== undefined)
  return known.length === servers.length ? known : undefined
}

function parseServer(text: string): NameServer | undefined {
  if (isIP(text) !== 0) return { host: text, port: PORT }
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text)
  const host = match?.[1] ?? match?.[2] ?? ''
  const port = Number(match?.[3] ?? PORT)
  if (isIP(host) === 0 || port < 1 || port > 65_535) return undefined
  return { host, port }
}

/** The name servers of resolv.conf's text. Without any, this machine is asked. Source: resolv.conf(5). */
export function serversOf(resolvConf: string): readonly NameServer[] {
  const hosts = [...resolvConf.matchAll(/^nameserver[ \t]+(\S+)/gm)].flatMap(([, host = '']) =>
    isIP(host) === 0 ? [] : [{ host, port: PORT }],
  )
  return hosts.length === 0 ? [{ host: '127.0.0.1', port: PORT }] : hosts.slice(0, SERVERS_MAX)
}

/** Reads resolv.conf whenever what is known of it is old. Synchronously: the thread pool may be stuck. */
export function systemServers(
  path = '/etc/resolv.conf',
  nowMs = () => performance.now(),
): () => readonly NameServer[] {
  let known: readonly NameServer[] = []
  let readMs = Number.NEGATIVE_INFINITY
  return () => {
    if (nowMs() - readMs < FRESH_MS) return known
    readMs = nowMs()
    known = serversOf(textOf(path))
    return known
  }
}

/** Nothing for a file that cannot be read: there may be none, and then this machine is asked. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
