// The operator as deploy/install.yaml installs it, without the kubelet: its arguments, and the token
// of its ServiceAccount, which has the rights of the manifest and no others.

import { join } from 'node:path'
import * as v from 'valibot'
import type { ControlPlane } from '../controlplane/controlplane.ts'
import { eventually } from './eventually.ts'

export const INSTALL_FILE = join(import.meta.dir, '../../deploy/install.yaml')

const NAMESPACE = 'kube-system'
const NAME = 'endpoints-operator'
/** Seconds that the token is good for: longer than any run of tests. */
const TOKEN_SECONDS = 4 * 3600
/** Milliseconds until the API server's authorizer has seen new roles. */
const ROLES_MAX_MS = 10_000

const deploymentSchema = v.object({
  kind: v.literal('Deployment'),
  spec: v.object({
    template: v.object({
      spec: v.object({ containers: v.tuple([v.object({ args: v.array(v.string()) })]) }),
    }),
  }),
})

const tokenSchema = v.object({ status: v.object({ token: v.string() }) })

export type Installed = {
  /** Path of a kubeconfig with the token of the operator's ServiceAccount. */
  readonly kubeconfig: string
  readonly token: string
  /** Of the Deployment's container. */
  readonly args: readonly string[]
}

/** Applies deploy/install.yaml; resolves when its CRD is served and its roles are in force. */
export async function installOperator(plane: ControlPlane): Promise<Installed> {
  const applied = await plane.kubectl(['apply', '-f', INSTALL_FILE])
  if (applied.code !== 0) throw new Error(`Cannot install: ${applied.stderr}`)
  const token = await requestToken(plane, NAME)
  await eventually(ROLES_MAX_MS, async () => {
    const { status } = await plane.request('/apis/sealos.io/v1beta1/clusterendpoints', {}, token)
    if (status !== 200) throw new Error(`The installed roles are not in force: HTTP ${status}`)
  })
  return { kubeconfig: plane.kubeconfigFor(token), token, args: await installedArgs() }
}

/** A token of the ServiceAccount `name` in kube-system, as a pod of its has one. */
export async function requestToken(plane: ControlPlane, name: string): Promise<string> {
  const path = `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/${name}/token`
  const answer = await plane.request(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: TOKEN_SECONDS },
    }),
  })
  if (!answer.ok) throw new Error(`Cannot have a token: ${await answer.text()}`)
  return v.parse(tokenSchema, await answer.json()).status.token
}

async function installedArgs(): Promise<readonly string[]> {
  const documents: unknown = Bun.YAML.parse(await Bun.file(INSTALL_FILE).text())
  const deployment = v.parse(v.array(v.unknown()), documents).at(-1)
  return v.parse(deploymentSchema, deployment).spec.template.spec.containers[0].args
}
