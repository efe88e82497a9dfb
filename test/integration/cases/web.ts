// The resource that most cases begin with: `web`, published at two hosts.

import { expect } from 'bun:test'
import { tcpPort } from '../manifests.ts'
import type { KubeObject } from '../objects.ts'
import type { Sandbox } from '../sandbox.ts'

/** One resource that is published, with labels and annotations to carry over. */
export async function startWeb(sandbox: Sandbox) {
  const { hosts } = sandbox.session.world
  const [backend] = await sandbox.startOnEach('tcp', hosts)
  if (!backend) throw new Error('Cannot do without a backend')
  await sandbox.create(
    'web',
    { periodSeconds: 1, ports: [tcpPort('tcp', backend.port, hosts)] },
    { labels: { app: 'web' }, annotations: { 'example.com/ours': 'carried' } },
  )
  await sandbox.eventually(5_000, () => {
    expect(sandbox.published('web')).toHaveLength(hosts.length)
    expect(sandbox.status('web')?.phase).toBe('Healthy')
  })
  return { backend, hosts, before: shapeOfWeb(sandbox) }
}

/** What must not differ after a repair. */
export function shapeOfWeb(sandbox: Sandbox): unknown {
  return {
    servicePorts: sandbox.servicePorts('web'),
    published: sandbox.published('web'),
    service: identity(sandbox.latest('services', 'web')),
    endpoints: identity(sandbox.latest('endpoints', 'web')),
  }
}

function identity(object: KubeObject | undefined) {
  const { labels, annotations, ownerReferences } = object?.metadata ?? {}
  return { labels, annotations, ownerReferences }
}
