import { describe, expect, test } from 'bun:test'
import { type Cell, table } from './table.ts'
import { type Line, rendered, span } from './text.ts'

const ROWS: readonly (readonly Cell[])[] = [
  ['NAME', 'ENDPOINTS', 'AGE'],
  ['endpoints/shop', span('10.33.40.151:80,10.33.40.152:80', 'good'), '9s'],
]

function plain(lines: readonly Line[]): string[] {
  return lines.map((line) => rendered(line, { columns: 200, isColoured: false }))
}

describe('table()', () => {
  test('prints columns as kubectl does', () => {
    expect(plain(table(ROWS))).toEqual([
      'NAME             ENDPOINTS                         AGE',
      'endpoints/shop   10.33.40.151:80,10.33.40.152:80   9s',
    ])
  })

  test('leaves no blanks at the end of a line', () => {
    expect(
      plain(
        table([
          ['A', 'B'],
          ['long cell', ''],
        ]),
      ),
    ).toEqual(['A           B', 'long cell'])
  })

  test('is empty without rows', () => {
    expect(table([])).toEqual([])
  })

  const widths: readonly [columns: number, second: string][] = [
    [54, 'endpoints/shop   10.33.40.151:80,10.33.40.152:80   9s'],
    [53, 'endpoints/shop   10.33.40.151:80,10.33.40.152:…   9s'],
    [38, 'endpoints/shop   10.33.40.151:8…   9s'],
    [34, 'endpoints/sh…   10.33.40.15…   9s'],
    [0, 'endpoin…   10.33.4…   9s'],
  ]
  test.each(widths)(
    'in %d columns its widest ones shrink, never below what can be read',
    (columns, second) => {
      expect(plain(table(ROWS, columns))[1]).toBe(second)
    },
  )
})

describe('rendered()', () => {
  const line: Line = [span('db   '), span('Out', 'bad'), span('   3s', 'dim')]

  test('colours nothing but what has a tone', () => {
    const colours = { columns: 80, isColoured: true }
    expect(rendered(line, colours)).toBe('db   \x1b[31mOut\x1b[0m\x1b[2m   3s\x1b[0m')
    expect(rendered(line, { ...colours, isColoured: false })).toBe('db   Out   3s')
  })

  test('is never wider than its columns, whatever the colours', () => {
    for (let columns = 0; columns <= 14; columns++) {
      for (const isColoured of [true, false]) {
        const text = Bun.stripANSI(rendered(line, { columns, isColoured }))
        expect(text.length).toBeLessThanOrEqual(columns)
      }
    }
  })
})
