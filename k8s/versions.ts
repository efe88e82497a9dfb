// resourceVersions.

/**
 * Whether resourceVersion `a` is later than `b`. They are opaque by contract, but every API server
 * counts; where one does not, the later message wins.
 */
export function isNewer(a: string, b: string): boolean {
  if (!/^\d+$/.test(a) || !/^\d+$/.test(b)) return a !== b
  // As texts: a number holds only 2^53 of them exactly.
  return a.length === b.length ? a > b : a.length > b.length
}
