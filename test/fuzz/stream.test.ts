// Watch streams cut at random bytes: every whole line arrives once and unharmed, and nothing else does.

import { expect, test } from 'bun:test'
import { jsonLines } from '../../k8s/lines.ts'
import type { Random } from '../random.ts'
import { forCases } from './cases.ts'

test('a stream cut anywhere gives the lines that came whole, in order', async () => {
  await forCases(30_000, async (random) => {
    const values = Array.from({ length: 1 + random.below(8) }, () => event(random))
    const bytes = Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(''))
    const end = random.next() < 0.5 ? bytes.length : random.below(bytes.length)
    const whole = bytes.subarray(0, end).toString('latin1').split('\n').length - 1
    const got: unknown[] = []
    for await (const value of jsonLines(pieces(bytes.subarray(0, end), random))) got.push(value)
    expect(got).toEqual(values.slice(0, whole))
  })
})

function event(random: Random): unknown {
  const text = random.pick(['', 'é', '😀', '中文', 'x'.repeat(random.below(300)), '\n', '\u2028'])
  return { type: random.pick(['ADDED', 'BOOKMARK']), object: { text, n: random.below(1e6) } }
}

async function* pieces(bytes: Uint8Array, random: Random): AsyncGenerator<Uint8Array> {
  const most = 1 + random.below(64)
  for (let at = 0; at < bytes.length; ) {
    const next = Math.min(bytes.length, at + 1 + random.below(most))
    yield bytes.subarray(at, next)
    at = next
  }
}
