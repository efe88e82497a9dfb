// One figure of the benchmark, what it should be, and the floor that was measured in the same run.

import { table } from '../../cli/table.ts'

export type Figure = {
  /** What was measured, with all that it depends on: `CPU an attempt, TCP`. */
  readonly name: string
  readonly value: number
  readonly unit: 'us' | 'ms' | 's' | 'MB' | '%' | '/s' | 'writes' | 'kills' | 'x'
  /** The same without us: bare calls, an idling program, half a period. In the same unit. */
  readonly floor?: number
  readonly aim?: Aim
}

/** `most` and `least` are bounds in the figure's own unit; `timesFloor` is a bound in floors. */
export type Aim = {
  readonly most?: number
  readonly least?: number
  readonly timesFloor?: number
}

/** Whether it keeps to its aim; undefined without one. */
export function isMet({ value, floor = Number.NaN, aim }: Figure): boolean | undefined {
  if (!aim) return undefined
  const { most = Number.POSITIVE_INFINITY, least = Number.NEGATIVE_INFINITY, timesFloor } = aim
  return (
    value <= most && value >= least && (timesFloor === undefined || value <= timesFloor * floor)
  )
}

/** All of them as a table for people. */
export function figuresTable(figures: readonly Figure[]): string {
  return table(
    ['FIGURE', 'VALUE', 'FLOOR', 'AIM', ''],
    figures.map((figure) => [
      figure.name,
      `${rounded(figure.value)} ${figure.unit}`,
      figure.floor === undefined ? '' : `${rounded(figure.floor)} ${figure.unit}`,
      aimText(figure.aim),
      { true: 'met', false: 'MISSED', undefined: '' }[`${isMet(figure)}`],
    ]),
  )
}

function aimText({ most, least, timesFloor }: Aim = {}): string {
  const bounds = [
    most === undefined ? [] : [`<= ${rounded(most)}`],
    least === undefined ? [] : [`>= ${rounded(least)}`],
    timesFloor === undefined ? [] : [`<= ${timesFloor} x floor`],
  ]
  return bounds.flat().join(', ')
}

function rounded(value: number): string {
  return String(Number(value.toPrecision(3)))
}

/** The value below which the share `p` (0 to 1) of `values` lies; NaN of none. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? Number.NaN
}
