// Prometheus' text format, read by its specification and not by what we write: every rule of a scrape
// that a real server could stumble over.
// Source: prometheus.io/docs/instrumenting/exposition_formats, text format 0.0.4.

export type Metric = {
  readonly type: string
  readonly help: string
  /** By the sample's name and its labels as text, sorted. */
  readonly samples: ReadonlyMap<string, number>
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/
const NUMBER = /^(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[+-]?Inf|NaN)$/

/** The families of a text. Throws with the line that breaks a rule. */
export function parsePrometheus(text: string): Map<string, Metric> {
  if (text !== '' && !text.endsWith('\n')) throw new Error('The last line does not end')
  const families = new Map<string, { type: string; help: string; samples: Map<string, number> }>()
  let current = ''
  for (const line of text.split('\n').slice(0, -1)) {
    const broken = (rule: string) => new Error(`${rule}: ${line}`)
    const meta = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line)
    if (meta) {
      const [, kind, name = '', rest = ''] = meta
      if (!NAME.test(name)) throw broken('Not a metric name')
      if (name !== current && families.has(name)) throw broken('A family comes in two places')
      current = name
      const family = families.get(name) ?? { type: '', help: '', samples: new Map() }
      families.set(name, family)
      if (family.samples.size > 0) throw broken('HELP or TYPE after samples')
      if (kind === 'HELP') family.help = rest
      else if (!/^(counter|gauge|histogram|summary|untyped)$/.test(rest)) throw broken('No type')
      else if (family.type !== '') throw broken('A second TYPE')
      else family.type = rest
      continue
    }
    if (line.startsWith('#') || line === '') continue
    const { name, labels, value } = parseSample(line, broken)
    const family = families.get(current)
    const suffix = name.slice(current.length)
    const isHistogram = family?.type === 'histogram'
    const suffixes = isHistogram ? ['_bucket', '_sum', '_count'] : ['']
    if (!family || !name.startsWith(current) || !suffixes.includes(suffix))
      throw broken('A sample outside of its family')
    const key = `${name}{${[...labels].map(([key, text]) => `${key}=${JSON.stringify(text)}`).sort()}}`
    if (family.samples.has(key)) throw broken('The same series twice')
    if (family.type === 'counter' && !(value >= 0)) throw broken('A counter below zero')
    family.samples.set(key, value)
  }
  for (const [name, family] of families) {
    if (family.type === '' || family.help === '') throw new Error(`${name} has no TYPE or no HELP`)
    if (family.type === 'histogram') checkHistogram(name, family.samples)
  }
  return families
}

function parseSample(line: string, broken: (rule: string) => Error) {
  const nameEnd = line.search(/[{ ]/)
  const name = line.slice(0, nameEnd)
  if (!NAME.test(name)) throw broken('Not a metric name')
  const labels = new Map<string, string>()
  let at = nameEnd
  if (line[at] === '{') {
    at++
    while (line[at] !== '}') {
      const equals = line.indexOf('="', at)
      const label = line.slice(at, equals)
      if (equals < 0 || !LABEL_NAME.test(label)) throw broken('Not a label name')
      if (labels.has(label)) throw broken('The same label twice')
      let text = ''
      at = equals + 2
      for (; line[at] !== '"'; at++) {
        if (at >= line.length) throw broken('A label value without end')
        if (line[at] !== '\\') {
          text += line[at]
          continue
        }
        at++
        const escaped = { '\\': '\\', '"': '"', n: '\n' }[line[at] ?? '']
        if (escaped === undefined) throw broken('An unknown escape')
        text += escaped
      }
      labels.set(label, text)
      at++
      if (line[at] === ',') at++
      else if (line[at] !== '}') throw broken('No comma between labels')
    }
    at++
  }
  if (line[at] !== ' ') throw broken('No space before the value')
  const number = line.slice(at + 1)
  if (!NUMBER.test(number)) throw broken('Not a number')
  return { name, labels, value: Number(number.replace('Inf', 'Infinity')) }
}

/** Buckets are cumulative, in order, end in +Inf, and that one equals _count. */
function checkHistogram(name: string, samples: ReadonlyMap<string, number>): void {
  const buckets = new Map<string, { le: number; count: number }[]>()
  for (const [key, count] of samples) {
    const match = /^(.*)_bucket\{(.*)le="([^"]+)"(.*)\}$/.exec(key)
    if (!match) continue
    const [, , before = '', le = '', after = ''] = match
    const series = `${before}${after}`.replace(/^,|,$/g, '').replace(',,', ',')
    const all = buckets.get(series) ?? []
    buckets.set(series, [...all, { le: Number(le.replace('Inf', 'Infinity')), count }])
  }
  for (const [series, all] of buckets) {
    for (const [index, { le, count }] of all.entries()) {
      const next = all[index + 1]
      if (next && (next.le <= le || next.count < count))
        throw new Error(`${name}{${series}}: bucket ${next.le} is not above ${le}`)
    }
    const last = all.at(-1)
    const count = samples.get(`${name}_count{${series}}`)
    if (last?.le !== Number.POSITIVE_INFINITY || last.count !== count)
      throw new Error(`${name}{${series}}: the last bucket is not +Inf with the count ${count}`)
    if (!samples.has(`${name}_sum{${series}}`)) throw new Error(`${name}{${series}} has no sum`)
  }
}
