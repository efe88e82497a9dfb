// What the tests of the documentation read of Markdown: headings, links, blocks of code, rows of tables.

export type Section = {
  /** 1 for the title of the page. */
  readonly level: number
  readonly heading: string
  /** Between this heading and the next, without blocks of code. */
  readonly lines: readonly string[]
  readonly blocks: readonly string[]
}

/** The sections of a page, in their order. Its first line must be a heading. */
export function sectionsOf(markdown: string): Section[] {
  const sections: { level: number; heading: string; lines: string[]; blocks: string[] }[] = []
  let block: string[] | undefined
  for (const line of markdown.trimEnd().split('\n')) {
    const section = sections.at(-1)
    const heading = /^(#+) (.*)$/.exec(line)
    if (block) {
      block.push(line)
      if (line === '```') {
        section?.blocks.push(block.join('\n'))
        block = undefined
      }
    } else if (line.startsWith('```')) block = [line]
    else if (heading?.[1] && heading[2]) {
      sections.push({ level: heading[1].length, heading: heading[2], lines: [], blocks: [] })
    } else if (section) section.lines.push(line)
    else throw new Error(`Cannot read Markdown that does not begin with a heading: ${line}`)
  }
  return sections
}

/** Where links lead, as they are written. */
export function linksOf({ lines }: Section): string[] {
  // Not those in code: `ports[](...)` is none.
  const text = lines.join('\n').replace(/`[^`\n]*`/g, 'code')
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target ?? '')
}

/** The anchors that GitHub gives to the headings of a page. Source: github/cmark-gfm, html-pipeline. */
export function anchorsOf(sections: readonly Section[]): Set<string> {
  const anchors = new Set<string>()
  for (const { heading } of sections) {
    const anchor = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{M}\p{N}_\- ]/gu, '')
      .replaceAll(' ', '-')
    if (anchors.has(anchor)) throw new Error(`Cannot tell two headings "${heading}" apart`)
    anchors.add(anchor)
  }
  return anchors
}

/** The rows of a section's tables, cell by cell, their heads among them. */
export function rowsOf({ lines }: Section): string[][] {
  const rows = lines.filter((line) => line.startsWith('| '))
  return rows.map((row) => {
    const cells = row.split(/(?<!\\)\|/).slice(1, -1)
    return cells.map((cell) => cell.trim())
  })
}
