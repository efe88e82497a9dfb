// The service account of the pod that we run in, as the kubelet mounts it.

import { readFileSync } from 'node:fs'
import { assertPem, type CredentialSource, type Credentials, readAgain } from './credentials.ts'

/** Where every pod has it. */
export const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

export type ServiceAccount = CredentialSource & {
  readonly namespace: string | undefined
  /** Whether there is a token: without automountServiceAccountToken there is none. */
  readonly hasToken: boolean
}

/** Reads the service account in `folder`. What cannot be read later stays as it was. */
export function readServiceAccount(folder: string): ServiceAccount {
  // Read synchronously: hung name look-ups can hold every thread of the asynchronous file system.
  const read = (before: Credentials | undefined): Credentials => {
    const token = readOptional(`${folder}/token`)
    const ca = readOptional(`${folder}/ca.crt`, assertPem)
    const headers = token ? { Authorization: `Bearer ${token}` } : (before?.headers ?? {})
    return { headers, tls: ca ? { ca } : (before?.tls ?? {}) }
  }
  return {
    ...readAgain(async (before) => read(before)),
    namespace: readOptional(`${folder}/namespace`),
    hasToken: readOptional(`${folder}/token`) !== undefined,
  }
}

/** A file's text without white space around it; undefined if it cannot be read or `check` throws. */
function readOptional(
  path: string,
  check: (text: string, where: string) => void = () => {},
): string | undefined {
  try {
    const text = readFileSync(path, 'utf8').trim()
    check(text, path)
    return text || undefined
  } catch {
    // Absent or in the middle of being swapped: what was read before stays in use.
    return undefined
  }
}
