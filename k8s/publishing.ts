// Which kinds of object carry the addresses to clients.

import type { SliceApiVersion } from '../crds/slices.ts'

/** As asked for on the command line. `auto`: both where slices can be had, else Endpoints alone. */
export const PUBLISH_WISHES = ['auto', 'endpoints', 'slices', 'both'] as const
export type PublishWish = (typeof PUBLISH_WISHES)[number]

/** As it is done. */
export type Publishing = Exclude<PublishWish, 'auto'>

/** What carries the addresses, as people read it. */
export function carriersOf(publishing: Publishing): string {
  switch (publishing) {
    case 'endpoints':
      return 'Endpoints'
    case 'slices':
      return 'EndpointSlices'
    case 'both':
      return 'Endpoints and EndpointSlices'
  }
}

/** What is done where slices can be had in `apiVersion`; undefined where they cannot. */
export function publishingOf(
  wish: PublishWish,
  apiVersion: SliceApiVersion | undefined,
): Publishing {
  if (apiVersion === undefined) return 'endpoints'
  return wish === 'auto' ? 'both' : wish
}
