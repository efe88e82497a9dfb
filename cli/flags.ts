// Flags of the operator, the Go original's among them: one table gives parsing, defaults and --help.

import { parseArgs } from 'node:util'

/** A mistake in how a command was called: one line for people, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export type Flag = {
  readonly name: string
  readonly short?: string
  /** What stands for the value in --help, like `FILE`, or its choices, like `text|json`; absent for a flag without one. */
  readonly value?: string
  /** The value of a flag that is given without one: what follows is its value only if it is one of its choices. */
  readonly implied?: string
  readonly fallback: string
  /** Empty for a flag that is accepted and does nothing: it stays out of --help. */
  readonly help: string
}

/** Columns of --help. */
const WIDTH = 80
/** Columns of a flag and its value; the help of a longer one begins on the next line. */
const LEFT_MAX = 30

export type ParsedFlags = {
  readonly get: (name: string) => string
  /** Whether it was given. */
  readonly has: (name: string) => boolean
  /** Whether a flag without a value is on. */
  readonly isOn: (name: string) => boolean
  readonly positionals: readonly string[]
}

/**
 * Parses `args` by `flags`. Throws UsageError on an unknown flag, a missing value or too many words.
 * Booleans may be given as `--flag`, `--flag=true` or `--flag=false`, as Go programs take them.
 */
export function parseFlags(
  args: readonly string[],
  flags: readonly Flag[],
  positionalsMax = 0,
): ParsedFlags {
  const booleans = new Set(flags.filter(({ value }) => value === undefined).map(({ name }) => name))
  const spelled = args.map((arg, index) => {
    const flag = flags.find(({ name }) => arg === `--${name}`)
    if (flag?.implied !== undefined && !choicesOf(flag).includes(args[index + 1] ?? '')) {
      return `${arg}=${flag.implied}`
    }
    // `-v=4`, as Go programs take it.
    if (/^-[a-z]=/.test(arg)) return `${arg.slice(0, 2)}${arg.slice(3)}`
    // Source: Go, strconv.ParseBool.
    const match = /^--([^=]+)=(?:(1|t|T|TRUE|true|True)|0|f|F|FALSE|false|False)$/.exec(arg)
    if (!match?.[1] || !booleans.has(match[1])) return arg
    return match[2] ? `--${match[1]}` : `--no-${match[1]}`
  })
  const options = Object.fromEntries(
    flags.map(({ name, short, value }) => [
      name,
      { type: value === undefined ? 'boolean' : 'string', ...(short ? { short } : {}) } as const,
    ]),
  )
  const { values, positionals } = parsed(spelled, options)
  const extra = positionals[positionalsMax]
  if (extra !== undefined) throw new UsageError(`unexpected argument "${extra}"; see --help`)
  const fallbacks = new Map(flags.map(({ name, fallback }) => [name, fallback]))
  return {
    get: (name) => String(values[name] ?? fallbacks.get(name) ?? ''),
    has: (name) => values[name] !== undefined,
    isOn: (name) => values[name] === true,
    positionals,
  }
}

function parsed(
  args: readonly string[],
  options: NonNullable<Parameters<typeof parseArgs>[0]>['options'],
) {
  try {
    return parseArgs({
      args: [...args],
      options: options ?? {},
      allowPositionals: true,
      allowNegative: true,
    })
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    throw new UsageError(`${text.split('. ')[0]}; see --help`)
  }
}

/** All that the value of a flag may be, where that is a short list; empty where it is not. */
export function choicesOf({ value = '' }: Flag): string[] {
  return /^[a-z|]+$/.test(value) ? value.split('|') : []
}

/** Flags of the Go original's logging library: a manifest or a script that has them must go on working. */
export const KLOG_FLAGS: readonly Flag[] = [
  ...['add-dir-header', 'alsologtostderr', 'logtostderr', 'one-output'],
  ...['skip-headers', 'skip-log-headers'],
]
  .map((name): Flag => ({ name, fallback: '', help: '' }))
  .concat(
    [
      ...['log-backtrace-at', 'log-dir', 'log-file', 'log-file-max-size'],
      ...['stderrthreshold', 'vmodule'],
    ].map((name) => ({ name, value: 'TEXT', fallback: '', help: '' })),
  )

/** A flag as a whole number from `min` to `max`. Throws UsageError. */
export function wholeNumber(flags: ParsedFlags, name: string, min: number, max: number): number {
  const text = flags.get(name)
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < min || value > max) {
    throw new UsageError(`--${name} must be a whole number from ${min} to ${max}, not "${text}"`)
  }
  return value
}

/** A flag as one of `choices`. Throws UsageError. */
export function oneOf<const T extends string>(
  flags: ParsedFlags,
  name: string,
  choices: readonly T[],
): T {
  const text = flags.get(name)
  const found = choices.find((choice) => choice === text)
  if (found !== undefined) return found
  const all = [choices.slice(0, -1).join(', '), choices.at(-1)].filter(Boolean).join(' or ')
  throw new UsageError(`--${name} must be ${all}, not "${text}"`)
}

const UNIT_MS = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const

/** A flag as a duration like `15s`, `1m30s` or `500ms`, in milliseconds. Throws UsageError. */
export function duration(flags: ParsedFlags, name: string): number {
  const text = flags.get(name)
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)]
  const isWhole = parts.map(([part]) => part).join('') === text
  const ms = parts.reduce((sum, [, count, unit]) => {
    const unitMs = Object.entries(UNIT_MS).find(([key]) => key === unit)?.[1] ?? 0
    return sum + Number(count) * unitMs
  }, 0)
  if (!isWhole || ms <= 0 || ms > UNIT_MS.h) {
    throw new UsageError(`--${name} must be a duration like 15s, up to 1h, not "${text}"`)
  }
  return ms
}

/** The lines of --help for `flags`, aligned, within 80 columns. */
export function flagHelp(flags: readonly Flag[]): string {
  const shown = flags
    .filter(({ help }) => help !== '')
    .map(({ name, short, value, fallback, help }) => {
      const lead = short ? `-${short}, ` : '    '
      const left = `  ${lead}--${name}${value ? ` ${value}` : ''}`
      const isDefaulted = value !== undefined && fallback !== ''
      return { left, help: isDefaulted ? `${help} (default ${fallback})` : help }
    })
  const fitting = shown.map(({ left }) => left.length).filter((length) => length <= LEFT_MAX)
  const indent = Math.max(...fitting) + 2
  return shown
    .flatMap(({ left, help }) => {
      const [first = '', ...rest] = wrapped(help, WIDTH - indent)
      const isLong = left.length > LEFT_MAX
      const lines = isLong ? [first, ...rest] : rest
      return [
        isLong ? left : `${left.padEnd(indent)}${first}`,
        ...lines.map((line) => `${' '.repeat(indent)}${line}`),
      ]
    })
    .join('\n')
}

/** `text` in lines of at most `width`, broken between words. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
