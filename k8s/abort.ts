// The end of a signal, as something to wait for.

/** Resolves when `signal` aborts, or at once if it has. */
export function abortOf(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
