// An HTTP or HTTPS backend: Bun's own server, so that the prober meets one that it did not write.

import { readFileSync } from 'node:fs'
import type { Address } from '../../probes/target.ts'
import { type Backend, backend } from './backend.ts'

/** Answers one request. */
export type Handler = (request: Request) => Response | Promise<Response>

/** Self-signed, for `test.invalid`, valid for a century. */
export const SELF_SIGNED = {
  key: readFileSync(new URL('self-signed.key', import.meta.url), 'utf8'),
  cert: readFileSync(new URL('self-signed.crt', import.meta.url), 'utf8'),
}

/** Answers 200 to everything unless `handler` says otherwise; `tls` makes it HTTPS. */
export function startHttp(
  options: Address & { readonly tls?: boolean; readonly handler?: Handler },
): Promise<Backend> {
  const { handler = () => new Response('ok\n'), tls = false } = options
  return backend(options, async ({ host, port }, hit) => {
    const server = Bun.serve({
      hostname: host,
      port,
      idleTimeout: 0,
      ...(tls ? { tls: SELF_SIGNED } : {}),
      fetch: (request) => {
        hit()
        return handler(request)
      },
    })
    return { port: server.port ?? port, stop: () => server.stop(true) }
  })
}
