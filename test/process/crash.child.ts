// The real controller with a listener that throws: the log, at the first attempt. Argument: a kubeconfig.

import { createLookup } from '../../dns/lookup.ts'
import { createClient } from '../../k8s/client.ts'
import { loadConfig } from '../../k8s/config.ts'
import { startController } from '../../k8s/controller.ts'
import { createLog } from '../../k8s/log.ts'

async function main(kubeconfig: string): Promise<void> {
  const { signal } = new AbortController()
  const client = createClient(await loadConfig({ kubeconfig }), { userAgent: 'crash' })
  const log = { ...createLog({ format: 'text', verbosity: 0 }), debug: brokenListener }
  const controller = startController({
    ...{ client, log, signal, policy: { allowLoopback: true }, publish: 'auto' },
    ...{ lookup: createLookup(() => []) },
    ...{ concurrency: 1, inFlightMax: 10, instance: 'crash' },
  })
  await controller.lead({ signal, mayWrite: () => true })
}

function brokenListener(): never {
  throw new TypeError('a bug')
}

// Not awaited, as in main.ts: while a top-level await is pending, Bun 1.4.5 tells of an unhandled
// rejection and goes on.
void main(process.argv[2] ?? '')
