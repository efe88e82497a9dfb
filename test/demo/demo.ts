// The demo from its first line to its last: a small world, the story in it, what was measured.

import { statSync } from 'node:fs'
import type { Act } from './act.ts'
import { DemoFailed, Interrupted } from './failure.ts'
import { invitation, KEYS, keep, NO_KEYS } from './keep.ts'
import { getCommand } from './kubectl.ts'
import { hostViews, takePicture } from './picture.ts'
import { observeRest, REST_SECONDS } from './rest.ts'
import { newScene, type Scene } from './scene.ts'
import type { Show } from './show.ts'
import { showLines } from './show-lines.ts'
import { showTerminal } from './show-terminal.ts'
import { bundleBytes, fileBytes, memoryOf } from './sizes.ts'
import { actsOf, play } from './story.ts'
import { summary } from './summary.ts'
import { buildWorld, type World, type WorldOptions } from './world.ts'

export type DemoOptions = WorldOptions & {
  /** Whether the world stays after the story. */
  readonly isKept: boolean
}

/** Milliseconds for the story; with the time to take its world down it stays below a minute. */
const STORY_MAX_MS = 45_000

/**
 * Plays the demo; resolves when it is over and everything that it started has ended. `interrupted` ends
 * it from outside, `end` from within. Throws DemoFailed, or the reason of the signal.
 */
export async function runDemo(
  options: DemoOptions,
  interrupted: AbortSignal,
  end: () => void,
): Promise<void> {
  const { binary } = options
  if (binary !== undefined && !isFile(binary)) throw new DemoFailed(`Cannot find "${binary}"`)
  const scene = newScene()
  const show = openShow(scene)
  const trouble = new AbortController()
  const onTrouble = (error: Error) => trouble.abort(error)
  const tooLong = new DemoFailed(`The demo did not end within ${STORY_MAX_MS / 1000} s`)
  const timer = setTimeout(onTrouble, STORY_MAX_MS, tooLong)
  const signal = AbortSignal.any([interrupted, trouble.signal])
  try {
    await using world = await buildWorld(options, { show, signal, onTrouble })
    try {
      const acts = actsOf(world.members)
      stage(scene, world, acts)
      await show.look()
      await play(acts, { sight: world.sight, show, signal })
      await conclude(options, world, { acts, show, signal })
      clearTimeout(timer)
      if (options.isKept) await linger(scene, show, acts, end, signal)
    } finally {
      // Before the world goes: nothing may be drawn over what is said then.
      await show.stop()
    }
  } finally {
    clearTimeout(timer)
    await show.stop()
  }
}

function openShow(scene: Scene): Show {
  const { stdout } = process
  const isTerminal = stdout.isTTY && process.env.TERM !== 'dumb'
  return isTerminal ? showTerminal(scene, stdout) : showLines(scene, stdout)
}

/** From now on there is something to see. */
function stage(scene: Scene, { cluster, members, sight }: World, acts: readonly Act[]): void {
  const command = getCommand(cluster)
  scene.place = cluster.name
  scene.acts = acts
  scene.hosts = () => hostViews(members, sight)
  scene.takePicture = () => takePicture(cluster, command)
}

async function conclude(
  { isKept, resources, binary }: DemoOptions,
  { cluster, operator }: World,
  { acts, show, signal }: { acts: readonly Act[]; show: Show; signal: AbortSignal },
): Promise<void> {
  show.say(
    `All are back. Nothing changes any more: no writes to the API server for ${REST_SECONDS} s?`,
  )
  const rest = await observeRest(cluster, operator, signal)
  const lines = summary({
    ...{ acts, rest, resources },
    memory: memoryOf(operator.pid),
    bundle: await bundleBytes(),
    binary: binary === undefined ? undefined : fileBytes(binary),
  })
  await show.conclude(isKept ? [...lines, ...invitation(cluster)] : lines)
  if (rest.writes > 0) throw new DemoFailed(`The operator wrote ${rest.writes} times at rest`)
}

/** The world stays until somebody ends it. Throws when something in it ended by itself. */
async function linger(
  scene: Scene,
  show: Show,
  acts: readonly Act[],
  end: () => void,
  signal: AbortSignal,
): Promise<void> {
  const isInteractive = process.stdin.isTTY && process.stdout.isTTY
  const hint = isInteractive ? KEYS : NO_KEYS
  scene.isOver = true
  show.resume()
  show.say(hint)
  const victims = acts.map(({ member }) => member)
  await keep({ victims, end, signal, onTrouble: (text) => show.say(text) })
  if (!(signal.reason instanceof Interrupted)) throw signal.reason
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false
}
