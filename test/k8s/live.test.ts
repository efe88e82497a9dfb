// What is known of the cluster, from a watch and from our own writes: whatever order they come in, the
// newest counts, and what is gone stays gone.

import { describe, expect, test } from 'bun:test'
import * as v from 'valibot'
import { createLiveCache } from '../../k8s/live.ts'
import { isNewer } from '../../k8s/versions.ts'
import { createRandom, type Random, SEED } from '../random.ts'

const schema = v.object({
  metadata: v.object({ namespace: v.string(), name: v.string(), resourceVersion: v.string() }),
  text: v.string(),
})

type Thing = v.InferOutput<typeof schema>

function thing(name: string, version: number, text = ''): Thing {
  return { metadata: { namespace: 'ns', name, resourceVersion: String(version) }, text }
}

function watched() {
  const news: string[] = []
  const unreadable: unknown[] = []
  let reads = 0
  const cache = createLiveCache<Thing>({
    read: (object) => {
      reads++
      return v.parse(schema, object)
    },
    onNews: (key) => news.push(key),
    onUnreadable: (error) => unreadable.push(error),
  })
  const versionOf = (name: string) => cache.get(`ns/${name}`)?.metadata.resourceVersion
  return { cache, news, unreadable, versionOf, reads: () => reads }
}

type Step =
  | { readonly list: readonly Thing[]; readonly at: number }
  | { readonly event: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly thing: unknown }
  | { readonly wrote: Thing }

describe('a live cache', () => {
  const cases: readonly {
    readonly name: string
    readonly steps: readonly Step[]
    /** Names and versions that stand at the end. */
    readonly stands: Readonly<Record<string, string>>
    /** Keys told as news, in order. */
    readonly news: readonly string[]
  }[] = [
    {
      name: 'takes a list, and tells each',
      steps: [{ list: [thing('a', 1), thing('b', 2)], at: 5 }],
      stands: { a: '1', b: '2' },
      news: ['ns/a', 'ns/b'],
    },
    {
      name: 'takes additions, changes and deletions',
      steps: [
        { list: [], at: 1 },
        { event: 'ADDED', thing: thing('a', 2) },
        { event: 'MODIFIED', thing: thing('a', 3) },
        { event: 'ADDED', thing: thing('b', 4) },
        { event: 'DELETED', thing: thing('b', 5) },
      ],
      stands: { a: '3' },
      news: ['ns/a', 'ns/a', 'ns/b', 'ns/b'],
    },
    {
      name: 'tells nothing of events that come again',
      steps: [
        { event: 'ADDED', thing: thing('a', 2) },
        { event: 'ADDED', thing: thing('a', 2) },
        { event: 'MODIFIED', thing: thing('a', 2) },
      ],
      stands: { a: '2' },
      news: ['ns/a'],
    },
    {
      name: 'passes over an event older than what it knows',
      steps: [
        { event: 'MODIFIED', thing: thing('a', 9) },
        { event: 'MODIFIED', thing: thing('a', 8) },
      ],
      stands: { a: '9' },
      news: ['ns/a'],
    },
    {
      name: 'tells nothing of the echo of our own write',
      steps: [{ wrote: thing('a', 3) }, { event: 'MODIFIED', thing: thing('a', 3) }],
      stands: { a: '3' },
      news: [],
    },
    {
      name: 'passes over a deletion older than our own write: it was made anew',
      steps: [{ wrote: thing('a', 7) }, { event: 'DELETED', thing: thing('a', 6) }],
      stands: { a: '7' },
      news: [],
    },
    {
      name: 'takes a deletion of the version that it knows',
      steps: [{ wrote: thing('a', 7) }, { event: 'DELETED', thing: thing('a', 7) }],
      stands: {},
      news: ['ns/a'],
    },
    {
      name: 'tells nothing of the deletion of what it never knew',
      steps: [{ event: 'DELETED', thing: thing('a', 7) }],
      stands: {},
      news: [],
    },
    {
      name: 'is not brought back to life by the late answer to a write that a deletion overtook',
      steps: [
        { event: 'ADDED', thing: thing('a', 3) },
        { event: 'DELETED', thing: thing('a', 6) },
        { wrote: thing('a', 5) },
      ],
      stands: {},
      news: ['ns/a', 'ns/a'],
    },
    {
      name: 'is not brought back to life by a change that comes after the deletion it preceded',
      steps: [
        { event: 'ADDED', thing: thing('a', 3) },
        { event: 'DELETED', thing: thing('a', 6) },
        { event: 'MODIFIED', thing: thing('a', 5) },
      ],
      stands: {},
      news: ['ns/a', 'ns/a'],
    },
    {
      name: 'takes what was made anew after a deletion',
      steps: [
        { event: 'ADDED', thing: thing('a', 3) },
        { event: 'DELETED', thing: thing('a', 6) },
        { event: 'ADDED', thing: thing('a', 8) },
      ],
      stands: { a: '8' },
      news: ['ns/a', 'ns/a', 'ns/a'],
    },
    {
      name: 'drops by a list what is not in it, and tells so',
      steps: [
        { list: [thing('a', 1), thing('b', 2)], at: 5 },
        { list: [thing('b', 2)], at: 9 },
      ],
      stands: { b: '2' },
      news: ['ns/a', 'ns/b', 'ns/a'],
    },
    {
      name: 'keeps what was written after the list was taken',
      steps: [{ wrote: thing('a', 10) }, { list: [], at: 9 }],
      stands: { a: '10' },
      news: [],
    },
    {
      name: 'drops what was written before the list was taken and is not in it',
      steps: [{ wrote: thing('a', 8) }, { list: [], at: 9 }],
      stands: {},
      news: ['ns/a'],
    },
    {
      name: 'is not brought back to life by the late answer to a write older than the list',
      steps: [{ list: [thing('a', 3)], at: 4 }, { list: [], at: 9 }, { wrote: thing('a', 8) }],
      stands: {},
      news: ['ns/a', 'ns/a'],
    },
    {
      name: 'does not go back to a list older than what it knows',
      steps: [{ wrote: thing('a', 10, 'new') }, { list: [thing('a', 4, 'old')], at: 9 }],
      stands: { a: '10' },
      news: [],
    },
    {
      name: 'takes a list with versions from before the last one: a cluster that was restored',
      steps: [
        { list: [thing('a', 90), thing('b', 91)], at: 95 },
        { event: 'DELETED', thing: thing('c', 99) },
        { list: [thing('a', 40), thing('c', 41)], at: 50 },
        { event: 'MODIFIED', thing: thing('a', 51) },
        { event: 'ADDED', thing: thing('d', 52) },
      ],
      stands: { a: '51', c: '41', d: '52' },
      news: ['ns/a', 'ns/b', 'ns/a', 'ns/c', 'ns/b', 'ns/a', 'ns/d'],
    },
    {
      name: 'passes over what cannot be read, and keeps the rest',
      steps: [
        { event: 'ADDED', thing: thing('a', 1) },
        { event: 'MODIFIED', thing: { metadata: { name: 'a' } } },
        { event: 'DELETED', thing: 'nonsense' },
        { event: 'ADDED', thing: thing('b', 3) },
      ],
      stands: { a: '1', b: '3' },
      news: ['ns/a', 'ns/b'],
    },
    {
      name: 'knows versions beyond what a number holds exactly by the later message',
      steps: [
        { event: 'ADDED', thing: thing('a', 1) },
        {
          event: 'MODIFIED',
          thing: {
            ...thing('a', 0),
            metadata: { ...thing('a', 0).metadata, resourceVersion: 'opaque' },
          },
        },
      ],
      stands: { a: 'opaque' },
      news: ['ns/a', 'ns/a'],
    },
  ]
  for (const { name, steps, stands, news: told } of cases) {
    test(name, () => {
      const { cache, news } = watched()
      for (const step of steps) {
        if ('list' in step) cache.onReplace(step.list, String(step.at))
        else if ('event' in step) cache.onChange(step.event, step.thing)
        else cache.learn(step.wrote)
      }
      const standing = [...cache.keys()].map((key) => [
        key.slice(3),
        cache.get(key)?.metadata.resourceVersion,
      ])
      expect(Object.fromEntries(standing)).toEqual(stands)
      expect(news).toEqual([...told])
    })
  }

  test('tells each object that cannot be read, in lists too', () => {
    const { cache, unreadable } = watched()
    cache.onReplace([thing('a', 1), {}, null], '3')
    cache.onChange('MODIFIED', 7)
    expect(unreadable).toHaveLength(3)
    expect([...cache.keys()]).toEqual(['ns/a'])
  })

  test('does not read what a watch tells of a version that is known, and reads every deletion', () => {
    const { cache, reads } = watched()
    cache.learn(thing('a', 2))
    cache.onChange('ADDED', thing('a', 2))
    cache.onChange('MODIFIED', thing('a', 1))
    expect(reads()).toBe(1)
    cache.onChange('MODIFIED', thing('a', 3))
    cache.onChange('DELETED', thing('a', 3))
    expect(reads()).toBe(3)
  })

  test('does not read an answer that the watch was faster than, and returns what stands', () => {
    const { cache, reads } = watched()
    expect(cache.learn(thing('a', 1))).toEqual(thing('a', 1))
    cache.onChange('MODIFIED', thing('a', 3, 'edited'))
    for (const version of [2, 3]) {
      expect(cache.learn(thing('a', version))).toEqual(thing('a', 3, 'edited'))
    }
    expect(reads()).toBe(2)
  })

  test('returns an answer to a write of what was deleted since, and does not remember it', () => {
    const { cache } = watched()
    cache.onChange('DELETED', thing('a', 3))
    expect(cache.learn(thing('a', 2))).toEqual(thing('a', 2))
    expect(cache.get('ns/a')).toBeUndefined()
  })

  test('remembers the last 1,000 deletions, not all of them', () => {
    const { cache, versionOf } = watched()
    const deleteAt = (name: string, version: number) => {
      cache.onChange('ADDED', thing(name, version - 1))
      cache.onChange('DELETED', thing(name, version))
    }
    deleteAt('first', 10)
    for (let n = 0; n < 1_000; n++) deleteAt(`thing-${n}`, 12 + 2 * n)
    cache.learn(thing('first', 9))
    cache.learn(thing('thing-0', 11))
    expect({ first: versionOf('first'), second: versionOf('thing-0') }).toEqual({
      first: '9',
      second: undefined,
    })
  })

  test(`comes to the same whatever the delays, repeats and order of messages (FUZZ_SEED=${SEED})`, () => {
    const random = createRandom(SEED)
    for (let round = 0; round < 2_000; round++) {
      const { truth, messages } = story(random)
      const { cache } = watched()
      for (const step of random.shuffle(messages)) {
        if ('event' in step) cache.onChange(step.event, step.thing)
        else if ('wrote' in step) cache.learn(step.wrote)
      }
      const standing = [...cache.keys()].map((key) => cache.get(key)).sort(byName)
      expect(standing).toEqual([...truth.values()].sort(byName))
    }
  })
})

/** A random history of five objects; each change told by the watch, some by our own writes too. */
function story(random: Random) {
  const truth = new Map<string, Thing>()
  const messages: Step[] = []
  for (let version = 1; version <= 15; version++) {
    const name = `thing-${random.below(5)}`
    if (truth.has(name) && random.next() < 0.3) {
      truth.delete(name)
      messages.push({ event: 'DELETED', thing: thing(name, version) })
      continue
    }
    const next = thing(name, version, `text ${version}`)
    messages.push({ event: truth.has(name) ? 'MODIFIED' : 'ADDED', thing: next })
    if (random.next() < 0.5) messages.push({ wrote: next })
    if (random.next() < 0.2) messages.push({ event: 'MODIFIED', thing: next })
    truth.set(name, next)
  }
  return { truth, messages }
}

function byName(a: Thing | undefined, b: Thing | undefined): number {
  return (a?.metadata.name ?? '') < (b?.metadata.name ?? '') ? -1 : 1
}

describe('isNewer()', () => {
  const cases: readonly (readonly [a: string, b: string, isSo: boolean])[] = [
    ['2', '1', true],
    ['1', '2', false],
    ['1', '1', false],
    ['10', '9', true],
    ['9007199254740993', '9007199254740992', true],
    ['9007199254740992', '9007199254740993', false],
    ['abc', 'abd', true],
    ['abc', 'abc', false],
  ]
  for (const [a, b, isSo] of cases) {
    test(`${a} is ${isSo ? '' : 'not '}later than ${b}`, () => expect(isNewer(a, b)).toBe(isSo))
  }
})
