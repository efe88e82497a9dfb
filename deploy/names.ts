// What is published is called this, and nowhere else. No host of a registry: each release may have its own.

import { version } from '../package.json'

/** Tag of all images of this version. */
export const TAG = `v${version}`

/** The operator's container image: `repository/name:tag`, the form of the chart's values. */
export const CONTROLLER_IMAGE = {
  repository: 'labring',
  name: 'endpoints-operator-controller',
  tag: TAG,
} as const

/** The cluster image, for `sealos run`. Its tag is TAG, too. */
export const CLUSTER_IMAGE = { repository: 'labring', name: 'endpoints-operator' } as const
