// What earlier versions of this product left on resources. Pure.

/** The API group of v0.1.x. */
export const LEGACY_GROUP = 'sealyun.com'

/**
 * The finalizers that are not ours to keep: earlier versions set them, and without the old controller
 * they would make every deletion hang.
 */
export function withoutLegacyFinalizers(finalizers: readonly string[]): string[] {
  return finalizers.filter((finalizer) => !isLegacy(finalizer))
}

function isLegacy(finalizer: string): boolean {
  return (
    finalizer === 'sealos.io/cluster-endpoints.finalizers' ||
    finalizer.startsWith(`${LEGACY_GROUP}/`)
  )
}
