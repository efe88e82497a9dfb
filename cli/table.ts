// Aligned columns for people, as kubectl prints them. Pure.

/** `rows` under `header`, columns three spaces apart, no space at the ends of lines. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows]
  const widths = header.map((_, column) =>
    Math.max(...all.map((row) => Bun.stringWidth(row[column] ?? ''))),
  )
  return all
    .map((row) =>
      row
        .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - Bun.stringWidth(cell)))
        .join('   ')
        .trimEnd(),
    )
    .join('\n')
    .concat('\n')
}
