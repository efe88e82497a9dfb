// What is inside the binary and the image, for programs that look for vulnerabilities and licences.
// Source: the CycloneDX specification 1.5, and the purl specification for the names.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import { devDependencies, license, name, version } from '../../package.json'
import { bundledFiles } from '../compile.ts'
import { LIBC_VERSION } from '../image/libc.ts'
import { ARCHS } from '../platforms.ts'

export type Component = {
  readonly type: 'library'
  readonly name: string
  readonly version: string
  readonly purl: string
  readonly licenses: readonly [{ readonly expression: string }]
}

export type Sbom = {
  readonly bomFormat: 'CycloneDX'
  readonly specVersion: '1.5'
  readonly serialNumber: string
  readonly components: readonly Component[]
  readonly [field: string]: unknown
}

const packageSchema = v.object({ name: v.string(), version: v.string(), license: v.string() })

/** The bill of materials; `seconds` since 1970 is when it counts as written. */
export async function sbom(seconds: number): Promise<Sbom> {
  const components = [
    ...(await bundledPackages()),
    // What Bun links itself is listed in its LICENSE.md.
    component('bun', devDependencies.bun, `pkg:npm/bun@${devDependencies.bun}`, 'MIT'),
    ...ARCHS.map((arch) => {
      const purl = `pkg:deb/debian/libc6@${encodeURIComponent(LIBC_VERSION)}?arch=${arch}&distro=debian-12`
      return component('libc6', LIBC_VERSION, purl, 'LGPL-2.1-or-later')
    }),
  ]
  const purl = `pkg:github/labring/${name}@v${version}`
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify([version, components]))}`,
    version: 1,
    metadata: {
      timestamp: new Date(seconds * 1000).toISOString(),
      component: {
        type: 'application',
        name,
        version,
        purl,
        licenses: [{ expression: license }],
      },
    },
    components,
  }
}

/** The npm packages that something is bundled of, sorted. */
async function bundledPackages(): Promise<Component[]> {
  const folders = new Set<string>()
  for (const path of await bundledFiles()) {
    // The innermost package: `a/node_modules/@b/c/d.js` is of `@b/c`.
    const [folder] = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? []
    if (folder) folders.add(folder)
  }
  const root = join(import.meta.dir, '..', '..')
  return [...folders]
    .map((folder) => {
      const text = readFileSync(join(root, folder, 'package.json'), 'utf8')
      const found = v.parse(packageSchema, JSON.parse(text))
      const purl = `pkg:npm/${found.name.replace('@', '%40')}@${found.version}`
      return component(found.name, found.version, purl, found.license)
    })
    .sort((a, b) => (a.purl < b.purl ? -1 : 1))
}

function component(name: string, version: string, purl: string, expression: string): Component {
  return { type: 'library', name, version, purl, licenses: [{ expression }] }
}

/** A UUID that is the same for the same text, of version 8. */
function uuidOf(text: string): string {
  const hash = new Bun.CryptoHasher('sha256').update(text).digest('hex')
  const parts = [hash.slice(0, 8), hash.slice(8, 12), `8${hash.slice(13, 16)}`]
  return [...parts, `8${hash.slice(17, 20)}`, hash.slice(20, 32)].join('-')
}
