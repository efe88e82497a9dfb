// A stream of JSON lines, cut anywhere, into values. Nothing is decoded before its line is whole.

/** Bytes of one line at most. Source: etcd refuses objects above 1.5 MB; the rest is margin. */
const LINE_BYTES_MAX = 32 * 1024 * 1024
const NEWLINE = 10

/**
 * The JSON value of each line of `chunks`. Throws SyntaxError on a line that is no JSON and RangeError
 * on one that is too long; what is left without a newline at the end was cut off and is dropped.
 */
export async function* jsonLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<unknown> {
  const decoder = new TextDecoder()
  let pieces: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      // As watches mostly come. A newline at its end is nothing to JSON, a view of a piece is garbage.
      const isAll = start === 0 && end > 0 && end === chunk.length - 1
      const last = isAll ? chunk : chunk.subarray(start, end)
      const line = pieces.length === 0 ? last : Buffer.concat([...pieces, last])
      pieces = []
      bytes = 0
      start = end + 1
      if (line.length > 0) yield JSON.parse(decoder.decode(line))
    }
    if (start < chunk.length) pieces.push(chunk.subarray(start))
    bytes += chunk.length - start
    if (bytes > LINE_BYTES_MAX)
      throw new RangeError(`Cannot read a line of more than ${bytes} bytes`)
  }
}
