// Log lines on standard error: a constant message and fields, as text or JSON. A reader that stalls
// costs lines, never the event loop and never memory without bound.

export type Fields = Readonly<Record<string, string | number | boolean | undefined>>

export type Log = {
  /** What a person must act on. */
  readonly error: (message: string, fields?: Fields) => void
  readonly warn: (message: string, fields?: Fields) => void
  /** Transitions and writes. */
  readonly info: (message: string, fields?: Fields) => void
  /** Attempts; undefined below `--v 4`, so that an attempt pays nothing for a line that nobody wants. */
  readonly debug: ((message: string, fields?: Fields) => void) | undefined
}

export type LogOptions = { readonly format: 'text' | 'json'; readonly verbosity: number }

/** What the log writes to; process.stderr is one. It calls `onTaken` when its reader has the text. */
export type LogSink = { write(text: string, onTaken: () => void): unknown }

type Level = keyof Log

/** Verbosity from which debug lines are written. Source: klog's habit, `--v=4` is debug. */
const DEBUG_VERBOSITY = 4
/** Characters that may wait for a reader. */
const WAITING_MAX = 256 * 1024
/** What can end a line or move a terminal's cursor. */
const CONTROL = /[\p{Cc}\u2028\u2029]/gu
/** What reads as one word. */
const WORD = /^[^\s"=\p{Cc}]+$/u

export function createLog({ format, verbosity }: LogOptions, sink: LogSink = standardError()): Log {
  let dropped = 0
  let waiting = 0

  function write(level: Level, message: string, fields: Fields): void {
    if (waiting > WAITING_MAX) {
      dropped++
      return
    }
    const all = dropped === 0 ? fields : { ...fields, dropped }
    dropped = 0
    const render = format === 'json' ? renderJson : renderText
    const line = `${escaped(render(level, message, all))}\n`
    waiting += line.length
    // Counted here: the writableLength of Bun's standard error is always 0 (1.4.5).
    sink.write(line, () => {
      waiting -= line.length
    })
  }

  const at =
    (level: Level) =>
    (message: string, fields: Fields = {}) =>
      write(level, message, fields)
  return {
    error: at('error'),
    warn: at('warn'),
    info: at('info'),
    debug: verbosity >= DEBUG_VERBOSITY ? at('debug') : undefined,
  }
}

/** Once its reader has gone, lines are lost: nothing that an operator must die of. */
function standardError(): LogSink {
  process.stderr.on('error', () => {})
  return process.stderr
}

function renderJson(level: Level, message: string, fields: Fields): string {
  return JSON.stringify({ time: new Date().toISOString(), level, message, ...fields })
}

function renderText(level: Level, message: string, fields: Fields): string {
  let text = `${new Date().toISOString()} ${level.toUpperCase().padEnd(5)} ${message}`
  for (const key in fields) {
    const value = fields[key]
    if (value !== undefined) text += ` ${key}=${quoted(String(value))}`
  }
  return text
}

/** In quotes unless it reads as one word. */
function quoted(text: string): string {
  return WORD.test(text) ? text : JSON.stringify(text)
}

/** One line, whatever others put into it; JSON stays the same JSON. */
function escaped(line: string): string {
  return line.replace(CONTROL, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
