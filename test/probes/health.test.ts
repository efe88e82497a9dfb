import { describe, expect, test } from 'bun:test'
import { type Health, isInDoubt, observe, seed, type Thresholds } from '../../probes/health.ts'
import { failed, type Outcome, ok, unknown } from '../../probes/target.ts'

/** `o` answered, `f` failed, `?` unknown. */
const OUTCOMES: Readonly<Record<string, Outcome>> = {
  o: ok,
  f: failed('down'),
  '?': unknown('no route to host'),
}

function outcomeOf(letter: string): Outcome {
  const outcome = OUTCOMES[letter]
  if (!outcome) throw new Error(`no such outcome: ${letter}`)
  return outcome
}

function seedOf(start: 'H' | 'U', reason = ''): Health {
  return seed(start === 'H' ? 'healthy' : 'unhealthy', 0, reason)
}

/** The health after each of `outcomes`, one per millisecond. */
function history(
  start: Health,
  outcomes: readonly Outcome[],
  thresholds: Thresholds,
): readonly Health[] {
  const healths: Health[] = []
  let health = start
  for (const [index, outcome] of outcomes.entries()) {
    health = observe(health, outcome, thresholds, index + 1)
    healths.push(health)
  }
  return healths
}

function thresholds(successThreshold: number, failureThreshold: number): Thresholds {
  return { successThreshold, failureThreshold }
}

describe('observe() counts as the kubelet does', () => {
  // H healthy, U unhealthy; under them ! where the next attempt is worth hurrying.
  const rows = [
    // Published, and it takes 3 failures in a row to go: not 2, not 4, and an answer begins anew.
    { start: 'H', need: [1, 3], outcomes: 'oooo', verdicts: 'HHHH', doubts: '....' },
    { start: 'H', need: [1, 3], outcomes: 'f', verdicts: 'H', doubts: '!' },
    { start: 'H', need: [1, 3], outcomes: 'ff', verdicts: 'HH', doubts: '!!' },
    { start: 'H', need: [1, 3], outcomes: 'fff', verdicts: 'HHU', doubts: '!!.' },
    { start: 'H', need: [1, 3], outcomes: 'ffffff', verdicts: 'HHUUUU', doubts: '!!....' },
    { start: 'H', need: [1, 3], outcomes: 'ffofff', verdicts: 'HHHHHU', doubts: '!!.!!.' },
    { start: 'H', need: [1, 3], outcomes: 'ffoffoff', verdicts: 'HHHHHHHH', doubts: '!!.!!.!!' },
    { start: 'H', need: [1, 3], outcomes: 'ofofofof', verdicts: 'HHHHHHHH', doubts: '.!.!.!.!' },
    { start: 'H', need: [1, 3], outcomes: 'fffo', verdicts: 'HHUH', doubts: '!!..' },
    { start: 'H', need: [1, 3], outcomes: 'fffoff', verdicts: 'HHUHHH', doubts: '!!..!!' },
    { start: 'H', need: [1, 3], outcomes: 'fffofff', verdicts: 'HHUHHHU', doubts: '!!..!!.' },
    // Not published: the first answer is enough, failures change nothing.
    { start: 'U', need: [1, 3], outcomes: 'o', verdicts: 'H', doubts: '.' },
    { start: 'U', need: [1, 3], outcomes: 'ffff', verdicts: 'UUUU', doubts: '....' },
    { start: 'U', need: [1, 3], outcomes: 'ffo', verdicts: 'UUH', doubts: '...' },
    { start: 'U', need: [1, 3], outcomes: 'offo', verdicts: 'HHHH', doubts: '.!!.' },
    // Thresholds of one follow every outcome.
    { start: 'H', need: [1, 1], outcomes: 'fofof', verdicts: 'UHUHU', doubts: '.....' },
    { start: 'U', need: [1, 1], outcomes: 'fofof', verdicts: 'UHUHU', doubts: '.....' },
    // Two failures.
    { start: 'H', need: [1, 2], outcomes: 'fofoff', verdicts: 'HHHHHU', doubts: '!.!.!.' },
    // Two and three answers.
    { start: 'U', need: [2, 3], outcomes: 'oo', verdicts: 'UH', doubts: '!.' },
    { start: 'U', need: [2, 3], outcomes: 'ofoo', verdicts: 'UUUH', doubts: '!.!.' },
    { start: 'U', need: [3, 3], outcomes: 'oofooo', verdicts: 'UUUUUH', doubts: '!!.!!.' },
    { start: 'U', need: [3, 1], outcomes: 'ooofooo', verdicts: 'UUHUUUH', doubts: '!!..!!.' },
    { start: 'H', need: [2, 2], outcomes: 'ffoof', verdicts: 'HUUHH', doubts: '!.!.!' },
    { start: 'H', need: [3, 2], outcomes: 'ffofooo', verdicts: 'HUUUUUH', doubts: '!.!.!!.' },
    // A host that is believed keeps its verdict on its first answer, however many it would need.
    { start: 'H', need: [3, 3], outcomes: 'offo', verdicts: 'HHHH', doubts: '.!!.' },
    // Unknown counts neither way: it does not end a run and does not add to it.
    { start: 'H', need: [1, 3], outcomes: '????', verdicts: 'HHHH', doubts: '!!!!' },
    { start: 'U', need: [1, 3], outcomes: '????', verdicts: 'UUUU', doubts: '!!!!' },
    { start: 'H', need: [1, 3], outcomes: 'o???', verdicts: 'HHHH', doubts: '....' },
    { start: 'H', need: [1, 3], outcomes: 'f?f?f', verdicts: 'HHHHU', doubts: '!!!!.' },
    { start: 'H', need: [1, 3], outcomes: 'ff??', verdicts: 'HHHH', doubts: '!!!!' },
    { start: 'H', need: [1, 1], outcomes: '?f?', verdicts: 'HUU', doubts: '!..' },
    { start: 'U', need: [2, 3], outcomes: 'o?o', verdicts: 'UUH', doubts: '!!.' },
    { start: 'U', need: [2, 3], outcomes: '?o?f?o', verdicts: 'UUUUUU', doubts: '!!!..!' },
  ] as const
  for (const { start, need, outcomes, verdicts, doubts } of rows) {
    const [success, failure] = need
    test(`${start} + ${outcomes} = ${verdicts}, when ${success} ok or ${failure} failures are needed`, () => {
      const healths = history(
        seedOf(start),
        [...outcomes].map(outcomeOf),
        thresholds(success, failure),
      )
      expect(healths.map((each) => (each.verdict === 'healthy' ? 'H' : 'U')).join('')).toBe(
        verdicts,
      )
      expect(healths.map((each) => (isInDoubt(each) ? '!' : '.')).join('')).toBe(doubts)
    })
  }
})

describe('observe() keeps the time', () => {
  test('at which the verdict last changed, and no other', () => {
    const outcomes = [...'offfffo?o'].map(outcomeOf)
    const sinces = history(seedOf('H'), outcomes, thresholds(1, 3)).map(({ sinceMs }) => sinceMs)
    expect(sinces).toEqual([0, 0, 0, 4, 4, 4, 7, 7, 7])
  })
})

describe('observe() keeps the reason', () => {
  // Letters are reasons; o answers, ? is unknown. Below: the reason that is shown, - for none.
  const rows = [
    { name: 'none while it is healthy', start: 'H', need: [1, 3], reasons: 'aab', shown: '--b' },
    {
      name: 'that of the failure which took it out',
      start: 'H',
      need: [1, 3],
      reasons: 'abc',
      shown: '--c',
    },
    {
      name: 'none any more once it is healthy',
      start: 'H',
      need: [1, 1],
      reasons: 'ao',
      shown: 'a-',
    },
    { name: 'that of its first failure', start: 'U', need: [1, 3], reasons: 'a', shown: 'a' },
    {
      name: 'while it alternates',
      start: 'U',
      need: [1, 3],
      reasons: 'abababab',
      shown: 'aaaaaaaa',
    },
    {
      name: 'until another came three times in a row',
      start: 'U',
      need: [1, 3],
      reasons: 'abbb',
      shown: 'aaab',
    },
    {
      name: 'when the rival was interrupted',
      start: 'U',
      need: [1, 3],
      reasons: 'abbabb',
      shown: 'aaaaaa',
    },
    {
      name: 'when rivals interrupt each other',
      start: 'U',
      need: [1, 3],
      reasons: 'abbcbbc',
      shown: 'aaaaaaa',
    },
    {
      name: 'until the rival of a rival lasted',
      start: 'U',
      need: [1, 3],
      reasons: 'abbccc',
      shown: 'aaaaac',
    },
    {
      name: 'when an answer interrupted the rival',
      start: 'U',
      need: [2, 3],
      reasons: 'abbobb',
      shown: 'aaaaaa',
    },
    {
      name: 'whatever is unknown meanwhile',
      start: 'U',
      need: [1, 3],
      reasons: 'ab?b?b',
      shown: 'aaaaab',
    },
    {
      name: 'and lets it go at once if one failure is enough',
      start: 'U',
      need: [1, 1],
      reasons: 'abab',
      shown: 'abab',
    },
    {
      name: 'and lets it go at the second of two',
      start: 'U',
      need: [1, 2],
      reasons: 'abab',
      shown: 'aaaa',
    },
    {
      name: 'and lets it go at the second of two in a row',
      start: 'U',
      need: [1, 2],
      reasons: 'abb',
      shown: 'aab',
    },
  ] as const
  for (const { name, start, need, reasons, shown } of rows) {
    const [success, failure] = need
    test(`${name}: ${reasons} shows ${shown}`, () => {
      const outcomes = [...reasons].map((letter) =>
        letter === 'o' || letter === '?' ? outcomeOf(letter) : failed(letter),
      )
      const healths = history(seedOf(start), outcomes, thresholds(success, failure))
      expect(healths.map(({ reason }) => reason || '-').join('')).toBe(shown)
    })
  }

  test('of a seed until the host itself gives one', () => {
    const health = seedOf('U', 'HTTP 503')
    expect(observe(health, failed('HTTP 500'), thresholds(1, 3), 1).reason).toBe('HTTP 500')
    expect(observe(health, failed('HTTP 503'), thresholds(1, 3), 1).reason).toBe('HTTP 503')
  })

  test('why nothing is known of a host that was never heard and is not believed', () => {
    const before = seedOf('U')
    const after = observe(before, unknown('no route to host'), thresholds(1, 3), 1)
    expect(after).toEqual({ ...before, reason: 'no route to host' })
    expect(observe(after, unknown('no route to host'), thresholds(1, 3), 2)).toBe(after)
  })

  test('and does not put that of the unknown in its place once the host was heard', () => {
    const [out] = history(seedOf('U'), [failed('HTTP 503')], thresholds(1, 3))
    if (!out) throw new Error('no health')
    expect(observe(out, unknown('no route to host'), thresholds(1, 3), 2)).toBe(out)
  })
})

describe('observe() returns the same value when nothing moved', () => {
  const rows = [
    { name: 'a well host answers', start: 'H', settle: 'oooo', next: 'o' },
    { name: 'a dead host fails as before', start: 'H', settle: 'ffff', next: 'f' },
    { name: 'an unpublished host fails as before', start: 'U', settle: 'ffff', next: 'f' },
    { name: 'nothing is known of a well host', start: 'H', settle: 'o', next: '?' },
    { name: 'nothing is known of a believed host', start: 'H', settle: '', next: '?' },
    { name: 'nothing is known of a host in doubt', start: 'H', settle: 'ff', next: '?' },
  ] as const
  for (const { name, start, settle, next } of rows) {
    test(name, () => {
      const need = thresholds(2, 3)
      const before =
        history(seedOf(start), [...settle].map(outcomeOf), need).at(-1) ?? seedOf(start)
      expect(observe(before, outcomeOf(next), need, 99)).toBe(before)
    })
  }

  test('and never changes the one it was given', () => {
    const start: Health = Object.freeze(seedOf('H'))
    for (const letter of 'of?') observe(start, outcomeOf(letter), thresholds(1, 1), 1)
    expect(start).toEqual(seedOf('H'))
  })
})

describe('observe() with thresholds that change between outcomes', () => {
  const rows = [
    { name: 'a lower one is reached by what was counted', failures: [3, 3, 2], verdicts: 'HHU' },
    { name: 'a higher one asks for more', failures: [3, 3, 5, 5, 5], verdicts: 'HHHHU' },
    { name: 'a run is not counted beyond the larger', failures: [1, 1, 1], verdicts: 'UUU' },
  ]
  for (const { name, failures, verdicts } of rows) {
    test(name, () => {
      let health = seedOf('H')
      let seen = ''
      for (const failureThreshold of failures) {
        health = observe(health, failed('down'), thresholds(1, failureThreshold), 1)
        seen += health.verdict === 'healthy' ? 'H' : 'U'
      }
      expect(seen).toBe(verdicts)
    })
  }

  test('a run stays as small as the larger threshold, however long it is', () => {
    const outcomes = new Array<Outcome>(1_000).fill(failed('down'))
    expect(history(seedOf('H'), outcomes, thresholds(2, 3)).at(-1)?.run).toBe(3)
    expect(history(seedOf('H'), outcomes, thresholds(7, 3)).at(-1)?.run).toBe(7)
  })
})

describe('seed()', () => {
  test('is in doubt, as nothing was heard yet', () => {
    expect(isInDoubt(seedOf('H'))).toBe(true)
    expect(isInDoubt(seedOf('U'))).toBe(true)
  })

  test('keeps the time and the reason that are lent', () => {
    expect(seed('unhealthy', 42, 'HTTP 503')).toMatchObject({
      verdict: 'unhealthy',
      sinceMs: 42,
      reason: 'HTTP 503',
      last: undefined,
    })
  })
})

describe('observe() over 10,000 random sequences', () => {
  const SEED = Number(process.env.HEALTH_SEED ?? Math.floor(Math.random() * 2 ** 32))

  test('removes and publishes exactly when the last outcomes that count say so', () => {
    const random = randomFrom(SEED)
    let removals = 0
    let publications = 0
    for (let sequence = 0; sequence < 10_000; sequence++) {
      const need = thresholds(1 + random(3), 1 + random(3))
      const letters = Array.from({ length: 1 + random(40) }, () => 'ooofff?'.charAt(random(7)))
      const start = random(2) === 0 ? 'H' : 'U'
      const told = `HEALTH_SEED=${SEED} sequence ${sequence}: ${start} + ${letters.join('')}, ${JSON.stringify(need)}`
      let before = seedOf(start)
      let counted = ''
      for (const [index, letter] of letters.entries()) {
        const after = observe(before, outcomeOf(letter), need, index + 1)
        if (letter !== '?') counted += letter
        // What the last outcomes say, from the whole history: nothing is counted here.
        const isDead = counted.endsWith('f'.repeat(need.failureThreshold))
        const isAlive = counted.endsWith('o'.repeat(need.successThreshold))
        const expected =
          before.verdict === 'healthy'
            ? isDead && letter === 'f'
              ? 'unhealthy'
              : 'healthy'
            : isAlive && letter === 'o'
              ? 'healthy'
              : 'unhealthy'
        if (after.verdict !== expected) throw new Error(`${told}: ${after.verdict} at ${index}`)
        const hasTurned = after.verdict !== before.verdict
        if (after.sinceMs !== (hasTurned ? index + 1 : before.sinceMs)) {
          throw new Error(`${told}: since ${after.sinceMs} at ${index}`)
        }
        if (after.verdict === 'healthy' && after.reason !== '') {
          throw new Error(`${told}: reason ${after.reason} at ${index}`)
        }
        if (hasTurned && after.verdict === 'unhealthy') removals++
        if (hasTurned && after.verdict === 'healthy') publications++
        before = after
      }
    }
    expect(removals).toBeGreaterThan(1_000)
    expect(publications).toBeGreaterThan(1_000)
  })
})

/** Whole numbers below a bound, the same ones for the same seed (mulberry32). */
function randomFrom(start: number): (bound: number) => number {
  let state = start >>> 0
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound)
  }
}
