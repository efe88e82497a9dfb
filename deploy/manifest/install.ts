// The install manifest: everything that the operator needs in a cluster, as one YAML text. Pure.

import crd from '../../crds/clusterendpoints.yaml' with { type: 'text' }
import { CONTROLLER_IMAGE, TAG } from '../names.ts'
import { deployment, metricsService } from './deployment.ts'
import { namespaces } from './namespace.ts'
import { accessObjects } from './rbac.ts'
import { type Node, toYaml } from './yaml.ts'

export type Install = {
  readonly namespace: string
  readonly image: string
  readonly replicas: number
}

/**
 * kube-system is where the Go version lives, so that a cluster that has it is upgraded in place. There
 * the API server also serves a renewal of the Lease before ordinary requests, even under load.
 * Source: the priority level leader-election of API Priority and Fairness.
 */
export const DEFAULT_INSTALL: Install = {
  namespace: 'kube-system',
  image: `${CONTROLLER_IMAGE.repository}/${CONTROLLER_IMAGE.name}:${TAG}`,
  replicas: 2,
}

const HEADER = `# endpoints-operator ${TAG}: the CRD, and all that the operator needs to run.
# Made by \`endpoints-operator manifests\`, which has flags for namespace, image and replicas.
`

/** The manifest for \`kubectl apply -f\`. What others depend on comes first. */
export function installManifest(install: Install): string {
  const objects: Node[] = [
    ...namespaces(install),
    ...accessObjects(install),
    metricsService(install),
    deployment(install),
  ]
  return [`${HEADER}${crd}`, ...objects.map(toYaml)].join('---\n')
}
