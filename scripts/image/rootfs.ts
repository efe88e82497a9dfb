// All files of the container image. It needs no more: names of users are for people, CA certificates
// are unused (the API server's comes with the service account; probes verify none; Bun has its own).

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Entry } from '../tar.ts'
import type { Libc } from './libc.ts'

/** Of the user that the image runs as unless it is told otherwise: a number, as `runAsNonRoot` wants. */
export const USER = '65532:65532'

const ROOT = join(import.meta.dir, '..', '..')

/** What changes only with Debian's glibc. */
export function baseEntries(libc: Libc): Entry[] {
  return [
    ...libc.entries,
    text('etc/passwd', 'root:x:0:0:root:/:/\nnonroot:x:65532:65532:nonroot:/:/\n'),
    text('etc/group', 'root:x:0:\nnonroot:x:65532:\n'),
    text('etc/nsswitch.conf', 'hosts: files dns\n'),
    // With the package's entry: what scanners of vulnerabilities go by.
    text(
      'etc/os-release',
      'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian files, no distribution"\n',
    ),
    text('licenses/LICENSE', readFileSync(join(ROOT, 'LICENSE'), 'utf8')),
    text('licenses/NOTICE', readFileSync(join(ROOT, 'NOTICE'), 'utf8')),
    // Mounted by every container runtime; Bun does not start without.
    { kind: 'folder', path: 'proc', mode: 0o555 },
  ]
}

/** What changes with every version. */
export function operatorEntries(executable: Uint8Array): Entry[] {
  return [{ kind: 'file', path: 'endpoints-operator', mode: 0o755, content: executable }]
}

function text(path: string, content: string): Entry {
  return { kind: 'file', path, mode: 0o644, content: Buffer.from(content) }
}
