// One world with one operator in it, and a recording of everything that happens there.

import { type NameServer, startNameServer } from '../dns/name-server.ts'
import { type Api, createApi } from './api.ts'
import { type Operator, startOperator } from './operator.ts'
import { type Recording, startRecording } from './recording.ts'
import type { World } from './world.ts'

export type Session = {
  readonly world: World
  readonly api: Api
  /** The only name server that the operator asks. */
  readonly nameServer: NameServer
  readonly recordings: {
    readonly clusterendpoints: Recording
    readonly services: Recording
    readonly endpoints: Recording
    readonly endpointslices: Recording
    readonly events: Recording
  }
  /** The operator that runs now. */
  readonly operator: () => Operator
  /**
   * Ends the operator, does `meanwhile`, starts another one, with `args` too; resolves when that one is
   * up, with how the first ended.
   */
  readonly restart: (meanwhile?: () => Promise<void>, args?: readonly string[]) => Promise<Ending>
  readonly stop: () => Promise<void>
}

/** How an operator ended: its exit code, and milliseconds after SIGTERM. */
export type Ending = { readonly code: number; readonly ms: number }

/** Starts an operator in `world`, which is stopped along with the session. */
export async function startSession(world: World): Promise<Session> {
  const api = createApi(world)
  const nameServer = await startNameServer('127.0.0.1')
  const usual = [...world.operatorArgs, `--dns-servers=${nameServer.address}`]
  const start = (args: readonly string[] = []) =>
    startOperator(world.operatorKubeconfig, [...usual, ...args])
  const recordings = {
    clusterendpoints: await startRecording(world, api, 'clusterendpoints'),
    services: await startRecording(world, api, 'services'),
    endpoints: await startRecording(world, api, 'endpoints'),
    endpointslices: await startRecording(world, api, 'endpointslices'),
    events: await startRecording(world, api, 'events'),
  }
  let operator = await start()
  return {
    world,
    api,
    nameServer,
    recordings,
    operator: () => operator,
    restart: async (meanwhile = async () => {}, args = []) => {
      const startMs = performance.now()
      const code = await operator.stop()
      const ms = performance.now() - startMs
      await meanwhile()
      operator = await start(args)
      return { code, ms }
    },
    stop: async () => {
      await operator.stop()
      await Promise.all(Object.values(recordings).map((recording) => recording.stop()))
      nameServer.kill()
      await world.stop()
    },
  }
}
