// Credentials that change under a running process: read again each minute and when they are doubted,
// kept when that fails.

export type Credentials = {
  /** What a request carries. */
  readonly headers: Readonly<Record<string, string>>
  /** Passed to fetch as it is. */
  readonly tls: {
    readonly ca?: string
    readonly cert?: string
    readonly key?: string
    readonly serverName?: string
    readonly rejectUnauthorized?: boolean
  }
}

export type CredentialSource = {
  /** What to send now. Rejects only as long as there never were any. */
  readonly credentials: () => Promise<Credentials>
  /** The API server answered 401: these are of no use, wherever they came from. */
  readonly forget: () => void
  /** No connection came about: files may have been caught in the middle of being swapped. */
  readonly doubt: () => void
}

/**
 * Reads credentials. `before` is what was read last; `isRefused` says that the API server refused it,
 * so that what a plugin keeps until it expires must not be taken again.
 */
export type ReadCredentials = (
  before: Credentials | undefined,
  isRefused: boolean,
) => Promise<Credentials>

/** Milliseconds. Source: client-go transport/token_source.go reads the token file each minute. */
const REREAD_MS = 60_000

/** Credentials by `read`, which is never called twice at once: it may ask a person to log in. */
export function readAgain(
  read: ReadCredentials,
  monotonicMs: () => number = () => performance.now(),
): CredentialSource {
  let known: Credentials | undefined
  let reading: Promise<Credentials> | undefined
  let readAtMs = Number.NEGATIVE_INFINITY
  let isDoubted = false
  let isRefused = false

  async function refresh(): Promise<Credentials> {
    const wasRefused = isRefused
    isDoubted = false
    isRefused = false
    try {
      known = await read(known, wasRefused)
    } catch (error) {
      if (!known) throw error
    } finally {
      reading = undefined
    }
    readAtMs = monotonicMs()
    return known
  }

  return {
    credentials: async () => {
      if (known && !isDoubted && monotonicMs() - readAtMs < REREAD_MS) return known
      reading ??= refresh()
      return await reading
    },
    forget: () => {
      isDoubted = true
      isRefused = true
    },
    doubt: () => {
      isDoubted = true
    },
  }
}

/** Throws, naming `where` but never the text, unless `text` holds a whole PEM block. */
export function assertPem(text: string, where: string): void {
  if (!/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/.test(text)) {
    throw new Error(`${where} holds no PEM block`)
  }
}
