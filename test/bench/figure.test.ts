// What the benchmark's table shows of a figure.

import { expect, test } from 'bun:test'
import { figuresTable } from './figure.ts'

test('figuresTable() rounds a value, its floor and its aim alike', () => {
  const figure = {
    name: 'RSS',
    value: 46.51,
    unit: 'MB',
    floor: 31.84,
    aim: { most: 51.8046875 },
  } as const
  expect(figuresTable([figure])).toMatch(/^RSS +46\.5 MB +31\.8 MB +<= 51\.8 +met$/m)
})
