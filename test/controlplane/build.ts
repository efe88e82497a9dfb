// Builds the control plane from Debian bookworm's packages: etcd and kubectl as they are, the API
// server and the controller manager from Debian's source of Kubernetes with Debian's Go 1.19.

import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Debian } from '../../scripts/debian/debian.ts'
import type { Runner } from '../../scripts/debian/runner.ts'

export type BuildOptions = {
  /** An empty folder for some 3 GB, on the file system on which the result is wanted. */
  readonly workFolder: string
  /** Of Kubernetes, without a leading `v`. */
  readonly version: string
  readonly debian: Debian
  readonly runner: Runner
}

const binaryPackages = [
  'etcd-server',
  'kubernetes-client',
  // The compiler is unpacked, not installed: a Go that is on the machine stays what `go` means.
  'golang-1.19-go',
  'golang-1.19-src',
  'golang-github-modern-go-reflect2-dev',
]

/** Returns the folder with kube-apiserver, kube-controller-manager, etcd and kubectl in it. */
export async function buildBinaries(options: BuildOptions): Promise<string> {
  const { workFolder, version, debian, runner } = options
  const packages = join(workFolder, 'packages')
  const source = join(workFolder, 'kubernetes')
  const made = join(workFolder, 'made')

  runner.step('download etcd, kubectl and Go 1.19')
  await debian.unpack(binaryPackages, packages)
  runner.step(`download and unpack the source of Kubernetes ${version}`)
  await debian.unpackSource('kubernetes', version, source)
  replaceReflect2(source, packages)
  removeNeedOfRsync(source)
  runner.step(`build kube-apiserver and kube-controller-manager; log: ${runner.logPath}`)
  await make(options, source, packages)

  mkdirSync(made)
  const built = join(source, '_output/local/go/bin')
  const unpacked = join(packages, 'usr/bin')
  for (const path of [
    join(built, 'kube-apiserver'),
    join(built, 'kube-controller-manager'),
    join(unpacked, 'etcd'),
    join(unpacked, 'kubectl'),
  ]) {
    await keep(path, made, runner)
  }
  return made
}

async function make(options: BuildOptions, source: string, packages: string): Promise<void> {
  const { workFolder, version, runner } = options
  const home = join(workFolder, 'home')
  mkdirSync(home)
  // A whole environment, so that no GOROOT, GOFLAGS or GOPATH of the user gets in. HOME holds Go's
  // build cache (1 GB), which goes with the work folder.
  const env = {
    HOME: home,
    PATH: `${join(packages, 'usr/lib/go-1.19/bin')}:/usr/sbin:/usr/bin:/sbin:/bin`,
    GOPROXY: 'off',
    CGO_ENABLED: '0',
    KUBE_GIT_VERSION: `v${version}`,
    KUBE_GIT_TREE_STATE: 'clean',
  }
  const targets = 'WHAT=cmd/kube-apiserver cmd/kube-controller-manager'
  await runner.run(['nice', '-n', '10', 'make', targets], { cwd: source, env })
}

/**
 * The vendored reflect2 1.0.1 reads the runtime's maps as they were before Go 1.18: a server built
 * with it dies with "unexpected fault address" at the first server-side apply. Debian's 1.0.2 works.
 */
function replaceReflect2(source: string, packages: string): void {
  const vendored = join(source, 'vendor/github.com/modern-go/reflect2')
  for (const name of readdirSync(vendored)) {
    if (/\.(go|s)$/.test(name)) rmSync(join(vendored, name))
  }
  cpSync(join(packages, 'usr/share/gocode/src/github.com/modern-go/reflect2'), vendored, {
    recursive: true,
    filter: (path) => !path.endsWith('go.mod'),
  })
}

/** The build copies its results with rsync, which few machines have; cp does. */
function removeNeedOfRsync(source: string): void {
  const script = join(source, 'hack/lib/golang.sh')
  const text = readFileSync(script, 'utf8')
  writeFileSync(script, text.replace('rsync -pc {}', 'cp -p {}'))
}

/** Copies one binary, once it has shown that it runs. */
async function keep(path: string, folder: string, runner: Runner): Promise<void> {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const copy = join(folder, name)
  copyFileSync(path, copy)
  chmodSync(copy, 0o755)
  const ask = name === 'kubectl' ? ['version', '--client'] : ['--version']
  // etcd 3.4 refuses arm64 unless told that this is meant.
  const env = { HOME: folder, PATH: '/usr/bin:/bin', ETCD_UNSUPPORTED_ARCH: process.arch }
  await runner.run([copy, ...ask], { cwd: folder, env })
}
