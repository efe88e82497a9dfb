// Who may do what: optional bearer tokens and an optional rule for refusals.

import type { RequestInfo } from './request-info.ts'
import { ApiError } from './status.ts'

/** Whether a user is refused. */
export type Forbid = (user: string, verb: string, resource: string, namespace: string) => boolean

/** The tokens and rules of a server; tokens can change at any time. */
export interface Access {
  tokens: Readonly<Record<string, string>> | undefined
  forbid: Forbid | undefined
}

/** The user of a request. Throws 401. */
export function authenticate({ tokens }: Access, authorization: string): string {
  if (tokens === undefined) return 'system:admin'
  const [, token = ''] = /^bearer (.+)$/i.exec(authorization) ?? []
  const user = Object.hasOwn(tokens, token) ? tokens[token] : undefined
  if (user === undefined) throw new ApiError(401, 'Unauthorized', 'Unauthorized')
  return user
}

/** Lets a request pass. Throws 403. */
export function authorize({ forbid }: Access, user: string, info: RequestInfo): void {
  const { verb, resource, namespace, group, name } = info
  if (resource === '' || forbid === undefined || !forbid(user, verb, resource, namespace)) return
  const what = group === '' ? resource : `${resource}.${group}`
  const named = name === '' ? '' : ` "${name}"`
  const where = namespace === '' ? 'at the cluster scope' : `in the namespace "${namespace}"`
  const why = `User "${user}" cannot ${verb} resource "${resource}" in API group "${group}" ${where}`
  const details = {
    ...(name === '' ? {} : { name }),
    ...(group === '' ? {} : { group }),
    kind: resource,
  }
  throw new ApiError(403, 'Forbidden', `${what}${named} is forbidden: ${why}`, details)
}
