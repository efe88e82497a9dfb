// Lines come in any pieces; values come out whole, once, in order.

import { describe, expect, test } from 'bun:test'
import { jsonLines } from '../../k8s/lines.ts'
import { createRandom, SEED } from '../random.ts'

const MEGABYTE = 1024 * 1024

async function* piecesOf(...pieces: readonly (string | Uint8Array)[]) {
  for (const piece of pieces) yield Buffer.from(piece)
}

async function read(...pieces: readonly (string | Uint8Array)[]): Promise<unknown[]> {
  return await Array.fromAsync(jsonLines(piecesOf(...pieces)))
}

describe('jsonLines()', () => {
  const cases: readonly { name: string; pieces: readonly string[]; values: readonly unknown[] }[] =
    [
      { name: 'nothing', pieces: [], values: [] },
      { name: 'empty pieces', pieces: ['', '', ''], values: [] },
      { name: 'one line', pieces: ['{"a":1}\n'], values: [{ a: 1 }] },
      { name: 'two lines in one piece', pieces: ['1\n2\n'], values: [1, 2] },
      { name: 'one line in three pieces', pieces: ['[1', ',2', ']\n'], values: [[1, 2]] },
      { name: 'an empty piece in a line', pieces: ['[1', '', ']\n'], values: [[1]] },
      { name: 'the newline alone', pieces: ['true', '\n', 'false', '\n'], values: [true, false] },
      { name: 'empty lines', pieces: ['\n\n1\n\n', '\n2\n'], values: [1, 2] },
      { name: 'carriage returns', pieces: ['1\r\n2\r', '\n'], values: [1, 2] },
      { name: 'white space around', pieces: [' {"a" : 1} \n'], values: [{ a: 1 }] },
      { name: 'an end without newline', pieces: ['1\n2'], values: [1] },
      { name: 'nothing but half a line', pieces: ['{"type":"MODIF'], values: [] },
      { name: 'a newline inside a text', pieces: ['"a\\nb"\n'], values: ['a\nb'] },
      { name: 'null', pieces: ['null\n'], values: [null] },
    ]
  for (const { name, pieces, values } of cases) {
    test(`reads ${name}`, async () => expect(await read(...pieces)).toEqual([...values]))
  }

  const values = [{ name: 'ü€𝄞', at: 'naïve\u2028' }, [], 'ascii', { deep: { er: [1, null] } }]
  const text = Buffer.from(`${values.map((value) => JSON.stringify(value)).join('\n\n')}\n`)

  test('reads the same wherever the stream is cut, within a character too', async () => {
    for (let cut = 0; cut <= text.length; cut++) {
      expect(await read(text.subarray(0, cut), text.subarray(cut))).toEqual(values)
    }
  })

  test('reads the same in pieces of any size', async () => {
    for (let size = 1; size <= text.length; size++) {
      const count = Math.ceil(text.length / size)
      const pieces = Array.from({ length: count }, (_, n) =>
        text.subarray(n * size, (n + 1) * size),
      )
      expect(await read(...pieces)).toEqual(values)
    }
  })

  test('hands over every line that was whole when the stream broke, at every byte', async () => {
    async function* breaking(at: number) {
      yield text.subarray(0, at)
      throw new Error('reset')
    }
    for (let at = 0; at <= text.length; at++) {
      const whole = text.subarray(0, at).toString().split('\n').slice(0, -1).filter(Boolean)
      const seen: unknown[] = []
      const reading = async () => {
        for await (const value of jsonLines(breaking(at))) seen.push(value)
      }
      await expect(reading()).rejects.toThrow('reset')
      expect(seen).toEqual(whole.map((line) => JSON.parse(line)))
    }
  })

  test(`reads 2,000 random streams in random pieces (FUZZ_SEED=${SEED})`, async () => {
    const random = createRandom(SEED)
    const alphabet = ['a', '"', '\\', '\n', 'é', '語', '🏴', '\u0000', '{', ' ']
    const word = () =>
      Array.from({ length: random.below(30) }, () => alphabet[random.below(alphabet.length)]).join(
        '',
      )
    for (let round = 0; round < 2_000; round++) {
      const sent = Array.from({ length: random.below(5) }, () => ({ [word()]: word() }))
      const bytes = Buffer.from(sent.map((value) => `${JSON.stringify(value)}\n`).join(''))
      const pieces: Uint8Array[] = []
      for (let start = 0; start < bytes.length; ) {
        const end = start + 1 + random.below(12)
        pieces.push(bytes.subarray(start, end))
        start = end
      }
      expect(await read(...pieces)).toEqual(sent)
    }
  })

  for (const bad of ['{', 'nonsense', '1 2', "{'a':1}", '\u0000']) {
    test(`throws SyntaxError on the line ${JSON.stringify(bad)}, after the lines before it`, async () => {
      const lines = jsonLines(piecesOf(`1\n${bad}\n2\n`))
      expect((await lines.next()).value).toBe(1)
      await expect(lines.next()).rejects.toBeInstanceOf(SyntaxError)
    })
  }

  test('reads one line of 20 MB in pieces of 16 KiB within seconds', async () => {
    const piece = 'x'.repeat(16 * 1024)
    const count = (20 * MEGABYTE) / piece.length
    async function* huge() {
      yield Buffer.from('"')
      for (let n = 0; n < count; n++) yield Buffer.from(piece)
      yield Buffer.from('"\n1\n')
    }
    const startMs = performance.now()
    const [text, one] = await Array.fromAsync(jsonLines(huge()))
    expect(String(text)).toHaveLength(20 * MEGABYTE)
    expect(one).toBe(1)
    expect(performance.now() - startMs).toBeLessThan(5_000)
  })

  test('refuses a line without end at 32 MiB, whatever its pieces', async () => {
    let taken = 0
    async function* endless() {
      for (;;) {
        taken += MEGABYTE
        yield Buffer.alloc(MEGABYTE, 120)
      }
    }
    await expect(Array.fromAsync(jsonLines(endless()))).rejects.toBeInstanceOf(RangeError)
    // One piece more than it may hold.
    expect(taken).toBe(33 * MEGABYTE)
  })

  test('bounds a line, not the stream', async () => {
    const line = Buffer.from(`"${'x'.repeat(MEGABYTE)}"\n`)
    async function* many() {
      for (let n = 0; n < 40; n++) yield line
    }
    let count = 0
    for await (const _ of jsonLines(many())) count++
    expect(count).toBe(40)
  })

  test('ends its source when the reader leaves', async () => {
    let isEnded = false
    async function* source() {
      try {
        for (;;) yield Buffer.from('1\n')
      } finally {
        isEnded = true
      }
    }
    for await (const _ of jsonLines(source())) break
    expect(isEnded).toBe(true)
  })
})
