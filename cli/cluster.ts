// The cluster that a command talks to, by the flags that all of them share.

import { type ApiClient, createClient } from '../k8s/client.ts'
import { loadConfig } from '../k8s/config.ts'
import { version } from '../package.json'
import { type Flag, type ParsedFlags, UsageError } from './flags.ts'

export const CLUSTER_FLAGS: readonly Flag[] = [
  { name: 'kubeconfig', value: 'FILE', fallback: '', help: 'kubeconfig to use' },
  { name: 'master', value: 'URL', fallback: '', help: 'URL of the API server' },
]

export type Cluster = {
  readonly client: ApiClient
  /** The namespace that the kubeconfig's context names, or `default`. */
  readonly namespace: string
}

/** Finds the cluster for `command`. Throws CannotStart with what to do when there is none. */
export async function clusterOf(flags: ParsedFlags, command: string): Promise<Cluster> {
  const config = await loadConfig({
    kubeconfig: flags.get('kubeconfig') || undefined,
    master: flags.get('master') || undefined,
  })
  const client = createClient(config, { userAgent: `endpoints-operator-${command}/${version}` })
  return { client, namespace: config.namespace ?? 'default' }
}

/** RFC 1123: the letters of any name that goes into a path. */
const NAME = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/

/** `text` as the name of an object or a namespace. Throws UsageError. */
export function nameOf(text: string, what: string): string {
  if (NAME.test(text)) return text
  throw new UsageError(`Cannot use ${what} "${text}": use lower case letters, digits and dashes`)
}
