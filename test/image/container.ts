// What a container runtime does, with what every Linux has: the layers of an image as a read-only root,
// a user of no privileges, /proc and the service account's files, and nothing else.

import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { zstdDecompressSync } from 'bun'
import { blobPath, readImage } from '../../scripts/image/layout.ts'
import { hostArch } from '../../scripts/platforms.ts'
import { run } from '../../scripts/run.ts'
import { eventually } from '../integration/eventually.ts'

const SERVICE_ACCOUNT = 'var/run/secrets/kubernetes.io/serviceaccount'

/** Any number will do; this is one as OpenShift gives them, with its group. */
export const UID = 1_000_770_000

export type Container = AsyncDisposable & {
  /** Of the operator, as this machine knows it; inside it is 1. */
  readonly pid: number
  readonly logs: () => string
  /** SIGTERM; resolves with the exit code. */
  readonly stop: () => Promise<number>
}

export type ContainerOptions = {
  readonly root: string
  readonly env: Readonly<Record<string, string>>
  readonly args: readonly string[]
}

/** Unpacks the image for this machine out of `layout`; resolves with the folder, which the caller removes. */
export async function unpackImage(layout: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'image-'))
  // Any user may enter a container's root.
  chmodSync(folder, 0o755)
  for (const { digest, mediaType } of readImage(layout, hostArch()).layers) {
    const blob = readFileSync(blobPath(layout, digest))
    const archive = join(folder, 'layer.tar')
    writeFileSync(
      archive,
      mediaType.endsWith('+zstd') ? zstdDecompressSync(blob) : Bun.gunzipSync(blob),
    )
    await run(['tar', '--extract', '--file', archive, '--directory', folder])
    rmSync(archive)
  }
  return folder
}

/** Puts the files of a Pod's service account where they are mounted. */
export function mountServiceAccount(root: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(join(root, SERVICE_ACCOUNT), { recursive: true })
  for (const [name, text] of Object.entries(files))
    writeFileSync(join(root, SERVICE_ACCOUNT, name), text)
}

/** The argv that runs `command` in `root` as a container would; must be called as root. */
export function inContainer(root: string, command: readonly string[]): string[] {
  const script = [
    'set -e',
    'root=$1; shift',
    'mount --make-rprivate /',
    'mount --bind "$root" "$root"',
    'mount -o remount,bind,ro "$root"',
    'mount -t proc proc "$root/proc"',
    `exec setpriv --no-new-privs --bounding-set=-all,+sys_chroot,+setuid,+setgid -- chroot --userspec=${UID}:0 --groups=${UID} "$root" "$@"`,
  ].join('\n')
  const unshare = ['unshare', '--mount', '--pid', '--ipc', '--uts', '--fork', '--kill-child']
  return [...unshare, 'sh', '-c', script, 'sh', root, ...command]
}

/** Starts the operator of the image. */
export async function startContainer({ root, env, args }: ContainerOptions): Promise<Container> {
  const child = Bun.spawn(inContainer(root, ['/endpoints-operator', ...args]), {
    env: { ...env, PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let logs = ''
  const reading = (async () => {
    for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) logs += chunk
  })()
  let pid = 0
  await eventually(20_000, () => {
    if (child.exitCode !== null) throw new Error(`The container ended: ${logs}`)
    pid = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim())
    const name = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0]
    if (name !== '/endpoints-operator') throw new Error(`The container still runs ${name}: ${logs}`)
  })
  return {
    pid,
    logs: () => logs,
    stop: async () => {
      process.kill(pid, 'SIGTERM')
      const code = await child.exited
      await reading
      return code
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await child.exited
    },
  }
}
