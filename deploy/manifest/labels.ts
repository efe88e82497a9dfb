// The name of the operator's objects, and the labels by which they are known. Pure.

import { version } from '../../package.json'

/** Of each object that the manifest makes; the Go version's have it, too. */
export const NAME = 'endpoints-operator'

/** Of the pods. A Deployment's selector cannot be changed: it is that of the Go version's chart. */
export const SELECTOR = {
  'app.kubernetes.io/name': NAME,
  'app.kubernetes.io/instance': NAME,
} as const

export const LABELS = { ...SELECTOR, 'app.kubernetes.io/version': version } as const
