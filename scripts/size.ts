// Sizes for people.

/** Decimal megabytes, as registries count. */
export function size(bytes: number): string {
  return `${(bytes / 1e6).toFixed(2)} MB`
}
