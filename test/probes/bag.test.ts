import { expect, test } from 'bun:test'
import { type Placed, putIn, takeOut } from '../../probes/bag.ts'

type Item = Placed & { readonly name: string }

function bagOf(...names: string[]): Item[] {
  const bag: Item[] = []
  for (const name of names) putIn(bag, { name, place: -1 })
  return bag
}

test.each([
  ['the first', 'a', ['d', 'b', 'c']],
  ['one in the middle', 'b', ['a', 'd', 'c']],
  ['the last', 'd', ['a', 'b', 'c']],
])('%s can be taken out, once, and each of the others knows where it stands', (_, name, left) => {
  const bag = bagOf('a', 'b', 'c', 'd')
  const item = bag.find((each) => each.name === name)
  if (!item) throw new Error('There is no such item')
  expect(takeOut(bag, item)).toBe(true)
  expect(takeOut(bag, item)).toBe(false)
  expect(bag.map((each) => each.name)).toEqual(left)
  expect(bag.map(({ place }) => place)).toEqual([0, 1, 2])
  expect(item.place).toBeLessThan(0)
})

test('what was taken out can be put in again', () => {
  const bag = bagOf('a')
  const [a] = bag
  if (!a) throw new Error('There is no item')
  takeOut(bag, a)
  expect(bag).toEqual([])
  putIn(bag, a)
  expect(bag).toEqual([a])
  expect(a.place).toBe(0)
})
