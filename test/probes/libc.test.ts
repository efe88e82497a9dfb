// The system calls of our own sockets, and the looks at them: what they say of good and bad input.

import { afterEach, expect, test } from 'bun:test'
import {
  AGAIN,
  destinationOf,
  EVENT,
  errnoName,
  forgoLibc,
  IN_PROGRESS,
  isSound,
  type Libc,
  libc,
} from '../../probes/libc.ts'
import { Poller } from '../../probes/poller.ts'
import { descriptors, until } from './asking.ts'

const LOOPBACK = destinationOf({ host: '127.0.0.1', port: 9 })
const isKnown = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch)
afterEach(() => forgoLibc(false))

function own(): Libc {
  const found = libc()
  if (!found) throw new Error('There is no libc that is known here')
  return found
}

test('there is a libc where the releases run, unless it is forgone', () => {
  expect(libc() !== undefined).toBe(isKnown)
  forgoLibc(true)
  expect(libc()).toBeUndefined()
})

test('a libc whose events do not come back as they were asked for is not taken', () => {
  const before = descriptors()
  const onlyHalf: Libc['ready'] = (_epoll, tell) => {
    tell(0x5678, EVENT.out)
    return 1
  }
  expect(isSound(own())).toBe(true)
  expect(isSound({ ...own(), ready: () => 0 })).toBe(false)
  expect(isSound({ ...own(), ready: onlyHalf })).toBe(false)
  expect(isSound({ ...own(), newEpoll: () => -24 })).toBe(true)
  expect(descriptors()).toBe(before)
})

test.each([
  ['nonsense', 'EINVAL'],
  ['', 'EINVAL'],
  ['256.1.1.1', 'EINVAL'],
  ['1.2.3', 'EINVAL'],
  [`${'1'.repeat(500)}`, 'EINVAL'],
])('connect() to "%s" is %s and touches nothing', (host, name) => {
  const to = destinationOf({ host, port: 1 })
  const fd = own().socket('stream', to)
  expect(errnoName(own().connect(fd, to))).toBe(name)
  expect(own().close(fd)).toBe(0)
})

test.each(['127.0.0.1', '::1', '::ffff:127.0.0.1'])(
  'a refusal of %s is known as one',
  async (host) => {
    const before = descriptors()
    const to = destinationOf({ host, port: 1 })
    const fd = own().socket('stream', to)
    const result = own().connect(fd, to)
    // Within this machine the answer may be there before the call returns.
    if (result === IN_PROGRESS) {
      expect(errnoName(own().pendingError(fd))).toBe('ECONNREFUSED')
      expect(own().pendingError(fd)).toBe(0)
    } else expect(errnoName(result)).toBe('ECONNREFUSED')
    own().close(fd)
    expect(descriptors()).toBe(before)
  },
)

test('a zone of an IPv6 address is a name or a number, and one that there is not is refused', () => {
  const link = (zone: string) => {
    const to = destinationOf({ host: `fe80::1%${zone}`, port: 9 })
    const fd = own().socket('datagram', to)
    const result = own().connect(fd, to)
    own().close(fd)
    return result < 0 ? errnoName(result) : 'connected'
  }
  expect(link('nosuchlink')).toBe('EINVAL')
  // The loopback has no link-local address: the kernel has taken the zone and found no way.
  expect(link('lo')).toBe(link('1'))
  expect(link('lo')).not.toBe('EINVAL')
})

test('an error has the name that people know it by', () => {
  expect([AGAIN, IN_PROGRESS, -111, -99999].map(errnoName)).toEqual([
    'EAGAIN',
    'EINPROGRESS',
    'ECONNREFUSED',
    'errno 99999',
  ])
})

test('calls on a descriptor that is closed are errors, not crashes', () => {
  const bytes = new Uint8Array(8)
  const results = [
    own().send(-1, bytes),
    own().send(-1, new Uint8Array()),
    own().receive(-1, bytes),
    own().pendingError(-1),
    own().close(-1),
    own().arm(-1, 'add', -1, EVENT.in, 1),
    own().ready(-1, () => {}),
  ]
  expect(results.map(errnoName)).toEqual(results.map(() => 'EBADF'))
})

/** Sockets that are ready from the first look on, and who was told so; each is told once. */
function readySockets() {
  const poller = new Poller(own())
  const told: string[] = []
  const add = (name: string, onTold = () => {}) => {
    const fd = own().socket('datagram', LOOPBACK)
    own().connect(fd, LOOPBACK)
    const onReady = () => {
      told.push(name)
      poller.remove(fd)
      onTold()
    }
    expect(poller.add(fd, EVENT.out, { onReady })).toBe(0)
    return fd
  }
  return { poller, told, add }
}

test('a poller tells each socket of its own events, and of none once it is removed', async () => {
  const { poller, told, add } = readySockets()
  // The first that is told takes the next one out, in the middle of a look.
  const fds: number[] = [add('a', () => poller.remove(fds[1] ?? -1)), add('b'), add('c')]
  await until(() => told.length >= 2, 'two are told')
  await Bun.sleep(5)
  expect(told).toEqual(['a', 'c'])
  for (const fd of fds) own().close(fd)
})

test('a descriptor that is in use again in the middle of a look is not told what was meant for another', async () => {
  const { poller, told, add } = readySockets()
  const reuse = () => {
    poller.remove(fds[1] ?? -1)
    own().close(fds[1] ?? -1)
    expect(add('new')).toBe(fds[1] ?? -1)
  }
  const fds: number[] = [add('a', reuse), add('b'), add('c')]
  await until(() => told.length >= 3, 'three are told')
  expect(told).toEqual(['a', 'c', 'new'])
  for (const fd of fds) own().close(fd)
})

test('a poller says why it cannot look', () => {
  const poller = new Poller({ ...own(), newEpoll: () => -24 })
  expect(errnoName(poller.add(0, EVENT.in, { onReady() {} }))).toBe('EMFILE')
})

test('a poller looks less and less often while nothing comes, and not at all when none waits', async () => {
  let looks = 0
  const counting = { ...own(), ready: () => 0 * looks++ }
  const poller = new Poller(counting)
  const fd = own().socket('datagram', LOOPBACK)
  poller.add(fd, EVENT.in, { onReady() {} })
  await Bun.sleep(300)
  // 1 ms and then 1.3 times as long each, up to 20: 24 looks in 300 ms where each is on time.
  expect(looks).toBeWithin(5, 27)
  poller.remove(fd)
  await Bun.sleep(60)
  const last = looks
  await Bun.sleep(120)
  expect(looks).toBe(last)
  own().close(fd)
})
