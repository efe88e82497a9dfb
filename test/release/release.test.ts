// What a release says about itself.

import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import { CONTROLLER_IMAGE, TAG } from '../../deploy/names.ts'
import { version } from '../../package.json'
import { folderEntries } from '../../scripts/folder.ts'
import { stampManifest, stampValues } from '../../scripts/release/registry.ts'
import { sbom } from '../../scripts/release/sbom.ts'
import { describeWith } from '../scripts/describe-with.ts'

const ROOT = join(import.meta.dir, '../..')
const ALLOWED = ['Apache-2.0', 'BSD-3-Clause', 'ISC', 'LGPL-2.1-or-later', 'MIT', 'Unlicense']

describe('the version', () => {
  test('makes the tag of all images', () => {
    expect(TAG).toBe(`v${version}`)
    expect(CONTROLLER_IMAGE.tag).toBe(TAG)
  })

  test('is written in package.json alone, of what builds and publishes', () => {
    const folders = ['scripts', 'deploy/sealos', '.github', '.ci']
    const files = folders.flatMap((folder) => folderEntries(join(ROOT, folder), folder))
    const named = [...files.map(({ path }) => path), 'Dockerfile', 'deploy/names.ts']
    expect(named.length).toBeGreaterThan(30)
    const text = (path: string) => readFileSync(join(ROOT, path), 'utf8')
    // A version of another thing may look like ours, but not after a `v` or in quotes.
    const own = new RegExp(`v${RegExp.escape(version)}\\b|['"]${RegExp.escape(version)}['"]`)
    expect(own.test(`image:v${version}`)).toBe(true)
    const layoutVersion = 'scripts/image/oci.ts'
    expect(named.filter((path) => path !== layoutVersion && own.test(text(path)))).toEqual([])
  })
})

describe('sbom()', () => {
  test('names the packages that are in the binary, with licences that we may use', async () => {
    const { components } = await sbom(0)
    const names = components.map(({ name }) => name)
    for (const name of ['@kubernetes/client-node', 'valibot', 'bun', 'libc6'])
      expect(names).toContain(name)
    expect(names).not.toContain('typescript')
    for (const { name, licenses } of components)
      expect({ name, isAllowed: ALLOWED.includes(licenses[0].expression) }).toEqual({
        name,
        isAllowed: true,
      })
  })

  test('is the same each time', async () => {
    expect(await sbom(1_000)).toEqual(await sbom(1_000))
  })
})

describe('a registry', () => {
  const image = `${CONTROLLER_IMAGE.repository}/${CONTROLLER_IMAGE.name}`

  test('is put before the image of the manifest and of the chart', () => {
    expect(stampManifest(`  image: ${image}:v1\n`, 'registry.example')).toBe(
      `  image: registry.example/${image}:v1\n`,
    )
    expect(stampValues('image:\n  repository: labring\n', 'registry.example')).toBe(
      'image:\n  repository: registry.example/labring\n',
    )
  })

  test('is refused where it would go nowhere', () => {
    expect(() => stampManifest('image: other:v1\n', 'registry.example')).toThrow('is there 0 times')
  })
})

const workflow = v.object({
  on: v.record(v.string(), v.unknown()),
  permissions: v.record(v.string(), v.picklist(['read', 'write'])),
  jobs: v.record(
    v.string(),
    v.object({
      'runs-on': v.string(),
      steps: v.array(v.looseObject({ run: v.optional(v.string()), uses: v.optional(v.string()) })),
    }),
  ),
})

describe('the workflow', () => {
  const folder = join(ROOT, '.github', 'workflows')
  test.each(readdirSync(folder))('%s is one, and all that it runs is here', (file) => {
    const { jobs } = v.parse(workflow, Bun.YAML.parse(readFileSync(join(folder, file), 'utf8')))
    const steps = Object.values(jobs).flatMap((job) => job.steps)
    expect(steps.every(({ run, uses }) => (run === undefined) !== (uses === undefined))).toBe(true)
    for (const { run = '' } of steps) {
      for (const [path] of run.matchAll(/(?:scripts|\.ci)\/[\w./-]+/g))
        expect(readFileSync(join(ROOT, path), 'utf8')).toStartWith('#!/usr/bin/env bash\n')
    }
  })
})

describeWith(['shellcheck'], 'shellcheck', () => {
  const scripts = ['.ci/run', 'deploy/sealos/entrypoint.sh', 'scripts/release/publish.sh']
  test.each(scripts)('finds nothing in %s', (path) => {
    const { exitCode, stdout } = Bun.spawnSync(['shellcheck', join(ROOT, path)])
    expect({ exitCode, said: stdout.toString() }).toEqual({ exitCode: 0, said: '' })
  })
})
