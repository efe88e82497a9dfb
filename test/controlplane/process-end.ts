// What must be done when this process ends before it has tidied up.

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Runs `cleanup`, which must be synchronous, when the process exits or is told to end by a signal.
 * Returns a function that calls this off. A SIGKILL cannot be caught.
 */
export function atProcessEnd(cleanup: () => void): () => void {
  function onSignal(signal: NodeJS.Signals): void {
    forget()
    cleanup()
    // With our listener gone the signal means again what it means without us.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal)
  }

  function forget(): void {
    process.off('exit', cleanup)
    for (const signal of signals) process.off(signal, onSignal)
  }

  process.on('exit', cleanup)
  for (const signal of signals) process.on(signal, onSignal)
  return forget
}
