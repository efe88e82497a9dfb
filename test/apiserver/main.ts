// The test API server as a process of its own: prints one JSON line with its url when it listens.

import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { kubeconfigText } from './kubeconfig.ts'
import { startApiServer } from './server.ts'

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    'allow-loopback': { type: 'boolean', default: false },
    'kubeconfig-out': { type: 'string' },
  },
})
const port = Number(values.port)
if (!Number.isInteger(port) || port < 0 || port > 65535) {
  console.error(`Cannot use --port "${values.port}" as it must be a number from 0 to 65535`)
  process.exit(2)
}
const server = startApiServer({ port, allowLoopback: values['allow-loopback'] })
const file = values['kubeconfig-out']
if (file !== undefined) {
  writeFileSync(file, kubeconfigText({ url: server.url, token: undefined, ca: undefined }))
}
console.log(JSON.stringify({ url: server.url, port: server.port, kubeconfig: file ?? null }))
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    server.stop()
    process.exit(0)
  })
}
