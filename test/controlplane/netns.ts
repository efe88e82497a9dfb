#!/usr/bin/env bun
// A network namespace for tests: a loopback with the sample's addresses, and no way out of it.
// `bun test/controlplane/netns.ts -- command...` runs a command in one.

import { commandPath } from './command-path.ts'

/**
 * What `lo` has in the namespace beside 127.0.0.1 and ::1, in CIDR form. Real Endpoints refuse
 * loopback and link-local addresses, so backends of tests listen on these.
 */
export const namespaceAddresses = [
  '10.33.40.151/32',
  '10.33.40.152/32',
  '10.33.40.153/32',
  '10.33.40.154/32',
  'fd00:33:40::151/128',
  'fd00:33:40::152/128',
] as const

const marker = 'EO_NETNS'

/** Whether this process runs in a namespace made by inNetworkNamespace(). */
export function isInNetworkNamespace(): boolean {
  return process.env[marker] === '1'
}

/**
 * The argv that runs `command` in a fresh network namespace with namespaceAddresses. The command
 * takes the place of every process before it: process id, signals and exit code are its own. A user
 * who is not root is root inside, over their own files only.
 */
export function inNetworkNamespace(command: readonly string[]): string[] {
  const ip = commandPath('ip') ?? 'ip'
  const unshare = process.getuid?.() === 0 ? ['unshare', '-n'] : ['unshare', '-rn']
  const script = [
    'set -e',
    `${ip} link set lo up`,
    ...namespaceAddresses.map((address) => addCommand(ip, address)),
    `export ${marker}=1`,
    'exec "$@"',
  ].join('\n')
  return [...unshare, 'sh', '-c', script, 'sh', ...command]
}

/** Why inNetworkNamespace() cannot work here, or undefined when it can. Tries it. */
export function namespaceProblem(): string | undefined {
  for (const name of ['unshare', 'ip']) {
    if (commandPath(name) === undefined) return `there is no command \`${name}\``
  }
  const attempt = Bun.spawnSync(inNetworkNamespace(['true']), { stdin: 'ignore' })
  if (attempt.exitCode === 0) return undefined
  return `no network namespace can be made: ${attempt.stderr.toString().trim()}`
}

function addCommand(ip: string, address: string): string {
  if (!address.includes(':')) return `${ip} addr add ${address} dev lo`
  // A kernel without IPv6 still serves the tests that need none. `nodad`: usable at once.
  const missing = `echo "netns: no IPv6 on this machine: ${address} is missing" >&2`
  return `${ip} addr add ${address} dev lo nodad || ${missing}`
}

async function main(args: readonly string[]): Promise<number> {
  const command = args[0] === '--' ? args.slice(1) : args
  const problem = command.length === 0 ? 'give a command after `--`' : namespaceProblem()
  if (problem !== undefined) {
    console.error(`netns: ${problem}`)
    return 1
  }
  const child = Bun.spawn(inNetworkNamespace(command), {
    stdio: ['inherit', 'inherit', 'inherit'],
  })
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => child.kill(name))
  }
  return await child.exited
}

if (import.meta.main) process.exit(await main(process.argv.slice(2)))
