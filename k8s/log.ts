// Log lines on standard error: a constant message and fields, as text or JSON. A reader that stalls
// costs lines, never the event loop and never memory without bound.

export type Fields = Readonly<Record<string, string | number | boolean | undefined>>

export type Log = {
  /** What a person must act on. */
  readonly error: (message: string, fields?: Fields) => void
  readonly warn: (message: string, fields?: Fields) => void
  /** Transitions and writes. */
  readonly info: (message: string, fields?: Fields) => void
  /** Attempts; only with `--v 4` and above. */
  readonly debug: (message: string, fields?: Fields) => void
}

export type LogOptions = { readonly format: 'text' | 'json'; readonly verbosity: number }

/** What the log writes to; process.stderr is one. */
export type LogSink = { readonly writableLength: number; write(text: string): unknown }

type Level = keyof Log

/** Verbosity from which debug lines are written. Source: klog's habit, `--v=4` is debug. */
const DEBUG_VERBOSITY = 4
/** Bytes that may wait for a reader. */
const BUFFERED_MAX = 256 * 1024

export function createLog({ format, verbosity }: LogOptions, sink: LogSink = process.stderr): Log {
  let dropped = 0

  function write(level: Level, message: string, fields: Fields): void {
    if (sink.writableLength > BUFFERED_MAX) {
      dropped++
      return
    }
    const lost = dropped === 0 ? {} : { dropped }
    dropped = 0
    const render = format === 'json' ? renderJson : renderText
    sink.write(render(level, message, { ...fields, ...lost }))
  }

  const at =
    (level: Level) =>
    (message: string, fields: Fields = {}) =>
      write(level, message, fields)
  const silent = () => {}
  return {
    error: at('error'),
    warn: at('warn'),
    info: at('info'),
    debug: verbosity >= DEBUG_VERBOSITY ? at('debug') : silent,
  }
}

function renderJson(level: Level, message: string, fields: Fields): string {
  return `${JSON.stringify({ time: new Date().toISOString(), level, message, ...fields })}\n`
}

function renderText(level: Level, message: string, fields: Fields): string {
  const text = Object.entries(fields).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${quoted(String(value))}`],
  )
  return [new Date().toISOString(), level.toUpperCase().padEnd(5), message, ...text]
    .join(' ')
    .concat('\n')
}

/** Quotes what would not read as one word; control characters cannot forge a line. */
function quoted(text: string): string {
  return /^[^\s"=\p{Cc}]+$/u.test(text) ? text : JSON.stringify(text)
}
