// A kubeconfig whose credentials are plain: certificates, tokens and files. All else (exec plugins,
// cloud providers, OIDC) is left to client-node, which costs 19 MB to load: not on an edge node.

import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import * as v from 'valibot'
import type { Credentials } from './config.ts'
import { CannotStart, messageOf } from './errors.ts'

export type PlainKubeconfig = {
  readonly server: string
  readonly namespace: string | undefined
  readonly proxy: string | undefined
  /** Reads the files that it names, again at each call. Throws when one cannot be read. */
  readonly credentials: () => Credentials
}

const text = v.optional(v.string())

const clusterSchema = v.object({
  server: v.string(),
  'certificate-authority': text,
  'certificate-authority-data': text,
  'insecure-skip-tls-verify': v.optional(v.boolean(), false),
  'tls-server-name': text,
  'proxy-url': text,
})

const plainUserSchema = v.strictObject({
  token: text,
  tokenFile: text,
  'client-certificate': text,
  'client-certificate-data': text,
  'client-key': text,
  'client-key-data': text,
})

const configSchema = v.object({
  'current-context': v.optional(v.string(), ''),
  contexts: v.nullish(
    v.array(
      v.object({
        name: v.string(),
        context: v.object({ cluster: v.string(), user: text, namespace: text }),
      }),
    ),
    [],
  ),
  clusters: v.nullish(v.array(v.object({ name: v.string(), cluster: clusterSchema })), []),
  users: v.nullish(v.array(v.object({ name: v.string(), user: v.unknown() })), []),
})

/**
 * Reads the current context of the kubeconfig at `path`; undefined if its user needs more than files.
 * Throws with what is wrong when it cannot be read.
 */
export function readPlainKubeconfig(path: string): PlainKubeconfig | undefined {
  const config = readConfig(path)
  const current = config['current-context']
  const context = named(config.contexts, current)?.context
  const cluster = named(config.clusters, context?.cluster)?.cluster
  if (!context || !cluster) {
    throw new CannotStart(
      `Cannot use kubeconfig "${path}" as it has no current context with a cluster`,
    )
  }
  const user = v.safeParse(plainUserSchema, named(config.users, context.user)?.user ?? {})
  if (!user.success) return undefined
  const file = (name: string) => readFileSync(resolve(dirname(path), name), 'utf8')
  return {
    server: cluster.server,
    namespace: context.namespace,
    proxy: cluster['proxy-url'],
    credentials: () => credentialsOf(cluster, user.output, file),
  }
}

function readConfig(path: string): v.InferOutput<typeof configSchema> {
  let value: unknown
  try {
    value = Bun.YAML.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw new CannotStart(`Cannot read kubeconfig "${path}": ${messageOf(cause)}`, { cause })
  }
  const parsed = v.safeParse(configSchema, value)
  if (parsed.success) return parsed.output
  // Only where, never what: the file holds secrets.
  const where = v.getDotPath(parsed.issues[0]) ?? 'the top'
  throw new CannotStart(`Cannot use "${path}" as it is no kubeconfig, see ${where}`)
}

function credentialsOf(
  cluster: v.InferOutput<typeof clusterSchema>,
  user: v.InferOutput<typeof plainUserSchema>,
  file: (name: string) => string,
): Credentials {
  const pem = (data: string | undefined, name: string | undefined) =>
    data ? Buffer.from(data, 'base64').toString() : name && file(name)
  const ca = pem(cluster['certificate-authority-data'], cluster['certificate-authority'])
  const cert = pem(user['client-certificate-data'], user['client-certificate'])
  const key = pem(user['client-key-data'], user['client-key'])
  const token = user.tokenFile ? file(user.tokenFile).trim() : user.token
  const serverName = cluster['tls-server-name']
  return {
    headers: token ? { Authorization: `Bearer ${token}` } : {},
    tls: {
      ...(ca ? { ca } : {}),
      ...(cert ? { cert } : {}),
      ...(key ? { key } : {}),
      ...(serverName ? { serverName } : {}),
      ...(cluster['insecure-skip-tls-verify'] ? { rejectUnauthorized: false } : {}),
    },
  }
}

function named<T extends { readonly name: string }>(
  list: readonly T[] | null,
  name: string | undefined,
): T | undefined {
  return list?.find((each) => each.name === name)
}
