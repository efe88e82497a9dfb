// A table as kubectl prints one: columns as wide as their widest cell, three blanks between them.

import { cropped, type Line, type Span, span } from './text.ts'

export type Cell = string | Span

/** Blanks between columns. Source: kubectl, k8s.io/cli-runtime/pkg/printers: tabwriter with padding 3. */
const GAP = 3
/** Columns below which a cell says nothing any more. */
const SHRUNK_MIN = 8

/**
 * The lines of `rows`, the first of which is the header. Where they do not fit `columnsMax` columns, the
 * widest ones shrink, so that the last ones stay in sight.
 */
export function table(
  rows: readonly (readonly Cell[])[],
  columnsMax = Number.POSITIVE_INFINITY,
): Line[] {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === 'string' ? span(cell) : cell)))
  const widths = fitted(widthsOf(cells), columnsMax)
  return cells.map((row) =>
    row.map(({ text, tone }, index) => {
      const width = widths[index] ?? 0
      const isLast = index === row.length - 1
      return span(cropped(text, width).padEnd(isLast ? 0 : width + GAP), tone)
    }),
  )
}

function widthsOf(rows: readonly (readonly Span[])[]): number[] {
  const count = Math.max(0, ...rows.map((row) => row.length))
  return Array.from({ length: count }, (_, index) =>
    Math.max(...rows.map((row) => row[index]?.text.length ?? 0)),
  )
}

function fitted(wanted: readonly number[], columnsMax: number): number[] {
  const widths = [...wanted]
  for (;;) {
    const total = widths.reduce((sum, width) => sum + width + GAP, -GAP)
    const widest = Math.max(0, ...widths)
    if (total <= columnsMax || widest <= SHRUNK_MIN) return widths
    // One column at a time, so that two wide ones share what is missing.
    widths[widths.lastIndexOf(widest)] = widest - 1
  }
}
