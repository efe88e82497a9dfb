// One line of figures for the log of a test run: what was measured, next to what is asserted.

export function report(what: string, figures: Readonly<Record<string, number>>): void {
  const texts = Object.entries(figures).map(
    ([name, value]) => `${name} ${Number(value.toFixed(2))}`,
  )
  console.log(`${what}: ${texts.join(', ')}`)
}
