// What we build for, by the names that images and downloads have.

/** An architecture as container images call it. */
export type Arch = 'amd64' | 'arm64'

export type PlatformName = `linux-${Arch}` | `darwin-${Arch}`

export type Platform = {
  /** As `bun build --target` calls it. */
  readonly target: Bun.Build.CompileTarget
  /** Where npm has Bun's executable for it. */
  readonly npmPackage: string
}

export const ARCHS: readonly Arch[] = ['amd64', 'arm64']

export const PLATFORMS: Readonly<Record<PlatformName, Platform>> = {
  'linux-amd64': { target: 'bun-linux-x64', npmPackage: '@oven/bun-linux-x64' },
  'linux-arm64': { target: 'bun-linux-arm64', npmPackage: '@oven/bun-linux-aarch64' },
  'darwin-amd64': { target: 'bun-darwin-x64', npmPackage: '@oven/bun-darwin-x64' },
  'darwin-arm64': { target: 'bun-darwin-arm64', npmPackage: '@oven/bun-darwin-aarch64' },
}

/** The architecture of this machine. Throws where no image can be run on it. */
export function hostArch(): Arch {
  if (process.arch === 'x64') return 'amd64'
  if (process.arch === 'arm64') return 'arm64'
  throw new Error(`Cannot build an image for ${process.arch}: use --arch amd64 or --arch arm64`)
}
