// Text that others wrote, as it may stand in status, events and logs.

/** Control, format (bidirectional overrides, zero width) and line-breaking characters, and halves of a pair. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/**
 * `text` with nothing in it that could forge a line or a look, at most `lengthMax` characters.
 *
 * Half a surrogate pair, in the original or made by the cut, is replaced as well: the API server
 * stores U+FFFD for it, so that what we read back would differ from what we wrote, for ever.
 */
export function printable(text: string, lengthMax: number): string {
  const isLong = text.length > lengthMax
  const kept = isLong ? text.slice(0, lengthMax - 1) : text
  const clean = kept.replace(UNPRINTABLE, '?')
  return isLong ? `${clean}…` : clean
}
