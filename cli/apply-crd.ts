// Puts the CRD that is inside the binary into a cluster: what Helm does not do at an upgrade.

import { GROUP, PLURAL } from '../crds/clusterendpoint.ts'
import crd from '../crds/clusterendpoints.yaml' with { type: 'text' }
import { FIELD_MANAGER } from '../crds/metadata.ts'
import type { ApiClient } from '../k8s/client.ts'

/** Applies the CRD server-side, over whatever version of it stands there. Throws what the API server threw. */
export async function applyCrd(client: ApiClient): Promise<void> {
  await client.request({
    method: 'PATCH',
    path: `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${PLURAL}.${GROUP}`,
    query: { fieldManager: FIELD_MANAGER, force: 'true' },
    contentType: 'application/apply-patch+yaml',
    body: Bun.YAML.parse(crd),
  })
}
