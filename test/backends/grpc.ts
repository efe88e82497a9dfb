// A gRPC backend: grpc-js's server with the health service, so that the prober's own HTTP/2 client
// meets an implementation that it did not write.

import {
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  status,
} from '@grpc/grpc-js'
import { authority } from '../../probes/dial.ts'
import type { Address } from '../../probes/target.ts'
import { type Backend, backend } from './backend.ts'

/** What `Check` does: answer a serving status, fail with a status code, or never answer. */
export type HealthAnswer =
  | 'UNKNOWN'
  | 'SERVING'
  | 'NOT_SERVING'
  | 'SERVICE_UNKNOWN'
  | { readonly code: keyof typeof status }
  | 'never'

const NUMBERS = { UNKNOWN: 0, SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 } as const

/** Answers SERVING unless `answer`, asked with the service's name at each call, says otherwise. */
export function startGrpc(
  options: Address & {
    readonly answer?: (service: string) => HealthAnswer | Promise<HealthAnswer>
    /** False: a gRPC server without the health service. */
    readonly health?: boolean
  },
): Promise<Backend> {
  const { answer = () => 'SERVING', health = true } = options
  return backend(options, async (address, hit) => {
    const server = new Server({ 'grpc.enable_channelz': 0 })
    if (health) server.addService(HEALTH, { Check: check(answer, hit) })
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    server.bindAsync(authority(address), ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    )
    return { port: await promise, stop: async () => server.forceShutdown() }
  })
}

function check(
  answer: (service: string) => HealthAnswer | Promise<HealthAnswer>,
  hit: () => void,
): handleUnaryCall<Buffer, Buffer> {
  return async (call, callback) => {
    hit()
    const says = await answer(call.request.subarray(2).toString('utf8')) // tag, length < 128, name
    if (says === 'never') return
    if (typeof says === 'object') return callback({ code: status[says.code], details: 'as told' })
    const number = NUMBERS[says]
    callback(null, number === 0 ? Buffer.alloc(0) : Buffer.from([0x08, number]))
  }
}

const asIs = (bytes: Buffer) => bytes

/** The method, its messages left as bytes. */
const HEALTH: ServiceDefinition = {
  Check: {
    path: '/grpc.health.v1.Health/Check',
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  },
}
