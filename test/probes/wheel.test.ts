import { describe, expect, test } from 'bun:test'
import { type Slotted, Wheel } from '../../probes/wheel.ts'

type Item = Slotted & { readonly name: string }

function item(name: string): Item {
  return { name, slot: undefined, place: -1 }
}

function names(items: readonly Item[]): string[] {
  return items.map(({ name }) => name)
}

/** A wheel of 50 ms in which the items stand at the given moments. */
function wheelOf(dueMs: Readonly<Record<string, number>>) {
  const wheel = new Wheel<Item>(50)
  const items = new Map(Object.keys(dueMs).map((name) => [name, item(name)]))
  for (const [name, each] of items) wheel.insert(each, dueMs[name] ?? Number.NaN)
  return { wheel, items }
}

describe('take()', () => {
  const boundaries = [
    { dueMs: 100, atMs: 99, taken: false },
    { dueMs: 100, atMs: 99.999, taken: false },
    { dueMs: 100, atMs: 100, taken: true },
    { dueMs: 101, atMs: 100, taken: false },
    { dueMs: 101, atMs: 149, taken: false },
    { dueMs: 101, atMs: 150, taken: true },
    { dueMs: 149.5, atMs: 149.9, taken: false },
    { dueMs: 0, atMs: 0, taken: true },
    { dueMs: -1, atMs: 0, taken: true },
    { dueMs: 1e12 + 0.5, atMs: 1e12, taken: false },
    { dueMs: 1e12 + 0.5, atMs: 1e12 + 50, taken: true },
  ]
  for (const { dueMs, atMs, taken } of boundaries) {
    test(`hands out what is due at ${dueMs} ${taken ? 'by' : 'not yet at'} ${atMs}`, () => {
      const { wheel } = wheelOf({ a: dueMs })
      expect(names(wheel.take(atMs))).toEqual(taken ? ['a'] : [])
    })
  }

  test('is never early and at most one slot late, for any moment', () => {
    for (let dueMs = 0; dueMs <= 400; dueMs += 7) {
      const { wheel } = wheelOf({ a: dueMs })
      let takenMs = -1
      for (let nowMs = 0; nowMs <= 500 && takenMs < 0; nowMs++) {
        if (wheel.take(nowMs).length > 0) takenMs = nowMs
      }
      expect(takenMs).toBeGreaterThanOrEqual(dueMs)
      expect(takenMs).toBeLessThan(dueMs + 50)
    }
  })

  test('hands out each item once', () => {
    const { wheel } = wheelOf({ a: 100, b: 100 })
    expect(names(wheel.take(1_000))).toEqual(['a', 'b'])
    expect(wheel.take(2_000)).toEqual([])
    expect(wheel.isEmpty).toBe(true)
  })

  test('hands out the earliest first, and those of one slot as they came', () => {
    const { wheel } = wheelOf({ late: 900, early: 120, twin: 130, middle: 500 })
    expect(names(wheel.take(1_000))).toEqual(['early', 'twin', 'middle', 'late'])
  })

  test('hands out the earliest first after a gap shorter than there are slots, too', () => {
    const { wheel } = wheelOf({ c: 300, a: 100, b: 200, far: 100_000, farther: 200_000 })
    wheel.take(50)
    expect(names(wheel.take(300))).toEqual(['a', 'b', 'c'])
  })

  test('leaves what is not due', () => {
    const { wheel } = wheelOf({ a: 100, b: 10_000 })
    expect(names(wheel.take(9_999))).toEqual(['a'])
    expect(names(wheel.take(10_000))).toEqual(['b'])
  })

  test('at an earlier moment than before takes nothing and forgets nothing', () => {
    const { wheel, items } = wheelOf({ a: 1_000 })
    expect(wheel.take(900)).toEqual([])
    expect(wheel.take(100)).toEqual([])
    const [a] = items.values()
    if (a) wheel.insert(a, 0)
    expect(names(wheel.take(949))).toEqual([])
    expect(names(wheel.take(950))).toEqual(['a'])
  })

  test('looks at what is there, not at the time that went by', () => {
    const { wheel } = wheelOf({ a: 1e15 })
    const fromMs = performance.now()
    expect(wheel.take(0)).toEqual([])
    expect(names(wheel.take(1e15))).toEqual(['a'])
    // 2e13 slots went by: counting them would take hours.
    expect(performance.now() - fromMs).toBeLessThan(1_000)
  })
})

describe('insert()', () => {
  test('puts what is past due into the next slot', () => {
    const { wheel } = wheelOf({})
    wheel.take(1_000)
    wheel.insert(item('a'), 3)
    expect(names(wheel.take(1_049))).toEqual([])
    expect(names(wheel.take(1_050))).toEqual(['a'])
  })

  test('moves what is in already', () => {
    const { wheel, items } = wheelOf({ a: 100 })
    const [a] = items.values()
    if (a) wheel.insert(a, 500)
    expect(wheel.take(499)).toEqual([])
    expect(names(wheel.take(500))).toEqual(['a'])
    expect(wheel.isEmpty).toBe(true)
  })

  test('takes back what was handed out', () => {
    const { wheel } = wheelOf({ a: 100 })
    for (const each of wheel.take(100)) wheel.insert(each, 200)
    expect(names(wheel.take(200))).toEqual(['a'])
  })
})

describe('remove()', () => {
  test('takes an item out, and its twin in the same slot stays', () => {
    const { wheel, items } = wheelOf({ a: 100, b: 100 })
    const a = items.get('a') ?? item('none')
    wheel.remove(a)
    expect(a.slot).toBeUndefined()
    expect(names(wheel.take(1_000))).toEqual(['b'])
  })

  test('of what is in no wheel does nothing', () => {
    const { wheel } = wheelOf({ a: 100 })
    const stranger = item('stranger')
    wheel.remove(stranger)
    wheel.remove(stranger)
    expect(names(wheel.take(1_000))).toEqual(['a'])
  })

  test('of the last item leaves nothing behind', () => {
    const { wheel, items } = wheelOf({ a: 100 })
    expect(wheel.isEmpty).toBe(false)
    for (const each of items.values()) wheel.remove(each)
    expect(wheel.isEmpty).toBe(true)
  })
})

describe('nextMs()', () => {
  const rows = [
    { name: 'an item within the horizon', due: { a: 320 }, atMs: 60, expected: 350 },
    { name: 'the earliest of several', due: { b: 700, a: 320 }, atMs: 60, expected: 350 },
    { name: 'an item just inside the horizon', due: { a: 1_000 }, atMs: 60, expected: 1_000 },
    { name: 'the horizon for an item beyond it', due: { a: 5_000 }, atMs: 60, expected: 1_050 },
    { name: 'the horizon for an empty wheel', due: {}, atMs: 60, expected: 1_050 },
    { name: 'this moment for what is overdue', due: { a: 100 }, atMs: 460, expected: 460 },
    { name: 'this moment for what is due now', due: { a: 450 }, atMs: 450, expected: 450 },
  ]
  for (const { name, due, atMs, expected } of rows) {
    for (const hasTicked of [false, true]) {
      test(`is ${name}${hasTicked ? ', after a tick' : ''}`, () => {
        const { wheel } = wheelOf(due)
        if (hasTicked) wheel.take(50)
        expect(wheel.nextMs(atMs, 1_000)).toBe(expected)
      })
    }
  }

  test('is the moment at which take() hands something out', () => {
    for (let dueMs = 0; dueMs < 900; dueMs += 13) {
      const { wheel } = wheelOf({ a: dueMs })
      const nextMs = wheel.nextMs(0, 1_000)
      expect(wheel.take(nextMs - 0.001)).toEqual([])
      expect(names(wheel.take(nextMs))).toEqual(['a'])
    }
  })
})
