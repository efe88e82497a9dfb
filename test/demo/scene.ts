// Everything that can be seen of the demo at one moment. The story writes to it, the shows read it.

import type { Act } from './act.ts'
import type { HostView, Picture } from './picture.ts'
import { PERIOD_SECONDS } from './plan.ts'

export type Scene = {
  readonly startedMs: number
  /** Where it runs. */
  place: string
  /** What is being done. */
  now: string
  /** Takes a picture; undefined before there is anything to see. */
  takePicture: (() => Promise<Picture>) | undefined
  hosts: () => readonly HostView[]
  acts: readonly Act[]
  /** Whether the story is over and the world stands there to be tried out. */
  isOver: boolean
}

export const TITLE = 'endpoints-operator demo'

/** What this product does, for somebody who has never heard of it, in 80 columns. */
export const INTRODUCTION: readonly string[] = [
  'Pods of a cluster use a database, a web server, a name server and an RPC',
  'service outside of it. One ClusterEndpoint names their hosts. The operator',
  `keeps a Service and its Endpoints for them, probes every host every ${PERIOD_SECONDS} s,`,
  'and publishes only those that answer.',
]

export function newScene(): Scene {
  return {
    startedMs: performance.now(),
    place: '',
    now: 'Starting',
    takePicture: undefined,
    hosts: () => [],
    acts: [],
    isOver: false,
  }
}
