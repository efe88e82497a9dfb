// Credentials under a running process: read now and then, once at a time, kept when reading fails.

import { describe, expect, test } from 'bun:test'
import { assertPem, type Credentials, readAgain } from '../../k8s/credentials.ts'

function credentialsOf(token: string): Credentials {
  return { headers: { Authorization: token }, tls: {} }
}

/** A source whose reads the test answers, and its clock. */
function watched(answers: readonly (string | Error)[]) {
  const reads: { readonly before: string | undefined; readonly isRefused: boolean }[] = []
  let nowMs = 0
  const source = readAgain(
    async (before, isRefused) => {
      const answer = answers[reads.length] ?? 'last'
      reads.push({ before: before?.headers.Authorization, isRefused })
      if (answer instanceof Error) throw answer
      return credentialsOf(answer)
    },
    () => nowMs,
  )
  const token = async () => (await source.credentials()).headers.Authorization
  const pass = (ms: number) => {
    nowMs += ms
  }
  return { source, reads, token, pass }
}

describe('readAgain()', () => {
  test('reads once a minute', async () => {
    const { token, pass, reads } = watched(['a', 'b'])
    expect(await token()).toBe('a')
    pass(59_999)
    expect(await token()).toBe('a')
    pass(1)
    expect(await token()).toBe('b')
    expect(reads).toEqual([
      { before: undefined, isRefused: false },
      { before: 'a', isRefused: false },
    ])
  })

  test('rejects as long as there were none, and tries each time', async () => {
    const { token, reads } = watched([new Error('no file'), new Error('no file'), 'a'])
    expect(token()).rejects.toThrow('no file')
    await token().catch(() => {})
    await token().catch(() => {})
    expect(await token()).toBe('a')
    expect(reads).toHaveLength(3)
  })

  test('keeps what it has when reading fails, for a minute', async () => {
    const { token, pass, reads } = watched(['a', new Error('being swapped'), 'b'])
    await token()
    pass(60_000)
    expect(await token()).toBe('a')
    pass(59_999)
    expect(await token()).toBe('a')
    expect(reads).toHaveLength(2)
    pass(1)
    expect(await token()).toBe('b')
  })

  test('after forget() reads at once, and says that what it had was refused', async () => {
    const { source, token, reads } = watched(['a', 'b', 'c'])
    await token()
    source.forget()
    expect(await token()).toBe('b')
    expect(await token()).toBe('b')
    expect(reads[1]).toEqual({ before: 'a', isRefused: true })
    expect(reads).toHaveLength(2)
  })

  test('after doubt() reads at once, and says nothing of a refusal', async () => {
    const { source, token, reads } = watched(['a', 'b'])
    await token()
    source.doubt()
    expect(await token()).toBe('b')
    expect(reads[1]).toEqual({ before: 'a', isRefused: false })
  })

  test('reads once for a hundred who ask at the same time', async () => {
    const { token, reads } = watched(['a'])
    const all = await Promise.all(Array.from({ length: 100 }, () => token()))
    expect(new Set(all)).toEqual(new Set(['a']))
    expect(reads).toHaveLength(1)
  })

  test('reads again after a refusal that came while it was reading', async () => {
    const gate = Promise.withResolvers<void>()
    let reads = 0
    const source = readAgain(async () => {
      reads++
      if (reads === 1) await gate.promise
      return credentialsOf(`read ${reads}`)
    })
    const first = source.credentials()
    source.forget()
    gate.resolve()
    expect((await first).headers.Authorization).toBe('read 1')
    expect((await source.credentials()).headers.Authorization).toBe('read 2')
  })
})

describe('assertPem()', () => {
  const whole = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----'
  for (const text of [whole, `${whole}\n`, `text before\n${whole}`, `${whole}\n${whole}`]) {
    test(`takes ${JSON.stringify(text)}`, () => assertPem(text, 'x'))
  }
  for (const text of ['', 'garbage', whole.slice(0, -10), whole.slice(10), '-----BEGIN X-----']) {
    test(`refuses ${JSON.stringify(text)}, without showing it`, () => {
      expect(() => assertPem(text, 'client-key')).toThrow(/^client-key holds no PEM block$/)
    })
  }
})
