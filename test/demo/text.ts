// Lines of text with tones, so that width and colours are decided where it is known what is there.

/** What a piece of text means; only a terminal in colour shows it. */
export type Tone = 'plain' | 'good' | 'bad' | 'dim' | 'bold'

export type Span = { readonly text: string; readonly tone: Tone }

export type Line = readonly Span[]

/** SGR codes. Source: ECMA-48. */
const CODES: Readonly<Record<Tone, string>> = {
  plain: '',
  good: '32',
  bad: '31',
  dim: '2',
  bold: '1',
}

const ELLIPSIS = '…'

export function span(text: string, tone: Tone = 'plain'): Span {
  return { text, tone }
}

/** A line of one tone. */
export function line(text = '', tone: Tone = 'plain'): Line {
  return [span(text, tone)]
}

/** Lines that begin `columns` to the right. */
export function indented(lines: readonly Line[], columns: number): Line[] {
  return lines.map((each) => [span(' '.repeat(columns)), ...each])
}

/** `text` in at most `columns` columns. Texts here hold only characters of width one. */
export function cropped(text: string, columns: number): string {
  if (text.length <= columns) return text
  return columns < 1 ? '' : `${text.slice(0, columns - 1)}${ELLIPSIS}`
}

/** A line as it is written: in at most `columns` columns, without blanks at its end. */
export function rendered(
  spans: Line,
  { columns, isColoured }: { readonly columns: number; readonly isColoured: boolean },
): string {
  let left = columns
  const pieces = spans.map(({ text, tone }) => {
    const shown = cropped(text, left)
    left -= shown.length
    const code = CODES[tone]
    return isColoured && code !== '' && shown.trim() !== '' ? `\x1b[${code}m${shown}\x1b[0m` : shown
  })
  return pieces.join('').trimEnd()
}
