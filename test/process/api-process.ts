// The in-process API server as a process of its own, so that it can be stopped.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type ApiProcess = AsyncDisposable & {
  readonly kubeconfig: string
  readonly url: string
  readonly kill: (signal: NodeJS.Signals) => void
  /** The text of a successful answer. */
  readonly send: (method: string, path: string, body?: unknown) => Promise<string>
}

/** Starts one with our CRD in it. */
export async function startApiProcess(): Promise<ApiProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'api-'))
  const kubeconfig = join(folder, 'kubeconfig')
  const child = Bun.spawn(
    [
      ...[process.execPath, `${import.meta.dir}/../apiserver/main.ts`],
      ...['--allow-loopback', '--kubeconfig-out', kubeconfig],
    ],
    // Its fourth compiler costs more than it gains, and of what the operator under test would use.
    { stdout: 'pipe', stderr: 'inherit', env: { ...process.env, BUN_JSC_useFTLJIT: '0' } },
  )
  let line = ''
  for await (const chunk of child.stdout) {
    line += new TextDecoder().decode(chunk)
    if (line.includes('\n')) break
  }
  const { url } = JSON.parse(line) as { url: string } // printed by test/apiserver/main.ts
  const send = async (method: string, path: string, body?: unknown) => {
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: { 'Content-Type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`Cannot ${method} ${path}: ${text}`)
    return text
  }
  const crd = readFileSync(`${import.meta.dir}/../../crds/clusterendpoints.yaml`, 'utf8')
  const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
  await send('POST', crds, Bun.YAML.parse(crd))
  return {
    kubeconfig,
    url,
    kill: (signal) => child.kill(signal),
    send,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await child.exited
      rmSync(folder, { recursive: true })
    },
  }
}
