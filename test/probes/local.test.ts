// Failures of this machine are unknown, never held against the host. Without a route: in a network
// namespace of the test's own, where nothing but `lo` exists. Without descriptors: under `ulimit -n 64`.

import { describe, expect, test } from 'bun:test'
import { connectFailure, errorCode, kernelFailure, transferFailure } from '../../probes/local.ts'
import { failed, type Outcome, type ProbeKind, unknown } from '../../probes/target.ts'

const CHILD = new URL('local.child.ts', import.meta.url).pathname
const KINDS: readonly ProbeKind[] = ['tcp', 'http', 'udp', 'grpc']
type Question = [host: string, port: number, kind: ProbeKind]

const namespace = [
  ['unshare', '-n'],
  ['unshare', '-rn'],
].find((command) => Bun.spawnSync([...command, 'true']).exitCode === 0)
if (namespace === undefined && process.env.CI !== 'true') {
  console.warn('SKIPPED: no network namespace can be made here, so "no route" is not tested')
}

describe('in a network without routes', () => {
  if (namespace === undefined && process.env.CI === 'true') {
    test('a network namespace can be made, as CI needs one', () => {
      throw new Error('Neither `unshare -n` nor `unshare -rn` is permitted')
    })
  }

  test.skipIf(namespace === undefined)('a host without a route is unknown', () => {
    const questions: Question[] = KINDS.flatMap((kind): Question[] => [
      ['192.0.2.1', 80, kind],
      ['2001:db8::1', 80, kind],
    ])
    const outcomes = inNamespace('ip link set lo up', questions)
    expect(outcomes.map(({ result }) => result)).toEqual(questions.map(() => 'unknown'))
    expect(outcomes[0]).toEqual(unknown('no route to host (ENETUNREACH)'))
  })

  test.skipIf(namespace === undefined)('a host behind an unreachable route is unknown', () => {
    const questions = KINDS.map((kind): Question => ['198.51.100.1', 80, kind])
    const outcomes = inNamespace(
      `${DEAD_LINK}; ip route add unreachable 198.51.100.0/24`,
      questions,
    )
    expect(outcomes).toEqual(KINDS.map(() => unknown('no route to host (EHOSTUNREACH)')))
  })

  test.skipIf(namespace === undefined)('a host behind a prohibited route is unknown', () => {
    const questions = KINDS.map((kind): Question => ['198.51.100.1', 80, kind])
    const outcomes = inNamespace(`${DEAD_LINK}; ip route add prohibit 198.51.100.0/24`, questions)
    expect(outcomes).toEqual(KINDS.map(() => unknown('local failure (EACCES)')))
  })

  test.skipIf(namespace === undefined)('a host behind a blackhole route is unknown', () => {
    const questions = KINDS.map((kind): Question => ['198.51.100.1', 80, kind])
    const outcomes = inNamespace(`${DEAD_LINK}; ip route add blackhole 198.51.100.0/24`, questions)
    expect(outcomes).toEqual(KINDS.map(() => unknown('local failure (EINVAL)')))
  })

  test.skipIf(namespace === undefined)('a host behind a router without a route has failed', () => {
    const questions = KINDS.map((kind): Question => ['198.51.100.1', 80, kind])
    const outcomes = inNamespace(ROUTER, questions)
    expect(outcomes).toEqual(
      KINDS.map((kind) => failed(`${kind === 'udp' ? 'read' : 'connect'} ENETUNREACH`)),
    )
  })

  test.skipIf(namespace === undefined)('a host on the link that answers no ARP has failed', () => {
    const questions = KINDS.map((kind): Question => ['192.0.2.7', 80, kind])
    const outcomes = inNamespace(DEAD_LINK, questions)
    expect(outcomes.map(({ result }) => result)).toEqual(KINDS.map(() => 'failed'))
  })

  test.skipIf(namespace === undefined)('a host that is there and refuses has failed', () => {
    const questions = KINDS.map((kind): Question => ['192.0.2.9', 80, kind])
    const outcomes = inNamespace(`${DEAD_LINK}; ip addr add 192.0.2.9/32 dev lo`, questions)
    expect(outcomes).toEqual(
      KINDS.map((kind) => failed(`${kind === 'udp' ? 'read' : 'connect'} ECONNREFUSED`)),
    )
  })
})

describe('with 64 descriptors, a host that refuses', () => {
  const questions = KINDS.map((kind): Question => ['127.0.0.1', 1, kind])
  const limited = ['sh', '-c', 'ulimit -n 64; exec "$@"', 'sh']
  const exhausted = unknown('too many open files (EMFILE)')

  test('is unknown when none is left', () => {
    expect(run(limited, questions, 0)).toEqual(KINDS.map(() => exhausted))
  })

  test('has failed when few are left: the kernel says which error it was', () => {
    const outcomes = run(limited, questions, 6)
    expect(outcomes.map(({ result }) => result)).toEqual(KINDS.map(() => 'failed'))
  })

  test('has failed when there are enough', () => {
    const outcomes = run(limited, questions, 25)
    expect(outcomes.map(({ result }) => result)).toEqual(KINDS.map(() => 'failed'))
  })
})

describe('a socket error', () => {
  const error = (code: string) =>
    Object.assign(new Error(`${code}, and more that changes`), { code })
  const here = { host: '127.0.0.1', port: 1 }

  test.each<[code: string, outcome: Outcome]>([
    ['ECONNREFUSED', failed('connect ECONNREFUSED')],
    ['ECONNRESET', failed('connect ECONNRESET')],
    ['ETIMEDOUT', failed('connect ETIMEDOUT')],
    ['EHOSTUNREACH', failed('connect EHOSTUNREACH')], // there is a route: the network said so
    ['ENETUNREACH', unknown('no route to host (ENETUNREACH)')],
    ['ENETDOWN', unknown('no route to host (ENETDOWN)')],
    ['EMFILE', unknown('too many open files (EMFILE)')],
    ['ENFILE', unknown('too many open files (ENFILE)')],
    ['EADDRNOTAVAIL', unknown('no local address or port left (EADDRNOTAVAIL)')],
    ['EAFNOSUPPORT', unknown('address family not available here (EAFNOSUPPORT)')],
    ['ENOBUFS', unknown('local failure (ENOBUFS)')],
    ['ENOMEM', unknown('local failure (ENOMEM)')],
    ['EPERM', unknown('local failure (EPERM)')],
    ['EACCES', unknown('local failure (EACCES)')],
  ])('of %s in a connect is judged by its code', async (code, outcome) => {
    expect(await connectFailure(error(code), here)).toEqual(outcome)
  })

  test.each<[code: string, atOnce: Outcome, later: Outcome]>([
    ['ECONNREFUSED', failed('connect ECONNREFUSED'), failed('connect ECONNREFUSED')],
    [
      'EHOSTUNREACH',
      unknown('no route to host (EHOSTUNREACH)'),
      failed('connect EHOSTUNREACH'), // the network said so
    ],
    [
      'EAGAIN',
      unknown('no local address or port left (EAGAIN)'),
      failed('connect EAGAIN'), // the kernel says no such thing
    ],
    [
      'EADDRNOTAVAIL',
      unknown('no local address or port left (EADDRNOTAVAIL)'),
      unknown('no local address or port left (EADDRNOTAVAIL)'),
    ],
    ['ENETUNREACH', unknown('no route to host (ENETUNREACH)'), failed('connect ENETUNREACH')],
    ['EACCES', unknown('local failure (EACCES)'), failed('connect EACCES')],
    ['EINVAL', unknown('local failure (EINVAL)'), failed('connect EINVAL')],
  ])('of %s is judged by whether a call gave it at once', (code, atOnce, later) => {
    expect(kernelFailure('connect', code, true)).toEqual(atOnce)
    expect(kernelFailure('connect', code, false)).toEqual(later)
  })

  test.each<[code: string, outcome: Outcome]>([
    ['ECONNRESET', failed('read ECONNRESET')],
    ['ETIMEDOUT', failed('read ETIMEDOUT')],
    ['ENETUNREACH', failed('read ENETUNREACH')], // a router said so
    ['ENOBUFS', unknown('local failure (ENOBUFS)')],
    ['ERR_SSL_WRONG_VERSION_NUMBER', failed('TLS WRONG_VERSION_NUMBER')],
  ])('of %s in a transfer is judged by its code', (code, outcome) => {
    expect(transferFailure('read', error(code))).toEqual(outcome)
  })

  test('without a code is called an error', () => {
    expect(errorCode(new Error('x'))).toBe('error')
    expect(errorCode('x')).toBe('error')
    expect(errorCode(undefined)).toBe('error')
  })
})

/** 192.0.2.0/24 on a link whose other end is silent; one ARP request of 20 ms, not three of a second. */
/** A router in a namespace of its own, which says "network unreachable" to each question. */
const ROUTER = [
  'ip link set lo up',
  'ip link add near type veth peer name far',
  'unshare -n sleep 10 >/dev/null 2>&1 & router=$!',
  'while [ "$(readlink /proc/$router/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done',
  'ip link set far netns $router',
  'ip addr add 192.0.2.254/24 dev near',
  'ip link set near up',
  'nsenter -n -t $router sh -c "ip link set lo up; ip addr add 192.0.2.1/24 dev far; ip link set far up; echo 1 > /proc/sys/net/ipv4/ip_forward; echo 0 > /proc/sys/net/ipv4/icmp_ratelimit"',
  'ip route add default via 192.0.2.1',
].join('\n')

const DEAD_LINK = [
  'ip link set lo up',
  'ip link add near type veth peer name far',
  'ip addr add 192.0.2.254/24 dev near',
  'ip link set near up',
  'ip link set far up',
  'echo 1 > /proc/sys/net/ipv4/neigh/near/mcast_solicit',
  'echo 20 > /proc/sys/net/ipv4/neigh/near/retrans_time_ms',
].join('; ')

function inNamespace(setup: string, questions: readonly Question[]): readonly Outcome[] {
  return run([...(namespace ?? []), 'sh', '-ec', `${setup}; exec "$@"`, 'sh'], questions)
}

/** Runs the child behind `prefix` and returns what it printed. */
function run(
  prefix: readonly string[],
  questions: readonly Question[],
  spare?: number,
): readonly Outcome[] {
  const child = Bun.spawnSync(
    [
      ...prefix,
      process.execPath,
      CHILD,
      JSON.stringify(questions),
      ...(spare === undefined ? [] : [String(spare)]),
    ],
    { stderr: 'pipe' },
  )
  if (child.exitCode !== 0) throw new Error(`The child failed: ${child.stderr}`)
  return JSON.parse(child.stdout.toString()) as Outcome[] // printed by local.child.ts
}
