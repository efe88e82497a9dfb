// A name server on loopback, over UDP and TCP, whose zone and faults a test changes at any time.

import { freePorts } from '../controlplane/free-ports.ts'
import { type Asked, answerTo, type Entry, type Fault, readQuery } from './message.ts'

export type NameServer = Disposable & {
  readonly host: string
  readonly port: number
  /** `host:port`, as the flag takes it. */
  readonly address: string
  /** What it knows, by name in lower case. */
  readonly zone: Map<string, Entry>
  /** How it errs now about every name, and about single ones. */
  fault: Fault | undefined
  readonly faults: Map<string, Fault>
  /** Types of records for which alone it errs, if any are given. */
  faultyType: number | undefined
  /** Questions so far, over TCP too. */
  readonly questions: () => readonly Asked[]
  readonly tcpQuestions: () => number
  /** Ends it as if it had died: what is asked of it is refused. */
  readonly kill: () => void
}

/** Starts one; on a free port unless one is given. */
export async function startNameServer(host: string, given?: number): Promise<NameServer> {
  const port = given ?? freePorts(1)[0] ?? 0
  const questions: Asked[] = []
  let tcpQuestions = 0
  const zone = new Map<string, Entry>()

  function answer(query: Buffer, isDatagram: boolean): Buffer | undefined {
    const asked = readQuery(query)
    questions.push(asked)
    const { fault = server.faults.get(asked.name), faultyType = asked.type } = server
    const isFaulty = faultyType === asked.type
    return answerTo(query, (name) => zone.get(name), isFaulty ? fault : undefined, isDatagram)
  }

  const udp = await Bun.udpSocket({
    hostname: host,
    port,
    socket: {
      data: (socket, query, from, peer) => {
        const bytes = answer(query, true)
        if (bytes) socket.send(bytes, from, peer)
      },
      error: () => {},
    },
  })
  const tcp = Bun.listen({
    hostname: host,
    port,
    socket: {
      data: (socket, chunk) => {
        tcpQuestions++
        const bytes = answer(chunk.subarray(2), false)
        if (!bytes) return
        // In two pieces: an answer over TCP comes as it likes.
        socket.write(Buffer.from([bytes.length >> 8]))
        socket.flush()
        socket.write(Buffer.concat([Buffer.from([bytes.length & 0xff]), bytes]))
      },
      error: () => {},
    },
  })
  let isAlive = true
  const kill = () => {
    if (!isAlive) return
    isAlive = false
    udp.close()
    tcp.stop(true)
  }
  const server: NameServer = {
    host,
    port,
    address: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`,
    zone,
    fault: undefined,
    faults: new Map(),
    faultyType: undefined,
    questions: () => questions,
    tcpQuestions: () => tcpQuestions,
    kill,
    [Symbol.dispose]: kill,
  }
  return server
}
