// Times as Kubernetes writes them.

/** RFC 3339 to the second. `ms` is milliseconds since the epoch. */
export function isoSeconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}
