// Loaded before the operator's sources by crash.test.ts: a bug, of the sort that $BUG says, at SIGUSR2.

import { connect, createServer } from 'node:net'

const bugs: Readonly<Record<string, () => void>> = {
  'a promise that nobody waits for': () => void forgottenPromise(),
  'a timer': () => void setTimeout(brokenTimer, 10),
  'a socket': () => {
    const server = createServer((socket) => void socket.end('x')).listen(0, '127.0.0.1', () => {
      const address = server.address()
      if (address === null || typeof address === 'string') return
      connect({ host: '127.0.0.1', port: address.port }).on('data', brokenSocket)
    })
  },
}

process.on('SIGUSR2', () => bugs[process.env.BUG ?? '']?.())

async function forgottenPromise(): Promise<void> {
  await Bun.sleep(10)
  throw new TypeError('a bug')
}

function brokenTimer(): void {
  throw new TypeError('a bug')
}

function brokenSocket(): void {
  throw new TypeError('a bug')
}
