// What every backend of the tests, the demo and the benchmark can do: be killed, come back, count.

import type { Address } from '../../probes/target.ts'

/** A server on one address. `port` is the real one, also when 0 was asked for. */
export type Backend = Address & {
  /** Stops listening and breaks what is open. Resolves when a connect is refused. No-op when down. */
  kill(): Promise<void>
  /** Kills it if it is up, then listens on the same address and port again. */
  restart(): Promise<void>
  /** What has arrived since the first start: connections, requests, datagrams or calls. */
  hits(): number
}

/** A server that runs: the port that it has, and how it is stopped. */
export type Running = { readonly port: number; stop(): Promise<void> }

/** Makes a Backend of a way to start. `start` calls `hit` for each arrival. */
export async function backend(
  { host, port }: Address,
  start: (address: Address, hit: () => void) => Promise<Running>,
): Promise<Backend> {
  let hits = 0
  const hit = () => {
    hits += 1
  }
  let running: Running | undefined = await start({ host, port }, hit)
  const address = { host, port: running.port }
  const kill = async () => {
    const stopping = running
    running = undefined
    await stopping?.stop()
  }
  return {
    ...address,
    kill,
    restart: async () => {
      await kill()
      running = await start(address, hit)
    },
    hits: () => hits,
  }
}
