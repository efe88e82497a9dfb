// The chart, as a real Helm renders it.

import { test } from 'bun:test'
import { mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Document, documentsOf } from './documents.ts'
import { findHelm, NO_HELM } from './helm.ts'

export const CHART = join(import.meta.dir, '../../deploy/charts/endpoints-operator')

/** Values files that the chart must render with; the empty name is for none. */
export const VALUES_FILES: readonly string[] = [
  '',
  ...readdirSync(join(CHART, 'ci')).map((name) => join(CHART, 'ci', name)),
]

/** Helm keeps what it has fetched and seen in folders of its own; the tests' is empty. */
const home = mkdtempSync(join(tmpdir(), 'helm-'))

export type HelmResult = { readonly code: number; readonly out: string; readonly err: string }

/** Runs Helm without a cluster, or against that of `kubeconfig`. Throws where there is no Helm. */
export async function helm(args: readonly string[], kubeconfig = '/dev/null'): Promise<HelmResult> {
  const program = findHelm()
  if (program === undefined) throw new Error(NO_HELM)
  const child = Bun.spawn([program, ...args], {
    env: { PATH: process.env.PATH ?? '', HOME: home, KUBECONFIG: kubeconfig },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  })
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()])
  return { code: await child.exited, out, err }
}

/** What the chart renders as release endpoints-operator in kube-system; `more` are further arguments. */
export async function render(values: string, more: readonly string[] = []): Promise<Document[]> {
  const file = values === '' ? [] : ['-f', values]
  const where = ['endpoints-operator', CHART, '-n', 'kube-system']
  const { code, out, err } = await helm(['template', ...where, ...file, ...more])
  if (code !== 0) throw new Error(`Cannot render the chart: ${err}`)
  return documentsOf(out)
}

/** Whether tests of the chart can run. Says so where not; in CI that is a failure. */
export function hasHelm(name: string): boolean {
  if (findHelm() !== undefined) return true
  if (process.env.CI === 'true') {
    test(name, () => {
      throw new Error(NO_HELM)
    })
  } else {
    console.error(`SKIPPED: ${name}: ${NO_HELM}`)
    test.skip(name, () => {})
  }
  return false
}
