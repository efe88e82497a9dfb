// TCP ports on 127.0.0.1 that nobody listens on.

const lowest = 20_000
const highest = 29_999
const attemptsMax = 200

/**
 * `count` different ports, free a moment ago. They lie below the kernel's range for outgoing
 * connections (32768-60999 on Linux): a client that keeps calling a server which is down for a
 * while would otherwise take its port, or even connect to itself on it.
 */
export function freePorts(count: number): number[] {
  const ports = new Set<number>()
  for (let attempt = 0; attempt < attemptsMax && ports.size < count; attempt++) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest + 1))
    if (isFree(port)) ports.add(port)
  }
  if (ports.size < count) throw new Error(`Cannot find ${count} free ports on 127.0.0.1`)
  return [...ports]
}

function isFree(port: number): boolean {
  try {
    Bun.listen({ hostname: '127.0.0.1', port, socket: { data() {} } }).stop(true)
    return true
  } catch {
    // Taken, whatever the system calls it; the next one is tried.
    return false
  }
}
