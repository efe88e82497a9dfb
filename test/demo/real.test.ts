// The demo against a real API server, in the network namespace of the tests.

import { expect, test } from 'bun:test'
import { startControlPlane, usualControllers } from '../controlplane/controlplane.ts'
import { describeInNamespace } from '../controlplane/describe-in-namespace.ts'
import { runToEnd } from './run-to-end.ts'

const TEST_MAX_MS = 120_000

describeInNamespace('the demo on a real API server', import.meta.path, () => {
  test(
    'plays to its end and leaves nothing but the CRD',
    async () => {
      const plane = await startControlPlane({ controllers: usualControllers })
      try {
        const { code, output } = await runToEnd(['--kubeconfig', plane.kubeconfig])
        expect(output).toContain('CRD: applied')
        expect(output).toContain('0 writes to the API server')
        expect(output).toContain('Removing namespace endpoints-operator-demo: done.')
        expect(code).toBe(0)
        const namespaces = await plane.kubectl(['get', 'namespaces', '-o', 'name'])
        expect(namespaces.stdout).not.toContain('endpoints-operator-demo')
      } finally {
        await plane.stop()
      }
    },
    TEST_MAX_MS,
  )
})
