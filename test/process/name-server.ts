// A name server for one name, which can fall silent: datagrams are taken and never answered.

/** A name server; `isSilent` may be set at any time. */
export type NameServer = Disposable & {
  isSilent: boolean
  /** Questions so far. */
  readonly questions: () => number
}

const HEADER_BYTES = 12
const TYPE_A = 1
/** Response, recursion available, no error. */
const FLAGS = 0x8180
/** Seconds. Short, so that nobody lives on what was answered before. */
const TTL_SECONDS = 1

/** Answers every question for an IPv4 address with 127.0.0.1, and every other with nothing. */
export async function startNameServer(host: string): Promise<NameServer> {
  let questions = 0
  const socket = await Bun.udpSocket({
    hostname: host,
    port: 53,
    socket: {
      data: (from, query, port, peer) => {
        questions++
        if (!server.isSilent) from.send(answerTo(query), port, peer)
      },
      error: () => {},
    },
  })
  const server = {
    isSilent: false,
    questions: () => questions,
    [Symbol.dispose]: () => socket.close(),
  }
  return server
}

/** Source: RFC 1035, section 4.1. */
function answerTo(query: Buffer): Uint8Array {
  const nameEnd = query.indexOf(0, HEADER_BYTES) + 1
  const question = query.subarray(HEADER_BYTES, nameEnd + 4)
  const isA = query.readUInt16BE(nameEnd) === TYPE_A
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt16BE(query.readUInt16BE(0), 0)
  header.writeUInt16BE(FLAGS, 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(isA ? 1 : 0, 6)
  if (!isA) return Buffer.concat([header, question])
  const record = Buffer.alloc(16)
  record.writeUInt16BE(0xc000 | HEADER_BYTES, 0) // the name: as in the question
  record.writeUInt16BE(TYPE_A, 2)
  record.writeUInt16BE(1, 4)
  record.writeUInt32BE(TTL_SECONDS, 6)
  record.writeUInt16BE(4, 10)
  record.set([127, 0, 0, 1], 12)
  return Buffer.concat([header, question, record])
}
