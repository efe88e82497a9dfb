// Flags: as the Go original took them, as people type them, and what is said about mistakes.

import { describe, expect, test } from 'bun:test'
import {
  duration,
  type Flag,
  flagHelp,
  oneOf,
  parseFlags,
  UsageError,
  wholeNumber,
} from '../../cli/flags.ts'

const flags: readonly Flag[] = [
  { name: 'kubeconfig', value: 'FILE', fallback: '', help: 'file' },
  { name: 'leader-elect', fallback: '', help: 'elect' },
  { name: 'retry', value: 'DURATION', fallback: '2s', help: 'between attempts' },
  { name: 'v', short: 'v', value: 'N', fallback: '0', help: 'verbosity' },
  { name: 'help', short: 'h', fallback: '', help: 'show this' },
]

function parse(...args: readonly string[]) {
  const parsed = parseFlags(args, flags)
  return {
    kubeconfig: parsed.get('kubeconfig'),
    elect: parsed.isOn('leader-elect'),
    retry: parsed.get('retry'),
    v: parsed.get('v'),
  }
}

function complaint(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError)
    return error instanceof Error ? error.message : ''
  }
  throw new Error('It took it')
}

const nothing = { kubeconfig: '', elect: false, retry: '2s', v: '0' }

describe('parseFlags()', () => {
  const cases: readonly (readonly [args: readonly string[], expected: object])[] = [
    [[], {}],
    [['--kubeconfig', '/a b'], { kubeconfig: '/a b' }],
    [['--kubeconfig=/a=b'], { kubeconfig: '/a=b' }],
    [['--kubeconfig='], { kubeconfig: '' }],
    [['--kubeconfig=true'], { kubeconfig: 'true' }],
    [['--kubeconfig=a', '--kubeconfig=b'], { kubeconfig: 'b' }],
    [['--leader-elect'], { elect: true }],
    [['--leader-elect=true'], { elect: true }],
    [['--leader-elect=false'], { elect: false }],
    [['--leader-elect=1'], { elect: true }],
    [['--leader-elect=T'], { elect: true }],
    [['--leader-elect=True'], { elect: true }],
    [['--leader-elect=0'], { elect: false }],
    [['--leader-elect=FALSE'], { elect: false }],
    [['--leader-elect', '--leader-elect=false'], { elect: false }],
    [['--no-leader-elect'], { elect: false }],
    [['-v', '4'], { v: '4' }],
    [['-v=4'], { v: '4' }],
    [['-v4'], { v: '4' }],
    [['--v=4'], { v: '4' }],
    [['--v', '4'], { v: '4' }],
  ]
  for (const [args, expected] of cases) {
    test(`takes ${JSON.stringify(args)}`, () => {
      expect(parse(...args)).toEqual({ ...nothing, ...expected })
    })
  }

  const mistakes: readonly (readonly [args: readonly string[], message: string])[] = [
    [['--nonsense'], "Unknown option '--nonsense'; see --help"],
    [['-x'], "Unknown option '-x'; see --help"],
    [['--nonsense=1'], "Unknown option '--nonsense'; see --help"],
    [['--leader-elect=maybe'], "Option '--leader-elect' does not take an argument; see --help"],
    [['--leader-elect', 'true'], 'unexpected argument "true"; see --help'],
    [['word'], 'unexpected argument "word"; see --help'],
    [['--', 'word'], 'unexpected argument "word"; see --help'],
    [['--kubeconfig'], "Option '--kubeconfig <value>' argument missing; see --help"],
  ]
  for (const [args, message] of mistakes) {
    test(`refuses ${JSON.stringify(args)}`, () =>
      expect(complaint(() => parse(...args))).toBe(message))
  }

  test('takes as many words as a command allows', () => {
    expect(parseFlags(['a', '--v=1', 'b'], flags, 2).positionals).toEqual(['a', 'b'])
    expect(complaint(() => parseFlags(['a', 'b', 'c'], flags, 2))).toContain('"c"')
  })

  test('has() tells what was given from what is the default', () => {
    const parsed = parseFlags(['--retry=2s', '--leader-elect=false'], flags)
    expect([parsed.has('retry'), parsed.has('leader-elect'), parsed.has('v')]).toEqual([
      true,
      true,
      false,
    ])
  })
})

describe('a flag whose value may be left out', () => {
  const own: readonly Flag[] = [
    { name: 'probe', value: 'tcp|none', implied: 'tcp', fallback: 'none', help: 'probe' },
  ]
  for (const [args, value, words] of [
    [[], 'none', []],
    [['--probe'], 'tcp', []],
    [['--probe', 'none'], 'none', []],
    [['--probe', 'db'], 'tcp', ['db']],
    [['db', '--probe'], 'tcp', ['db']],
    [['--probe=none', 'db'], 'none', ['db']],
  ] as const) {
    test(`${JSON.stringify(args)} is ${value}`, () => {
      const parsed = parseFlags(args, own, 1)
      expect([oneOf(parsed, 'probe', ['tcp', 'none']), parsed.positionals]).toEqual([value, words])
    })
  }

  test('oneOf() names what may be said', () => {
    const read = (...choices: readonly string[]) =>
      complaint(() => oneOf(parseFlags(['--probe=x'], own), 'probe', choices))
    expect(read('tcp', 'udp', 'none')).toBe('--probe must be tcp, udp or none, not "x"')
    expect(read('tcp')).toBe('--probe must be tcp, not "x"')
  })
})

describe('wholeNumber()', () => {
  const read = (text: string) => wholeNumber(parseFlags([`--v=${text}`], flags), 'v', 1, 10)
  for (const [text, value] of [
    ['1', 1],
    ['10', 10],
    ['007', 7],
  ] as const) {
    test(`reads ${text}`, () => expect(read(text)).toBe(value))
  }
  for (const text of [
    '0',
    '11',
    '-1',
    '1.5',
    '',
    ' ',
    'x',
    '1e0',
    '0x5',
    '5 ',
    'NaN',
    'Infinity',
  ]) {
    test(`refuses "${text}"`, () => {
      expect(complaint(() => read(text))).toBe(
        `--v must be a whole number from 1 to 10, not "${text}"`,
      )
    })
  }
})

describe('duration()', () => {
  const read = (text: string) => duration(parseFlags([`--retry=${text}`], flags), 'retry')
  for (const [text, ms] of [
    ['15s', 15_000],
    ['1m30s', 90_000],
    ['500ms', 500],
    ['1.5s', 1_500],
    ['1h', 3_600_000],
    ['0h1m', 60_000],
    ['1ms', 1],
  ] as const) {
    test(`reads ${text}`, () => expect(read(text)).toBe(ms))
  }
  for (const text of [
    '15',
    '',
    '0s',
    '-1s',
    '1h1ms',
    '61m',
    's',
    '1 s',
    '1s ',
    '1d',
    '1,5s',
    '1e3s',
  ]) {
    test(`refuses "${text}"`, () => {
      expect(complaint(() => read(text))).toBe(
        `--retry must be a duration like 15s, up to 1h, not "${text}"`,
      )
    })
  }
})

describe('flagHelp()', () => {
  test('aligns, wraps at 80 columns, tells defaults, and leaves out what is only accepted', () => {
    const text = flagHelp([
      ...flags,
      { name: 'old', fallback: '', help: '' },
      {
        name: 'a-flag-with-a-long-name',
        value: 'DURATION',
        fallback: '15s',
        help: 'of which there is so much to say that it does not fit into one line of a terminal',
      },
    ])
    expect(text).toBe(
      [
        '      --kubeconfig FILE  file',
        '      --leader-elect     elect',
        '      --retry DURATION   between attempts (default 2s)',
        '  -v, --v N              verbosity (default 0)',
        '  -h, --help             show this',
        '      --a-flag-with-a-long-name DURATION',
        '                         of which there is so much to say that it does not fit',
        '                         into one line of a terminal (default 15s)',
      ].join('\n'),
    )
  })
})
