// Metrics as Prometheus text, read as strictly as Prometheus does.

export type Sample = {
  readonly name: string
  readonly labels: ReadonlyMap<string, string>
  readonly value: number
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y

/** All samples at `url`. Throws on a line that is not of the format or has no HELP and TYPE before it. */
export async function samples(url: string): Promise<Sample[]> {
  const answer = await fetch(url)
  if (!answer.ok) throw new Error(`Cannot read ${url}: HTTP ${answer.status}`)
  return parseSamples(await answer.text())
}

/** The samples of a text. Throws on a line that is not of the format or has no HELP and TYPE before it. */
export function parseSamples(text: string): Sample[] {
  if (!text.endsWith('\n')) throw new Error('Cannot read metrics that end within a line')
  const typed = new Set<string>()
  const found: Sample[] = []
  for (const line of text.slice(0, -1).split('\n')) {
    const type = /^# TYPE (\S+) (?:counter|gauge|histogram)$/.exec(line)
    if (type?.[1]) typed.add(type[1])
    if (line.startsWith('#')) continue
    const [, name = '', labels = '', value = ''] = SAMPLE.exec(line) ?? []
    const family = typed.has(name) ? name : name.replace(/_(?:bucket|sum|count)$/, '')
    if (!typed.has(family)) throw new Error(`Cannot read the metrics line "${line}"`)
    found.push({ name, labels: parseLabels(labels), value: Number(value) })
  }
  return found
}

function parseLabels(text: string): Map<string, string> {
  const labels = new Map<string, string>()
  LABEL.lastIndex = 0
  while (LABEL.lastIndex < text.length) {
    const match = LABEL.exec(text)
    if (!match?.[1]) throw new Error(`Cannot read the labels ${text}`)
    labels.set(
      match[1],
      (match[2] ?? '').replace(/\\(.)/g, (_, c) => (c === 'n' ? '\n' : c)),
    )
  }
  return labels
}
