// One line is one event, whatever is in it; a reader that stalls costs lines and nothing else.

import { describe, expect, test } from 'bun:test'
import * as v from 'valibot'
import { jsonLines } from '../../k8s/lines.ts'
import { createLog, type Fields } from '../../k8s/log.ts'

/** A sink that holds what it is given, and whose reader takes it when the test says so. */
class Sink {
  readonly texts: string[] = []
  readonly #waiting: (() => void)[] = []
  write(text: string, onTaken: () => void): void {
    this.texts.push(text)
    this.#waiting.push(onTaken)
  }
  read(): void {
    for (const onTaken of this.#waiting.splice(0)) onTaken()
  }
  get text(): string {
    return this.texts.join('')
  }
}

function logged(format: 'text' | 'json', message: string, fields: Fields): string {
  const sink = new Sink()
  createLog({ format, verbosity: 0 }, sink).info(message, fields)
  return sink.text
}

/** The line without its time. */
function textOf(message: string, fields: Fields = {}): string {
  return logged('text', message, fields).replace(/^\S+ /, '')
}

describe('a text line', () => {
  const cases: readonly (readonly [name: string, fields: Fields, expected: string])[] = [
    ['plain words', { namespace: 'ns', name: 'web' }, 'namespace=ns name=web'],
    ['numbers and truths', { n: 1.5, is: false }, 'n=1.5 is=false'],
    ['nothing for undefined', { a: undefined, b: 'x' }, 'b=x'],
    ['quotes for spaces', { reason: 'connect ECONNREFUSED' }, 'reason="connect ECONNREFUSED"'],
    ['quotes for nothing', { reason: '' }, 'reason=""'],
    ['quotes for what looks like a field', { a: 'b=c' }, 'a="b=c"'],
    ['quotes for quotes', { a: 'say "hi"' }, 'a="say \\"hi\\""'],
    ['addresses as they are', { target: '[fd00::1]:80' }, 'target=[fd00::1]:80'],
    ['letters of any script', { name: 'bücher語' }, 'name=bücher語'],
  ]
  for (const [name, fields, expected] of cases) {
    test(`has ${name}`, () => expect(textOf('message', fields)).toBe(`INFO  message ${expected}\n`))
  }

  test('begins with the time and the level', () => {
    expect(logged('text', 'message', {})).toMatch(
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO {2}message\n$/,
    )
  })
})

/** What could end a line, hide one, or move a terminal's cursor. */
const hostile = [
  '\n',
  '\r',
  '\u0000',
  '\u001b[2J',
  '\u007f',
  '\u0085',
  '\u009b2J',
  '\u2028',
  '\u2029',
]

for (const format of ['text', 'json'] as const) {
  describe(`a ${format} line cannot be forged`, () => {
    for (const text of hostile) {
      const shown = JSON.stringify(text).replace(/[\u007f-\u009f\u2028\u2029]/g, (c) =>
        c.charCodeAt(0).toString(16),
      )
      test(`by ${shown} in a field`, () => {
        const line = logged(format, 'message', { reason: `a${text}2026 ERROR forged` })
        expect(line.slice(0, -1)).not.toMatch(/[\p{Cc}\u2028\u2029]/u)
        expect(line.endsWith('\n')).toBe(true)
      })
      test(`by ${shown} in the message`, () => {
        const line = logged(format, `a${text}2026 ERROR forged`, {})
        expect(line.slice(0, -1)).not.toMatch(/[\p{Cc}\u2028\u2029]/u)
      })
    }
  })
}

describe('a JSON line', () => {
  test('is one object with time, level, message and the fields', () => {
    const value: unknown = JSON.parse(
      logged('json', 'applying', { name: 'web', n: 1, is: true, absent: undefined }),
    )
    expect(value).toEqual({
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      level: 'info',
      message: 'applying',
      name: 'web',
      n: 1,
      is: true,
    })
  })

  test('gives every text back as it was', () => {
    for (const reason of [...hostile, '"\\', '\ud800', '𝄞'])
      expect(JSON.parse(logged('json', 'm', { reason }))).toMatchObject({ reason })
  })
})

describe('verbosity', () => {
  for (const [verbosity, levels] of [
    [0, ['error', 'warn', 'info']],
    [3, ['error', 'warn', 'info']],
    [4, ['error', 'warn', 'info', 'debug']],
    [10, ['error', 'warn', 'info', 'debug']],
  ] as const) {
    test(`${verbosity} writes ${levels.join(', ')}`, () => {
      const sink = new Sink()
      const log = createLog({ format: 'json', verbosity }, sink)
      for (const level of ['error', 'warn', 'info', 'debug'] as const) log[level]?.('m')
      expect(sink.texts.map((line) => JSON.parse(line).level)).toEqual([...levels])
    })
  }
})

describe('a sink whose reader stalls', () => {
  test('gets no more lines than 256 KiB, and is told how many it missed', () => {
    const sink = new Sink()
    const log = createLog({ format: 'json', verbosity: 0 }, sink)
    for (let n = 0; n < 1_000; n++) log.info('line', { text: 'x'.repeat(1_000) })
    const taken = sink.texts.length
    expect(sink.text.length).toBeGreaterThan(256 * 1024)
    expect(sink.text.length).toBeLessThan(258 * 1024)
    sink.read()
    log.info('first again')
    log.info('second again')
    const told = sink.texts.slice(taken).map((line) => JSON.parse(line))
    expect(told.map(({ message, dropped }) => [message, dropped])).toEqual([
      ['first again', 1_000 - taken],
      ['second again', undefined],
    ])
  })

  const sign = v.object({ lines: v.number(), rss: v.number(), atMs: v.number() })

  /** A process that logs 200 KB each millisecond, and the signs of life that it gives in 2 s. */
  async function signsOf(onStart: (child: Bun.Subprocess<'pipe', 'pipe', 'pipe'>) => unknown) {
    const child = Bun.spawn([process.execPath, `${import.meta.dir}/log.child.ts`], {
      stdin: 'pipe',
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const signs: v.InferOutput<typeof sign>[] = []
    for await (const value of jsonLines(child.stdout)) {
      if (signs.length === 0) await onStart(child)
      signs.push(v.parse(sign, value))
      if (signs.length === 40) break
    }
    child.stdin.end()
    expect(await child.exited).toBe(0)
    return signs
  }

  for (const [name, onStart] of [
    ['a real pipe that nobody reads', () => {}],
    ['a real pipe whose reader has gone', (child) => child.stderr.cancel()],
  ] satisfies [string, Parameters<typeof signsOf>[0]][]) {
    test(`neither stops the process nor fills its memory: ${name}`, async () => {
      const signs = await signsOf(onStart)
      const gaps = signs.slice(1).map(({ atMs }, index) => atMs - (signs[index]?.atMs ?? 0))
      // Without a bound, hundreds of megabytes.
      expect(signs.at(-1)?.lines).toBeGreaterThan(20_000)
      expect(Math.max(...gaps)).toBeLessThan(1_000)
      expect((signs.at(-1)?.rss ?? 0) - (signs[4]?.rss ?? 0)).toBeLessThan(40_000_000)
    }, 20_000)
  }
})
