// A kubeconfig whose credentials are plain: certificates, tokens and files. All else (exec plugins,
// cloud providers, OIDC) is left to client-node, which costs 19 MB to load: not on an edge node.

import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import * as v from 'valibot'
import { assertPem, type Credentials } from './credentials.ts'
import { CannotStart, messageOf } from './errors.ts'

export type PlainKubeconfig = {
  readonly server: string
  readonly namespace: string | undefined
  readonly proxy: string | undefined
  /** Reads the files that it names, again at each call. Throws CannotStart when one is of no use. */
  readonly credentials: () => Credentials
}

const text = v.nullish(v.string())

const clusterSchema = v.object({
  server: v.string(),
  'certificate-authority': text,
  'certificate-authority-data': text,
  'insecure-skip-tls-verify': v.nullish(v.boolean(), false),
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
  'current-context': v.nullish(v.string(), ''),
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
  users: v.nullish(v.array(v.object({ name: v.string(), user: v.nullish(v.looseObject({})) })), []),
})

/**
 * Reads the current context of the kubeconfigs at `paths`, the first of which wins; undefined if its
 * user needs more than files. Throws CannotStart with what is wrong when it cannot be read.
 */
export function readPlainKubeconfig(paths: readonly string[]): PlainKubeconfig | undefined {
  const shown = paths.join(':')
  const configs = paths.map((path) => ({ folder: dirname(path), ...readConfig(path) }))
  const current = configs.map((config) => config['current-context']).find((name) => name)
  const contexts = configs.flatMap(({ contexts }) => contexts ?? [])
  const context = contexts.find(({ name }) => name === current)?.context
  const clusters = configs.flatMap(({ folder, clusters }) =>
    (clusters ?? []).map((each) => ({ folder, ...each })),
  )
  const found = clusters.find(({ name }) => name === context?.cluster)
  if (!context || !found) {
    throw new CannotStart(
      `Cannot use kubeconfig "${shown}" as it has no current context with a cluster`,
    )
  }
  const users = configs.flatMap(({ folder, users }) =>
    (users ?? []).map((each) => ({ folder, ...each })),
  )
  const login = users.find(({ name }) => name === context.user)
  const user = v.safeParse(plainUserSchema, login?.user ?? {})
  if (!user.success) return undefined
  return {
    server: found.cluster.server,
    namespace: context.namespace ?? undefined,
    proxy: found.cluster['proxy-url'] || undefined,
    credentials: () => {
      try {
        return credentialsOf(found, { user: user.output, folder: login?.folder ?? found.folder })
      } catch (cause) {
        throw new CannotStart(`Cannot use kubeconfig "${shown}": ${messageOf(cause)}`, { cause })
      }
    },
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

type Place = { readonly folder: string }

function credentialsOf(
  { cluster, folder }: Place & { readonly cluster: v.InferOutput<typeof clusterSchema> },
  login: Place & { readonly user: v.InferOutput<typeof plainUserSchema> },
): Credentials {
  const { user } = login
  const pem = (name: PemField, fields: PemFields, from: string) => {
    const data = fields[`${name}-data`]
    const path = fields[name]
    if (!data && !path) return undefined
    const found = data ? Buffer.from(data, 'base64').toString() : readText(from, path ?? '')
    assertPem(found, data ? `${name}-data` : `"${path}"`)
    return found
  }
  const ca = pem('certificate-authority', cluster, folder)
  const cert = pem('client-certificate', user, login.folder)
  const key = pem('client-key', user, login.folder)
  const token = user.tokenFile ? readText(login.folder, user.tokenFile) : user.token
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

type PemField = 'certificate-authority' | 'client-certificate' | 'client-key'
type PemFields = { readonly [field in PemField | `${PemField}-data`]?: string | null | undefined }

/** A file's text without white space around it. Throws when there is none: it is being swapped. */
function readText(folder: string, path: string): string {
  const text = readFileSync(resolve(folder, path), 'utf8').trim()
  if (text === '') throw new Error(`"${path}" is empty`)
  return text
}
